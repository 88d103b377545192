//! `florin demo`: see [`crate::demo`].

use crate::cluster::Topology;
use crate::demo::{self, DemoOptions};
use crate::shutdown::Shutdown;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The cluster to start, a file of cluster-configs/; three nodes in three regions unless told
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// Keep everything in this folder, and go on from what is there; a new one, removed at the end, unless told
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Tell the story, then stop; exit 0 only if the audit held
    #[arg(long, conflicts_with = "ready_file")]
    once: bool,
    /// Tell no story: write how to reach the cluster to this file, as JSON, and stay up until SIGTERM
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Leave a node that died dead, instead of starting it again after 2 seconds
    #[arg(long)]
    no_restart: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let topology = match &args.topology {
        Some(file) => Topology::load(file)?,
        None => Topology::three_regions()?,
    };
    let options = DemoOptions {
        topology,
        data: args.data,
        once: args.once,
        ready_file: args.ready_file,
        restart: !args.no_restart,
    };
    demo::run(options, Shutdown::on_signals()?).await
}
