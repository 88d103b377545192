//! `florin verify`: checks a stopped node's data.

use crate::folder;
use anyhow::{Context, Result, bail};
use florin_storage::replica::verify::verify;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The data folder of a node that is stopped
    dir: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    if !args.dir.is_dir() {
        bail!("{} is not a folder", args.dir.display());
    }
    let Some(identity) = folder::read_identity(&args.dir)? else {
        bail!(
            "{} is not a node's data folder: it has no identity.toml",
            args.dir.display()
        );
    };
    let _lock = folder::lock(&args.dir)?;
    println!(
        "node {} of cluster `{}`, incarnation {}",
        identity.node, identity.cluster, identity.incarnation
    );
    let report =
        verify(&args.dir).with_context(|| format!("{} cannot be checked", args.dir.display()))?;
    println!("{report}");
    if !report.is_sound() {
        bail!("{} does not hold", args.dir.display());
    }
    Ok(ExitCode::SUCCESS)
}
