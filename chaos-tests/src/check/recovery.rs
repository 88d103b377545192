//! *recovery*: clients noticed no more of a fault than its bound allows.
//!
//! Time to recover is from the fault to the next acknowledged payment of a group that it touches.
//! Only a payment whose sending began after the fault counts, and no replay: what was on its way
//! before it, or had been decided before it, does not show that the group works again.

mod measure;

use crate::history::{Bound, Fault, History};
use crate::verdict::{Finding, Verdict, Wrongs};
pub use measure::{Measured, measure};

/// Holds every fault against its bound.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("recovery");
    let (mut lack, mut bounded, mut slowest) = (None, 0, None);
    for measured in &measure(history) {
        let fault = &history.faults[measured.fault];
        let Some(bound) = fault.bound else { continue };
        for found in hold(fault, measured, &bound) {
            bounded += 1;
            match found {
                Held::Yes { took, bound } => slowest = slowest.max(Some((took, bound))),
                Held::No(why) => wrongs.books(why),
                Held::NotKnown(why) => lack = lack.or(Some(why)),
            }
        }
    }
    let otherwise = match (lack, bounded) {
        (Some(lack), _) => Finding::Inconclusive(lack),
        (None, 0) => Finding::Inconclusive("no fault has a bound".into()),
        (None, count) => Finding::Pass(match slowest {
            Some((took, bound)) => {
                format!("{count} bounds hold, the slowest recovery {took} ms of {bound} ms")
            }
            None => format!("{count} bounds hold"),
        }),
    };
    wrongs.or(history, otherwise)
}

/// What a bound says of what was measured.
enum Held {
    /// It took so many milliseconds of those that it may; 0 of 0 for what is no time.
    Yes {
        took: u64,
        bound: u64,
    },
    No(String),
    NotKnown(String),
}

fn hold(fault: &Fault, measured: &Measured, bound: &Bound) -> Vec<Held> {
    let name = format!("{}, group {}", fault.what, measured.group);
    let mut all = Vec::new();
    let recovered = [
        (
            bound.recover_ms,
            fault.began,
            measured.recovered,
            "it began",
        ),
        (
            bound.recover_after_ms,
            measured.healed,
            measured.recovered_after,
            "it was healed",
        ),
    ];
    for (allowed, from, took, since) in recovered {
        let Some(allowed) = allowed else { continue };
        all.push(within(
            &name,
            since,
            allowed,
            took,
            measured.until.saturating_sub(from),
        ));
    }
    if let Some(allowed) = bound.gap_ms {
        all.push(gap(&name, allowed, measured));
    }
    if let Some(trips) = bound.p99_round_trips {
        all.push(round_trips(&name, trips, bound.round_trip_ms, measured));
    }
    if let Some(allowed) = bound.leader_changes {
        all.push(match measured.leader_changes {
            None => Held::NotKnown(format!("{name}: nobody looked who leads")),
            Some(changes) if changes > allowed => Held::No(format!(
                "{name}: the leader changed {changes} times, {allowed} are allowed"
            )),
            Some(_) => Held::Yes { took: 0, bound: 0 },
        });
    }
    all
}

/// `watched`: for how long payments were asked for after it, microseconds.
fn within(name: &str, since: &str, allowed: u64, took: Option<u64>, watched: u64) -> Held {
    match took.map(millis) {
        Some(took) if took <= allowed => Held::Yes {
            took,
            bound: allowed,
        },
        Some(took) => Held::No(format!(
            "{name}: a payment was acknowledged {took} ms after {since}, {allowed} ms are allowed"
        )),
        None if millis(watched) >= allowed => Held::No(format!(
            "{name}: no payment was acknowledged for {} ms after {since}, {allowed} ms are allowed",
            millis(watched)
        )),
        None => Held::NotKnown(format!(
            "{name}: too few payments were asked for after {since}"
        )),
    }
}

fn gap(name: &str, allowed: u64, measured: &Measured) -> Held {
    let Some(gap) = measured.longest_gap.map(millis) else {
        return Held::NotKnown(format!(
            "{name}: nothing was acknowledged before or after it"
        ));
    };
    if gap <= allowed {
        return Held::Yes {
            took: gap,
            bound: allowed,
        };
    }
    // A load that pauses for as long by itself shows nothing.
    match measured.usual_gap.map(millis) {
        Some(usual) if usual < allowed => Held::No(format!(
            "{name}: {gap} ms without an acknowledged payment, {allowed} ms are allowed"
        )),
        Some(usual) => Held::NotKnown(format!(
            "{name}: the load is too thin, it paused for {usual} ms before the fault"
        )),
        None => Held::NotKnown(format!("{name}: there was no load before the fault")),
    }
}

fn round_trips(name: &str, allowed: u64, trip: Option<u64>, measured: &Measured) -> Held {
    let Some(trip) = trip.filter(|trip| *trip > 0) else {
        return Held::NotKnown(format!("{name}: nothing says how long a round trip takes"));
    };
    match measured.p99.map(millis) {
        None => Held::NotKnown(format!("{name}: no payment was asked for during it")),
        Some(p99) if p99 <= allowed * trip => Held::Yes {
            took: p99,
            bound: allowed * trip,
        },
        Some(p99) => Held::No(format!(
            "{name}: the 99th percentile of payments is {p99} ms, {:.1} round trips of {trip} ms; \
             {allowed} are allowed",
            p99 as f64 / trip as f64
        )),
    }
}

/// Rounded up: a bound is not passed by a part of a millisecond.
fn millis(micros: u64) -> u64 {
    micros.div_ceil(1_000)
}
