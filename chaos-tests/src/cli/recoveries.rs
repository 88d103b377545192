//! `florin-chaos recoveries`: how long payments take to flow again after a leader died.

use super::run::{How, tell};
use super::table::word;
use crate::check::recovery::measure;
use crate::run::run as play;
use crate::run::stop::Stop;
use crate::scenario::{Scenario, Span};
use anyhow::{Context, Result, bail};
use florin_node::config;
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The scenario unless another is given; part of the binary.
const LEADER_KILLED: &str = include_str!("../../scenarios/leader-killed.toml");

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How often the leader is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// What everything that is left to chance is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Another scenario, of whose first fault so many are done
    #[arg(long, value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    /// Where the report is written
    #[arg(long, value_name = "DIR")]
    report: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Times to recover, milliseconds.
#[derive(Debug, Serialize)]
struct Recoveries {
    scenario: String,
    seed: u64,
    faults: usize,
    acknowledged: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    worst: u64,
    all: Vec<u64>,
}

pub(super) async fn run(args: &Args, mut to: impl Write) -> Result<u8> {
    let mut scenario: Scenario = match &args.scenario {
        Some(file) => Scenario::load(file)?,
        None => config::parse(Path::new("leader-killed.toml"), LEADER_KILLED)?,
    };
    scenario.steps.truncate(1);
    let step = scenario
        .steps
        .first_mut()
        .context("a scenario without a fault")?;
    step.times = args.kills.max(1);
    // Long enough for the next leader; the killed one then catches up before the next kill.
    step.lasts = Span::Exactly(2.0);
    step.rest = 1.0;
    // The question is how soon the next payment gets through, not how many do: a steady stream
    // keeps the history of hundreds of kills small.
    scenario.load.mix.per_second.get_or_insert(150.0);
    let stop = Stop::by_signal()?;
    let options = args.how.options(args.seed, args.report.clone());
    let ran = play(&scenario, &options, &stop).await;
    tell(&ran, &args.report, &mut to)?;
    let Ok(outcome) = ran else { return Ok(2) };
    let history = &outcome.history;
    let times = measure(history).into_iter().filter_map(|one| one.recovered);
    let mut all: Vec<u64> = times.map(|us| us / 1_000).collect();
    all.sort_unstable();
    if all.is_empty() {
        bail!("no recovery was seen");
    }
    let acknowledged = history
        .operations
        .iter()
        .filter(|one| one.answer.is_final());
    let recoveries = Recoveries {
        scenario: scenario.name.clone(),
        seed: args.seed,
        faults: history.faults.len(),
        acknowledged: acknowledged.count() as u64,
        p50: rank(&all, 50),
        p90: rank(&all, 90),
        p99: rank(&all, 99),
        worst: rank(&all, 100),
        all,
    };
    let json = serde_json::to_string_pretty(&recoveries)?;
    fs::write(args.report.join("recoveries.json"), json)?;
    let table = table(&recoveries, outcome.code);
    fs::write(args.report.join("recoveries.md"), &table)?;
    write!(to, "\n{table}")?;
    Ok(outcome.code)
}

/// The nearest rank: of 100 times, the 99th is the second longest.
fn rank(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn table(one: &Recoveries, code: u8) -> String {
    let Recoveries {
        scenario,
        seed,
        faults,
        acknowledged,
        p50,
        p90,
        p99,
        worst,
        ..
    } = one;
    let word = word(code);
    format!(
        "| scenario | seed | faults | decided meanwhile | p50 | p90 | p99 | worst | checkers |\n\
         |---|---|---|---|---|---|---|---|---|\n\
         | {scenario} | {seed} | {faults} | {acknowledged} | {p50} ms | {p90} ms | {p99} ms | {worst} ms | {word} |\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_what_was_seen() {
        let hundred: Vec<u64> = (1..=100).collect();
        let ranks = [50, 90, 99, 100].map(|percent| rank(&hundred, percent));
        assert_eq!(ranks, [50, 90, 99, 100]);
        assert_eq!([50, 99, 100].map(|percent| rank(&[7], percent)), [7, 7, 7]);
    }
}
