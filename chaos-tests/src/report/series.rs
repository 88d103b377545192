//! What is drawn over time: the run cut into slices.

use crate::history::keys::Keys;
use crate::history::{Answer, History};

/// A payment or transfer as its client saw it: when it was first sent, and how long it took until
/// it was acknowledged, if it was. Microseconds.
pub(super) struct Paid {
    pub(super) sent: u64,
    pub(super) took: Option<u64>,
}

/// One slice of the run.
#[derive(Clone, Default)]
pub(super) struct Slice {
    /// How long payments took that were sent in it, milliseconds: median, 99th percentile, longest.
    pub(super) latency: Option<(f64, f64, f64)>,
    /// Keys that were acknowledged in it for the first time.
    pub(super) acknowledged: usize,
    /// Sendings in it that were answered "surely not" or not at all.
    pub(super) failed: usize,
}

/// Every payment that was sent, in the order of first sending. Refused ones are left out: they were
/// answered, but nobody waits for them.
pub(super) fn paid(history: &History) -> Vec<Paid> {
    let keys = Keys::of(history);
    let mut paid: Vec<Paid> = keys
        .iter()
        .filter_map(|sendings| {
            let told = sendings.acknowledged();
            if told.is_none() && sendings.decided().is_some() {
                return None;
            }
            let sent = sendings.invoked();
            let took = told.map(|(_, one)| one.returned.saturating_sub(sent));
            Some(Paid { sent, took })
        })
        .collect();
    paid.sort_by_key(|one| one.sent);
    paid
}

/// When the first request was sent, and when the last fresh payment was answered: what is sent
/// again after everything is no part of the run. No fault is cut off.
pub(super) fn span(history: &History, paid: &[Paid]) -> (u64, u64) {
    let from = history.operations.iter().map(|one| one.invoked).min();
    let to = paid
        .iter()
        .map(|one| one.sent + one.took.unwrap_or_default())
        .max();
    let faults = history
        .faults
        .iter()
        .flat_map(|one| [Some(one.began), one.healed]);
    let to = faults.flatten().chain(to).max();
    (from.unwrap_or_default(), to.unwrap_or_default())
}

/// The run in so many slices.
pub(super) fn slices(history: &History, paid: &[Paid], count: usize) -> Vec<Slice> {
    let (from, to) = span(history, paid);
    let length = (to.saturating_sub(from)).max(1) as f64;
    let at = |time: u64| {
        let part = time.saturating_sub(from) as f64 / length * count as f64;
        (part as usize).min(count.saturating_sub(1))
    };
    let mut slices = vec![Slice::default(); count];
    let mut took: Vec<Vec<u64>> = vec![Vec::new(); count];
    for one in paid {
        if let Some(time) = one.took {
            took[at(one.sent)].push(time);
            slices[at(one.sent + time)].acknowledged += 1;
        }
    }
    let failed = |answer: &Answer| matches!(answer, Answer::SurelyNot | Answer::Unknown);
    for one in history.operations.iter().filter(|one| failed(&one.answer)) {
        slices[at(one.returned)].failed += 1;
    }
    for (slice, mut took) in slices.iter_mut().zip(took) {
        took.sort_unstable();
        let of = |percent: usize| {
            let rank = (took.len() * percent).div_ceil(100).saturating_sub(1);
            took.get(rank).map(|micros| *micros as f64 / 1e3)
        };
        slice.latency = of(50)
            .zip(of(99))
            .zip(of(100))
            .map(|((p50, p99), max)| (p50, p99, max));
    }
    slices
}
