//! A run in figures: what `report.json` holds, and what the page and the index are made of.

use super::series::{Paid, span};
use crate::check::recovery::{Measured, measure};
use crate::history::{Bound, History, Run};
use crate::verdict::{Finding, Verdict, exit_code};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A run in figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// What ran, for people.
    pub about: String,
    /// How it can be run again.
    pub run: Option<Run>,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// How long it was asked for something, seconds.
    pub seconds: f64,
    /// Requests that were sent.
    pub operations: usize,
    /// Payments and transfers that were acknowledged, each counted once.
    pub acknowledged: usize,
    /// From first sending to acknowledgement.
    pub latency: Percentiles,
    /// Every fault, in the order of the history.
    pub faults: Vec<FaultFacts>,
    /// Every checker's word.
    pub checkers: Vec<CheckerFacts>,
    /// Each failpoint that a process reached, over all nodes.
    pub failpoints: BTreeMap<String, FailpointFacts>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many there are.
    pub count: usize,
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// A fault and what clients noticed of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaultFacts {
    /// What was done to whom.
    pub what: String,
    /// Its kind.
    pub class: String,
    /// When it was certainly in effect, milliseconds since the run began.
    pub began_ms: f64,
    /// For how long, milliseconds.
    pub lasted_ms: Option<f64>,
    /// How it was seen to be in effect.
    pub evidence: Option<String>,
    /// What clients may notice at most.
    pub bound: Option<Bound>,
    /// What they noticed, in each group that it touches.
    pub groups: Vec<GroupFacts>,
}

/// What clients of one group noticed of a fault. Times in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupFacts {
    /// Which group.
    pub group: u64,
    /// From when it began to the next acknowledged payment.
    pub recovered_ms: Option<f64>,
    /// From when it was healed to the next acknowledged payment.
    pub recovered_after_ms: Option<f64>,
    /// The longest time without an acknowledgement.
    pub longest_gap_ms: Option<f64>,
    /// The 99th percentile of what was sent during it.
    pub p99_ms: Option<f64>,
    /// How often another leader was seen.
    pub leader_changes: Option<u64>,
}

/// A checker's word.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckerFacts {
    /// The checker.
    pub name: String,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// What it looked at, what it lacks or what is wrong.
    pub found: String,
    /// The first bad operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<usize>,
    /// How much else is wrong.
    pub more: usize,
}

/// How often a failpoint was reached, over all nodes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct FailpointFacts {
    /// How often its line was reached.
    pub hits: u64,
    /// How often it did what it was armed with.
    pub fired: u64,
}

/// Gathers the figures.
pub(super) fn facts(history: &History, verdicts: &[Verdict], paid: &[Paid]) -> Facts {
    let (from, to) = span(history, paid);
    let took = paid.iter().filter_map(|one| one.took);
    Facts {
        about: history.about.clone(),
        run: history.run.clone(),
        verdict: word(exit_code(verdicts)).into(),
        seconds: to.saturating_sub(from) as f64 / 1e6,
        operations: history.operations.len(),
        acknowledged: paid.iter().filter(|one| one.took.is_some()).count(),
        latency: percentiles(took.map(millis).collect()),
        faults: faults(history),
        checkers: verdicts.iter().map(checker).collect(),
        failpoints: failpoints(history),
    }
}

/// What an exit code says.
fn word(code: u8) -> &'static str {
    match code {
        0 => "pass",
        1 => "fail",
        _ => "inconclusive",
    }
}

/// Median, 99th percentile and maximum; each is a value that is there.
pub(super) fn percentiles(mut all: Vec<f64>) -> Percentiles {
    all.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| {
        let rank = (all.len() * percent).div_ceil(100).saturating_sub(1);
        all.get(rank).copied().unwrap_or_default()
    };
    Percentiles {
        count: all.len(),
        p50_ms: at(50),
        p99_ms: at(99),
        max_ms: at(100),
    }
}

impl Facts {
    /// Times to recover of the faults that have a bound for it: of each fault, the slowest group.
    pub(super) fn recoveries(&self) -> Vec<f64> {
        let slowest = self.faults.iter().filter_map(FaultFacts::recovered_ms);
        slowest.collect()
    }
}

impl FaultFacts {
    /// How long the slowest group took, from when its bound counts; nothing if there is no bound,
    /// or if a group did not recover.
    pub(super) fn recovered_ms(&self) -> Option<f64> {
        let bound = self.bound?;
        let took = |group: &GroupFacts| match (bound.recover_ms, bound.recover_after_ms) {
            (Some(_), _) => group.recovered_ms,
            (None, Some(_)) => group.recovered_after_ms,
            (None, None) => None,
        };
        let all: Option<Vec<f64>> = self.groups.iter().map(took).collect();
        all?.into_iter().max_by(f64::total_cmp)
    }
}

fn faults(history: &History) -> Vec<FaultFacts> {
    let mut groups: Vec<Vec<GroupFacts>> = vec![Vec::new(); history.faults.len()];
    for measured in measure(history) {
        groups[measured.fault].push(group(&measured));
    }
    let all = history.faults.iter().zip(groups);
    all.map(|(fault, groups)| {
        let ended = fault.healed.or(fault.ended);
        FaultFacts {
            what: fault.what.clone(),
            class: fault.class.clone(),
            began_ms: millis(fault.began),
            lasted_ms: ended.map(|at| millis(at.saturating_sub(fault.began))),
            evidence: fault.evidence.clone(),
            bound: fault.bound,
            groups,
        }
    })
    .collect()
}

fn group(measured: &Measured) -> GroupFacts {
    GroupFacts {
        group: measured.group,
        recovered_ms: measured.recovered.map(millis),
        recovered_after_ms: measured.recovered_after.map(millis),
        longest_gap_ms: measured.longest_gap.map(millis),
        p99_ms: measured.p99.map(millis),
        leader_changes: measured.leader_changes,
    }
}

fn checker(verdict: &Verdict) -> CheckerFacts {
    let (found, operation, more) = match &verdict.finding {
        Finding::Pass(found) | Finding::Inconclusive(found) => (found, None, 0),
        Finding::Fail {
            operation,
            why,
            more,
        } => (why, *operation, *more),
    };
    CheckerFacts {
        name: verdict.checker.into(),
        verdict: verdict.word().into(),
        found: found.clone(),
        operation,
        more,
    }
}

fn failpoints(history: &History) -> BTreeMap<String, FailpointFacts> {
    let mut sites: BTreeMap<String, FailpointFacts> = BTreeMap::new();
    for one in &history.failpoints {
        let site = sites.entry(one.site.clone()).or_default();
        site.hits += one.hits;
        site.fired += one.fired;
    }
    sites
}

/// The groups that were asked, or touched by a fault, or seen to be led.
pub(super) fn groups(history: &History) -> BTreeSet<u64> {
    let led = history.leaders.iter().map(|one| one.group);
    let asked = history.operations.iter().filter_map(|one| one.group);
    let touched = history
        .faults
        .iter()
        .flat_map(|one| one.groups.iter().copied());
    led.chain(asked).chain(touched).collect()
}

pub(super) fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}
