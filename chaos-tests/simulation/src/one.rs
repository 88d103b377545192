//! One seed: it is run, judged, and told.

use crate::config::Config;
use crate::record::Record;
use crate::world::{self, Ended};
use crate::{Arguments, system, trace, traps};
use anyhow::{Context, Result, bail};
use florin_chaos::history::{History, Hits, Run, lines};
use florin_chaos::{check, verdict};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How the line begins that other processes read.
pub(crate) const SUMMARY: &str = "summary ";
/// The simulation's stack: a debug build's futures are deep.
const STACK: usize = 64 << 20;
/// Seconds of a processor's time after which a run is ended: a run takes one or a few, and where
/// simulated time stands still it would never end. Judging it is bounded by the checkers themselves.
const PROCESSOR_SECONDS: u64 = 120;

/// A run in one line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) seed: u64,
    /// 0, 1 or 2, as the process exits.
    pub(crate) code: u8,
    /// Operations, and those acknowledged, and those of them while faults went on.
    pub(crate) operations: u64,
    pub(crate) acknowledged: u64,
    pub(crate) during: u64,
    pub(crate) simulated_ms: u64,
    pub(crate) real_ms: u64,
    /// How often each class of faults happened.
    pub(crate) faults: BTreeMap<String, u64>,
    /// Hits and firings of failpoints.
    pub(crate) sites: BTreeMap<String, (u64, u64)>,
    /// What did not hold.
    pub(crate) broken: Vec<String>,
}

/// Plants a known mistake in this process.
#[cfg(feature = "faults")]
pub(crate) fn plant(name: &str) -> Result<()> {
    let mut mutants = florin_failpoints::MUTANTS.iter();
    let Some(number) = mutants.position(|mutant| mutant.name == name) else {
        bail!("no mutant is called {name}");
    };
    florin_failpoints::plant(Some(number));
    Ok(())
}

/// Without the feature there are none.
#[cfg(not(feature = "faults"))]
pub(crate) fn plant(name: &str) -> Result<()> {
    bail!("{name} cannot be planted: this was built without the feature `faults`")
}

/// Runs a seed and tells what came of it.
pub(crate) fn run(seed: u64, arguments: &Arguments) -> Result<u8> {
    let trace = match &arguments.trace {
        Some(path) => Some(trace::begin(path, arguments.packets)?),
        None => None,
    };
    let most = Some(PROCESSOR_SECONDS);
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    setrlimit(Resource::Cpu, limit).context("cannot bound the run's time")?;
    let config = Arc::new(Config::of(seed));
    println!("{config}");
    let (of_run, record) = (Arc::clone(&config), Record::new());
    let recorded = record.clone();
    // A thread of its own has hashers of its own, which take their keys from the seed.
    let simulation = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || {
            let began = system::real_now();
            system::begin(of_run.seed);
            traps::begin();
            let ended = world::run(&of_run, &recorded);
            (ended, system::real_elapsed_since(began))
        });
    let joined = simulation.context("no thread for the simulation")?.join();
    let Ok((ended, real)) = joined else {
        bail!("the simulation itself failed");
    };
    if let Some(mut trace) = trace {
        trace.flush()?;
    }
    // Whoever finds a run that takes for ever knows by this whether it is the cluster or a checker.
    let simulated = ended.elapsed.as_millis();
    println!(
        "{simulated} ms were simulated in {} ms; judging",
        real.as_millis()
    );
    let history = history(&config, &record, arguments);
    if let Some(path) = &arguments.history {
        write(path, &history)?;
    }
    Ok(tell(&config, &record, &ended, real, &history))
}

fn history(config: &Config, record: &Record, arguments: &Arguments) -> History {
    let mut command = format!("florin-simulation --seed {}", config.seed);
    if let Some(mutant) = &arguments.mutant {
        command = format!("{command} --mutant {mutant}");
    }
    let mut history = record.history(&format!("simulation of seed {}", config.seed));
    history.run = Some(Run {
        scenario: "simulation".to_owned(),
        seed: config.seed,
        command,
        topology: config.to_string(),
        fabric: "simulated".to_owned(),
        ..Run::default()
    });
    for (site, (hits, fired)) in sites() {
        history.failpoints.push(Hits {
            node: "all".to_owned(),
            site,
            hits,
            fired,
        });
    }
    history
}

fn write(path: &Path, history: &History) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    lines::write(history, file)?;
    Ok(())
}

/// How often each failpoint was reached and did something.
fn sites() -> BTreeMap<String, (u64, u64)> {
    #[cfg(feature = "faults")]
    return florin_failpoints::SITES
        .iter()
        .enumerate()
        .map(|(number, site)| (site.name.to_owned(), florin_failpoints::count(number)))
        .collect();
    #[cfg(not(feature = "faults"))]
    BTreeMap::new()
}

fn tell(config: &Config, record: &Record, ended: &Ended, real: Duration, history: &History) -> u8 {
    let mut broken = record.all_broken();
    let verdicts = check::all(history);
    for verdict in &verdicts {
        println!("{verdict}");
        if verdict.failed() {
            broken.push(verdict.to_string());
        }
    }
    for what in &record.all_broken() {
        println!("BROKEN {what}");
    }
    // Faults come at random, overlap, and may stop everything for a while: none of them has a
    // bound of its own, and some see no payment. Enough is that something was acknowledged
    // while they went on.
    let of_scenarios = ["coverage", "recovery"];
    let judged: Vec<_> = verdicts
        .into_iter()
        .filter(|one| !of_scenarios.contains(&one.checker))
        .collect();
    let code = match verdict::exit_code(&judged) {
        _ if !broken.is_empty() => 1,
        0 if ended.acknowledged > 0 => 0,
        code => code.max(2),
    };
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let faults = ended.faults.iter();
    let summary = Summary {
        seed: config.seed,
        code,
        operations: history.operations.len() as u64,
        acknowledged: record.acknowledged(),
        during: ended.acknowledged,
        simulated_ms: millis(ended.elapsed),
        real_ms: millis(real),
        faults: faults
            .map(|(class, count)| (format!("{class:?}"), *count))
            .collect(),
        sites: sites(),
        broken,
    };
    println!(
        "seed {}: {} ({} operations, {} acknowledged, {} of them during faults, {} ms simulated in {} ms)",
        summary.seed,
        [
            "everything held",
            "SOMETHING DID NOT HOLD",
            "not enough was shown"
        ]
        .get(usize::from(code))
        .unwrap_or(&"?"),
        summary.operations,
        summary.acknowledged,
        summary.during,
        summary.simulated_ms,
        summary.real_ms,
    );
    if let Ok(line) = serde_json::to_string(&summary) {
        println!("{SUMMARY}{line}");
    }
    // If nobody reads it, nobody needs it.
    drop(std::io::stdout().flush());
    code
}
