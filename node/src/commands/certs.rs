//! `florin certs`: a development authority, the certificates of a cluster, and its operators' token.

use crate::certs;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to write to; what is there already is kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make certificates for nodes 1 to this
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    nodes: u64,
    /// Names and addresses, beside localhost, by which partners reach the frontends
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    hosts: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let mut made = certs::make(&args.out, args.nodes, &args.hosts)?;
    made.extend(certs::make_token(&args.out)?);
    for file in &made {
        println!("{}", file.display());
    }
    if made.is_empty() {
        println!(
            "nothing to do: all certificates and the operators' token are in {}",
            args.out.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
