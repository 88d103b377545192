//! `florin-chaos run`.

use super::FabricName;
use super::table::Row;
use crate::report;
use crate::run::stop::Stop;
use crate::run::{Outcome, RunOptions, run as play};
use crate::scenario::Scenario;
use anyhow::Result;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scenarios' files
    #[arg(required = true, value_name = "SCENARIO.toml")]
    scenarios: Vec<PathBuf>,
    /// What times, targets and everything else that is left to chance are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where reports are written: a folder for each run if there are several
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
    /// How often each is run, with growing seeds
    #[arg(long, default_value_t = 1)]
    repeat: u64,
    #[command(flatten)]
    how: How,
}

/// How scenarios are run, by whichever command.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct How {
    /// The florin binary; that beside this one if it is not given
    #[arg(long, value_name = "PATH")]
    florin: Option<PathBuf>,
    /// What lies between the processes, where the scenario is about the network
    #[arg(long)]
    fabric: Option<FabricName>,
    /// Multiplies bounds on times, for builds without optimization; what must hold stays the same
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    slower: f64,
    /// Says nothing until a run is over
    #[arg(long)]
    quiet: bool,
}

impl How {
    /// For one run.
    pub(super) fn options(&self, seed: u64, report: PathBuf) -> RunOptions {
        RunOptions {
            seed,
            report,
            florin: self.florin.clone(),
            fabric: self.fabric.map(Into::into),
            slower: self.slower,
            progress: !self.quiet,
        }
    }
}

pub(super) async fn run(args: &Args, mut to: impl Write) -> Result<u8> {
    let stop = Stop::by_signal()?;
    let mut rows = Vec::new();
    let several = args.scenarios.len() > 1 || args.repeat > 1;
    for file in &args.scenarios {
        let scenario = match Scenario::load(file) {
            Ok(scenario) => scenario,
            Err(error) => {
                let name = file.display().to_string();
                rows.push(Row::of(&name, args.seed, &Err(error.into())));
                continue;
            }
        };
        for seed in args.seed..args.seed + args.repeat {
            if stop.asked() {
                break;
            }
            let folder = folder(&args.report, &scenario.name, seed, several);
            let options = args.how.options(seed, folder.clone());
            let ran = play(&scenario, &options, &stop).await;
            tell(&ran, &folder, &mut to)?;
            rows.push(Row::of(&scenario.name, seed, &ran));
        }
    }
    writeln!(to)?;
    for row in &rows {
        row.print(&mut to)?;
    }
    if several {
        write_index(&args.report, &mut to)?;
    }
    Ok(worst(&rows))
}

/// One page over all reports of a folder; nothing if no run got as far as a report.
pub(super) fn write_index(folder: &Path, to: &mut impl Write) -> Result<()> {
    if folder.is_dir() && report::index(folder)? > 0 {
        writeln!(to, "all reports: {}", folder.join(report::INDEX).display())?;
    }
    Ok(())
}

fn folder(report: &Path, name: &str, seed: u64, several: bool) -> PathBuf {
    match several {
        true => report.join(format!("{name}-{seed}")),
        false => report.to_owned(),
    }
}

/// Failures first, then what is not known.
pub(super) fn worst(rows: &[Row]) -> u8 {
    let code = |wanted: u8| rows.iter().any(|row| row.code == wanted).then_some(wanted);
    code(1).or_else(|| code(2)).unwrap_or(0)
}

/// Every checker's word on one run.
pub(super) fn tell(ran: &Result<Outcome>, folder: &Path, to: &mut impl Write) -> Result<()> {
    match ran {
        Ok(outcome) => {
            for verdict in &outcome.verdicts {
                writeln!(to, "{verdict}")?;
            }
            writeln!(to, "report: {}", folder.join("report.html").display())?;
        }
        Err(error) => writeln!(to, "cannot run: {error:#}")?,
    }
    Ok(())
}
