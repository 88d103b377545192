//! `florin-chaos check`: judges an old run again.

use crate::check;
use crate::history::{History, lines};
use crate::report;
use crate::verdict::exit_code;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The history, JSON lines
    history: PathBuf,
    /// Where a report is written
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

pub(super) fn run(args: &Args, mut to: impl Write) -> Result<u8> {
    let history = read(&args.history)?;
    let (operations, faults) = (history.operations.len(), history.faults.len());
    if !history.about.is_empty() {
        writeln!(to, "{}", history.about)?;
    }
    writeln!(to, "{operations} operations, {faults} faults\n")?;
    let verdicts = check::all(&history);
    for verdict in &verdicts {
        writeln!(to, "{verdict}")?;
    }
    if let Some(folder) = &args.report {
        report::write(folder, &history, &verdicts)
            .with_context(|| format!("no report in {}", folder.display()))?;
    }
    Ok(exit_code(&verdicts))
}

fn read(file: &Path) -> Result<History> {
    let named = || file.display().to_string();
    let open = File::open(file).with_context(named)?;
    lines::read(BufReader::new(open)).with_context(named)
}
