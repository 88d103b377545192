//! A line for each run.

use crate::check::recovery::measure;
use crate::history::History;
use crate::run::Outcome;
use crate::verdict::Verdict;
use anyhow::Result;
use std::io::Write;

/// One run of many.
pub(super) struct Row {
    pub(super) scenario: String,
    pub(super) seed: u64,
    pub(super) code: u8,
    /// The worst of what clients waited for, and the first checker that is not content.
    pub(super) said: String,
}

impl Row {
    pub(super) fn of(scenario: &str, seed: u64, ran: &Result<Outcome>) -> Row {
        let (code, said) = match ran {
            Ok(outcome) => (outcome.code, summary(outcome)),
            Err(error) => (2, format!("{error:#}")),
        };
        let scenario = scenario.to_owned();
        Row {
            scenario,
            seed,
            code,
            said,
        }
    }

    pub(super) fn print(&self, to: &mut impl Write) -> Result<()> {
        let word = word(self.code);
        let (scenario, seed, said) = (&self.scenario, self.seed, &self.said);
        writeln!(to, "{word:<13} {scenario:<28} seed {seed:<6} {said}")?;
        Ok(())
    }
}

/// What an exit code means.
pub(super) fn word(code: u8) -> &'static str {
    match code {
        0 => "pass",
        1 => "FAIL",
        _ => "inconclusive",
    }
}

fn summary(outcome: &Outcome) -> String {
    let waited = waited(&outcome.history);
    let first = |wanted: fn(&Verdict) -> bool| outcome.verdicts.iter().find(|one| wanted(one));
    let bad = first(Verdict::failed).or_else(|| first(|verdict| !verdict.passed()));
    match bad {
        Some(verdict) => format!("{waited}; {verdict}"),
        None => waited,
    }
}

/// The longest recovery and the longest gap, over all faults and groups.
fn waited(history: &History) -> String {
    let measured = measure(history);
    let ms = |time: Option<u64>| time.map_or_else(|| "-".into(), |us| (us / 1_000).to_string());
    let recovered = measured.iter().filter_map(|one| one.recovered).max();
    let gap = measured.iter().filter_map(|one| one.longest_gap).max();
    let (faults, operations) = (history.faults.len(), history.operations.len());
    let (recovered, gap) = (ms(recovered), ms(gap));
    format!("{faults} faults, {operations} operations, recovered {recovered} ms, gap {gap} ms")
}
