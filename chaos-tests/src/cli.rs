//! What may be asked on the command line.

use crate::check;
use crate::history::{History, lines};
use crate::mutants::{self, MutantsArgs};
use crate::verdict::exit_code;
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

/// Judges what a cluster did while it was broken on purpose.
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
    /// Judges a recorded history. Exit code 0: everything holds; 1: something does not; 2: the
    /// history says too little, or cannot be read.
    Check {
        /// The history, JSON lines.
        history: PathBuf,
    },
    /// Plants one known mistake after the other, and says what noticed it. Exit code 0: every mutant
    /// died; 1: one survived; 2: nothing could be proven.
    Mutants(MutantsArgs),
}

impl Cli {
    /// Does what was asked; answers the exit code.
    pub fn run(&self, to: impl Write) -> Result<u8> {
        match &self.command {
            Command::Check { history } => Cli::check(history, to),
            Command::Mutants(args) => mutants::run(args, to),
        }
    }

    fn check(history: &Path, mut to: impl Write) -> Result<u8> {
        let history = read(history)?;
        let (operations, faults) = (history.operations.len(), history.faults.len());
        if !history.about.is_empty() {
            writeln!(to, "{}", history.about)?;
        }
        writeln!(to, "{operations} operations, {faults} faults\n")?;
        let verdicts = check::all(&history);
        for verdict in &verdicts {
            writeln!(to, "{verdict}")?;
        }
        Ok(exit_code(&verdicts))
    }
}

fn read(file: &Path) -> Result<History> {
    let named = || file.display().to_string();
    let open = File::open(file).with_context(named)?;
    lines::read(BufReader::new(open)).with_context(named)
}
