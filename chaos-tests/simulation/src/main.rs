//! Florin in a simulation: real consensus, ledgers, logs and transport on simulated networks, disks
//! and clocks. One seed, one run, byte for byte.
//!
//! Read in this order: `config` is what a seed expands into, `world` runs it, `chaos` and `inject`
//! break things and mend them, `machine` and `node` are a computer and the product on it, `net` its
//! network, `traps` its failpoints, `frontend`, `session` and `requests` the clients, `operator`
//! brings lost nodes back, `record` is what all write down, `invariants` what must hold inside,
//! `system` and `dice` where time and chance come from, `one` runs a seed, `many` runs several.

mod chaos;
mod config;
mod dice;
mod frontend;
mod inject;
mod invariants;
mod machine;
mod many;
mod net;
mod node;
mod one;
mod operator;
mod record;
mod requests;
mod session;
mod system;
mod trace;
mod traps;
mod world;

use anyhow::{Result, bail};
use clap::Parser;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs Florin in a simulation. Exits with 0 if everything held, 1 if something did not, 2 if a
/// run did not show enough.
#[derive(Debug, Parser)]
#[command(name = "florin-simulation")]
struct Arguments {
    /// The seed of a single run.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Seeds from A to B, each in a process of its own: `1..200`.
    #[arg(long, value_parser = seeds)]
    seeds: Option<RangeInclusive<u64>>,
    /// Processes at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Stop at the first seed that fails.
    #[arg(long)]
    until_failure: bool,
    /// Write what happens into this file, in order.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Every packet is part of the trace.
    #[arg(long, requires = "trace")]
    packets: bool,
    /// Write what the clients saw into this file.
    #[arg(long)]
    history: Option<PathBuf>,
    /// Plant this known mistake, which must then be noticed.
    #[arg(long)]
    mutant: Option<String>,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let parsed = text.split_once("..").and_then(|(first, last)| {
        let last = last.trim_start_matches('=');
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    parsed.ok_or_else(|| format!("`{text}` is not like 1..200"))
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<u8> {
    if let Some(mutant) = &arguments.mutant {
        one::plant(mutant)?;
    }
    match (&arguments.seed, &arguments.seeds) {
        (Some(seed), None) => one::run(*seed, arguments),
        (None, Some(seeds)) => many::run(seeds.clone(), arguments),
        _ => bail!("say which seed: `--seed 7` or `--seeds 1..200`"),
    }
}
