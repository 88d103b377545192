//! What may be asked on the command line. Exit codes: 0, everything holds; 1, something does not;
//! 2, too little was seen to say, or it cannot run here, and why.

mod attach;
mod check;
mod doctor;
mod recoveries;
mod run;
mod soak;
mod table;

use crate::mutants::{self, MutantsArgs};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};
use std::io::Write;

/// Breaks a cluster on purpose and judges what it did.
#[derive(Debug, Parser)]
#[command(name = "florin-chaos", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says what this machine lets us break, and what is missing for the rest.
    Doctor(doctor::Args),
    /// Runs scenarios and writes their reports.
    Run(run::Args),
    /// Runs random scenarios one after the other, with growing seeds.
    Soak(soak::Args),
    /// Kills the leader many times and tells how long payments took to flow again.
    Recoveries(recoveries::Args),
    /// Brings load and checkers to a cluster of your own, whose faults you inject yourself.
    Attach(attach::Args),
    /// Judges a recorded history again.
    Check(check::Args),
    /// Plants one known mistake after the other, and says what noticed it. Exit code 0: every mutant
    /// died; 1: one survived; 2: nothing could be proven.
    Mutants(MutantsArgs),
}

/// What lies between the processes of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FabricName {
    /// The best that this machine can do.
    Auto,
    /// Network namespaces and TUN devices; needs root.
    Tun,
    /// Proxies on the loopback.
    Proxy,
}

impl From<FabricName> for crate::playground::FabricChoice {
    fn from(name: FabricName) -> Self {
        match name {
            FabricName::Auto => Self::Auto,
            FabricName::Tun => Self::Tun,
            FabricName::Proxy => Self::Proxy,
        }
    }
}

impl Cli {
    /// Does what was asked; answers the exit code.
    pub fn run(&self, to: impl Write) -> Result<u8> {
        match &self.command {
            Command::Doctor(args) => doctor::run(args, to),
            Command::Check(args) => check::run(args, to),
            Command::Mutants(args) => mutants::run(args, to),
            Command::Run(args) => asynchronously(run::run(args, to)),
            Command::Soak(args) => asynchronously(soak::run(args, to)),
            Command::Recoveries(args) => asynchronously(recoveries::run(args, to)),
            Command::Attach(args) => asynchronously(attach::run(args, to)),
        }
    }
}

fn asynchronously(work: impl Future<Output = Result<u8>>) -> Result<u8> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build().context("no runtime")?;
    runtime.block_on(work)
}
