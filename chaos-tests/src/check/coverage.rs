//! *coverage*: faults were seen to be in effect, and payments were asked for and acknowledged while
//! each of them was, unless it leaves no quorum. A run without that proves nothing: it is
//! inconclusive, never good.

use crate::history::groups::Groups;
use crate::history::keys::Keys;
use crate::history::{Bound, Fault, History};
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::BTreeSet;

/// A payment's group, when it was sent first, and when it was acknowledged first, if it was.
struct Paid {
    group: u64,
    invoked: u64,
    acknowledged: Option<u64>,
}

/// Counts what was acknowledged during each fault.
pub fn check(history: &History) -> Verdict {
    let groups = Groups::of(history);
    let paid: Vec<Paid> = Keys::of(history)
        .iter()
        .filter_map(|sendings| {
            Some(Paid {
                group: groups.asked(sendings.all().next()?.1),
                invoked: sendings.invoked(),
                acknowledged: sendings.acknowledged().map(|(_, one)| one.returned),
            })
        })
        .collect();
    let all = groups.all(history);
    let mut least = usize::MAX;
    let mut lack = history
        .faults
        .is_empty()
        .then(|| "no fault was injected".to_owned());
    for fault in &history.faults {
        match covered(fault, &paid, &all) {
            Ok(count) => least = least.min(count),
            Err(what) => lack = lack.or(Some(what)),
        }
    }
    let finding = match lack {
        Some(lack) => Finding::Inconclusive(lack),
        None => {
            let faults = history.faults.len();
            Finding::Pass(format!("{faults} faults, {least} payments or more in each"))
        }
    };
    Wrongs::new("coverage").or(history, finding)
}

/// How many payments it is covered by, or what it lacks.
fn covered(fault: &Fault, paid: &[Paid], all: &BTreeSet<u64>) -> Result<usize, String> {
    let what = &fault.what;
    if fault.evidence.is_none() {
        return Err(format!("{what} was not seen to be in effect"));
    }
    let ended = end(fault);
    let touched: BTreeSet<u64> = match fault.groups.is_empty() {
        true => all.clone(),
        false => fault.groups.iter().copied().collect(),
    };
    // A payment is sent and answered within the fault: a replay of what was decided before says
    // nothing about it. Where there is no quorum, it is enough that payments were sent.
    let within = |one: &&Paid| {
        let sent = touched.contains(&one.group) && (fault.began..=ended).contains(&one.invoked);
        sent && (fault.quorum_lost || one.acknowledged.is_some_and(|at| at <= ended))
    };
    let count = paid.iter().filter(within).count();
    match (count, fault.quorum_lost) {
        (0, true) => Err(format!("no payment was sent during {what}")),
        (0, false) => Err(format!("no payment was acknowledged during {what}")),
        (count, _) => Ok(count),
    }
}

/// Its end; not before the time that it allows for recovery, for some faults are over at once.
fn end(fault: &Fault) -> u64 {
    let ended = fault.ended.or(fault.healed).unwrap_or(u64::MAX);
    let allowed = fault.bound.and_then(|bound: Bound| bound.recover_ms);
    let allowed = allowed.map_or(0, |allowed| allowed.saturating_mul(1_000));
    ended.max(fault.began.saturating_add(allowed))
}
