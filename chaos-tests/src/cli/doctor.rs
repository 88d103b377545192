//! `florin-chaos doctor`.

use crate::doctor;
use anyhow::Result;
use std::io::Write;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, mut to: impl Write) -> Result<u8> {
    let abilities = doctor::examine();
    match args.json {
        true => writeln!(to, "{}", doctor::json(&abilities))?,
        false => write!(to, "{}", doctor::table(&abilities))?,
    }
    Ok(0)
}
