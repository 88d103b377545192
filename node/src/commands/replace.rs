//! `florin replace`: brings back a node that lost its disk.

use super::init::operator;
use anyhow::{Context, Result};
use florin_ledger::id::NodeId;
use florin_shards::{ReplaceOptions, replace};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The node's number
    #[arg(long)]
    node: u64,
    /// The cluster's name
    #[arg(long)]
    cluster: String,
    /// host:port of some nodes that are up
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        required = true
    )]
    nodes: Vec<String>,
    /// The folder with ca.pem, operator.pem and operator.key
    #[arg(long, value_name = "DIR")]
    certs: PathBuf,
    /// Seconds until it gives up; the node's ledgers must be copied to it in this time
    #[arg(long, default_value_t = 600)]
    timeout: u64,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    println!(
        "taking the former node {} out of its groups; then start it, with an empty data folder",
        args.node
    );
    let back = replace(ReplaceOptions {
        cluster: args.cluster,
        seeds: args.nodes,
        node: NodeId(args.node),
        connector: operator(&args.certs)?.connector(),
        timeout: Duration::from_secs(args.timeout),
    })
    .await
    .with_context(|| format!("node {} is not back", args.node))?;
    println!(
        "node {} is back, as incarnation {}, and votes again",
        back.id.0, back.incarnation
    );
    Ok(ExitCode::SUCCESS)
}
