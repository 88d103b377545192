//! `florin-chaos soak`: random scenarios, one after the other.

use super::run::{How, tell, worst, write_index};
use super::table::Row;
use crate::run::run as play;
use crate::run::stop::Stop;
use crate::scenario::Scenario;
use anyhow::{Result, bail};
use florin_node::config;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// The scenario unless another is given; part of the binary.
const RANDOM: &str = include_str!("../../scenarios/random.toml");

#[derive(Debug, clap::Args)]
pub struct Args {
    /// For so long; the last run is finished
    #[arg(long)]
    hours: f64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A scenario with a section [random], instead of the usual one
    #[arg(long, value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    /// Where reports are written: those of runs that pass are taken away again, but for their
    /// line in soak.txt
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
    /// Keeps the reports of runs that pass as well
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    how: How,
}

pub(super) async fn run(args: &Args, mut to: impl Write) -> Result<u8> {
    let scenario = match &args.scenario {
        Some(file) => Scenario::load(file)?,
        None => config::parse(Path::new("random.toml"), RANDOM)?,
    };
    if scenario.random.is_none() {
        bail!("{} has no section [random]", scenario.name);
    }
    if !(0.0..=10_000.0).contains(&args.hours) {
        bail!("--hours must be from 0 to 10000");
    }
    let stop = Stop::by_signal()?;
    fs::create_dir_all(&args.report)?;
    let mut summary = File::create(args.report.join("soak.txt"))?;
    let by = Instant::now() + Duration::from_secs_f64(args.hours * 3_600.0);
    let (mut rows, mut seed) = (Vec::new(), args.seed);
    while rows.is_empty() || (Instant::now() < by && !stop.asked()) {
        let folder = args.report.join(format!("{}-{seed}", scenario.name));
        let options = args.how.options(seed, folder.clone());
        let ran = play(&scenario, &options, &stop).await;
        let row = Row::of(&scenario.name, seed, &ran);
        row.print(&mut to)?;
        row.print(&mut summary)?;
        if row.code != 0 {
            tell(&ran, &folder, &mut to)?;
        } else if !args.keep {
            fs::remove_dir_all(&folder)?;
        }
        rows.push(row);
        seed += 1;
    }
    let count = |code: u8| rows.iter().filter(|row| row.code == code).count();
    let (passed, failed, unclear) = (count(0), count(1), count(2));
    let line = format!("{passed} passed, {failed} failed, {unclear} inconclusive");
    writeln!(to, "{line}")?;
    writeln!(summary, "{line}")?;
    write_index(&args.report, &mut to)?;
    Ok(worst(&rows))
}
