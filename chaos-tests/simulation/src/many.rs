//! Many seeds, each in a process of its own, and what they covered together.

use crate::Arguments;
use crate::one::{SUMMARY, Summary};
use crate::system;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// One run in so many may show too little.
const FEW: usize = 10;

/// Runs all seeds, tells which failed and how they can be repeated, and what happened how often.
pub(crate) fn run(seeds: RangeInclusive<u64>, arguments: &Arguments) -> Result<u8> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let began = system::real_now();
    let next = Mutex::new(seeds);
    let all = Mutex::new(Vec::new());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(seed) = seed else { return };
                    let summary = child(&program, seed, arguments);
                    if summary.code != 0 {
                        say(&summary, arguments);
                    }
                    let failed = summary.code == 1;
                    stop.fetch_or(failed && arguments.until_failure, Ordering::Relaxed);
                    all.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(summary);
                }
            });
        }
    });
    let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    table(&all);
    let seconds = system::real_elapsed_since(began).as_secs_f64();
    let failed = all.iter().filter(|one| one.code == 1).count();
    let unclear = all.iter().filter(|one| one.code > 1).count();
    println!(
        "{} seeds in {seconds:.0} s: {failed} failed, {unclear} did not show enough",
        all.len()
    );
    Ok(verdict(all.len(), failed, unclear))
}

/// Chance makes a run now and then in which too little happened; that says nothing against the others.
/// It says something against the simulation if there are many.
fn verdict(seeds: usize, failed: usize, unclear: usize) -> u8 {
    match (failed, unclear) {
        (1.., _) => 1,
        (0, unclear) if seeds == 0 || unclear * FEW > seeds => 2,
        (0, _) => 0,
    }
}

fn child(program: &std::path::Path, seed: u64, arguments: &Arguments) -> Summary {
    let mut command = Command::new(program);
    command.args(["--seed", &seed.to_string()]);
    if let Some(mutant) = &arguments.mutant {
        command.args(["--mutant", mutant]);
    }
    // Panics of nodes are told with their place; a stack for each would fill the screen.
    command.env("RUST_BACKTRACE", "0");
    let lost = |why: String| Summary {
        seed,
        code: 1,
        broken: vec![why],
        ..Summary::default()
    };
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return lost(format!("it did not start: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.strip_prefix(SUMMARY));
    match line.and_then(|line| serde_json::from_str(line).ok()) {
        Some(summary) => summary,
        None => {
            let why = String::from_utf8_lossy(&output.stderr);
            let last: Vec<_> = why.lines().rev().take(5).collect();
            lost(format!(
                "it ended without a verdict, {}, after it said \"{}\": {}",
                output.status,
                said.lines().last().unwrap_or_default().trim(),
                last.join(" / ")
            ))
        }
    }
}

fn say(summary: &Summary, arguments: &Arguments) {
    let mut repeat = format!("florin-simulation --seed {}", summary.seed);
    if let Some(mutant) = &arguments.mutant {
        repeat = format!("{repeat} --mutant {mutant}");
    }
    let what = if summary.code == 1 {
        "FAILED"
    } else {
        "not enough"
    };
    let first = summary
        .broken
        .first()
        .map_or("too little was acknowledged or judged", |it| it);
    let first: String = first.chars().take(300).collect();
    println!("{what}: {repeat}   # {first}");
}

/// What happened how often, over all runs.
fn table(all: &[Summary]) {
    let mut faults = BTreeMap::<&str, (u64, u64)>::new();
    let mut sites = BTreeMap::<&str, (u64, u64)>::new();
    for summary in all {
        for (class, count) in &summary.faults {
            let entry = faults.entry(class).or_default();
            entry.0 += count;
            entry.1 += 1;
        }
        for (site, (hits, fired)) in &summary.sites {
            let entry = sites.entry(site).or_default();
            entry.0 += hits;
            entry.1 += fired;
        }
    }
    println!("{:<40} {:>8} {:>8}", "faults", "times", "seeds");
    for (class, (times, seeds)) in faults {
        println!("{class:<40} {times:>8} {seeds:>8}");
    }
    if !sites.is_empty() {
        println!("{:<40} {:>8} {:>8}", "failpoints", "hits", "fired");
    }
    for (site, (hits, fired)) in sites {
        println!("{site:<40} {hits:>8} {fired:>8}");
    }
    let sum = |what: fn(&Summary) -> u64| all.iter().map(what).sum::<u64>();
    println!(
        "{} operations, {} acknowledged, {} of them during faults, {} s simulated",
        sum(|one| one.operations),
        sum(|one| one.acknowledged),
        sum(|one| one.during),
        sum(|one| one.simulated_ms) / 1_000
    );
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn one_failure_decides_and_a_few_unclear_runs_do_not() {
        let rows = [
            ((0, 0, 0), 2),
            ((1, 0, 1), 2),
            ((200, 0, 0), 0),
            ((200, 0, 20), 0),
            ((200, 0, 21), 2),
            ((200, 1, 0), 1),
            ((200, 1, 200), 1),
        ];
        for ((seeds, failed, unclear), expected) in rows {
            assert_eq!(verdict(seeds, failed, unclear), expected);
        }
    }
}
