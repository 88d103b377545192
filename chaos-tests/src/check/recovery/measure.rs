//! What clients noticed of each fault, group by group.

use crate::history::groups::Groups;
use crate::history::keys::Keys;
use crate::history::{Fault, History};
use std::collections::{BTreeMap, BTreeSet};

/// For how long before a fault, and after it was healed, acknowledgements are looked at,
/// microseconds.
const AROUND: u64 = 5_000_000;

/// What clients noticed of a fault in one group that it touches. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Which fault of the history.
    pub fault: usize,
    /// Which group.
    pub group: u64,
    /// When it was healed, as far as it is known; else when the load ended.
    pub healed: u64,
    /// Until when payments were asked for in this group; 0 if never.
    pub until: u64,
    /// From when it began to the answer of the first payment that was sent after that.
    pub recovered: Option<u64>,
    /// The same from when it was healed.
    pub recovered_after: Option<u64>,
    /// The longest time without an acknowledgement, from before it began to some time after it was
    /// healed; nothing if nothing was acknowledged.
    pub longest_gap: Option<u64>,
    /// The longest such time before it began; nothing if there was no load then.
    pub usual_gap: Option<u64>,
    /// The 99th percentile of the time from first sending to acknowledgement of what was first sent
    /// during it. What was never acknowledged took until the end.
    pub p99: Option<u64>,
    /// How often another leader was seen; nothing if nobody looked.
    pub leader_changes: Option<u64>,
}

/// What a group's clients were told, by time.
#[derive(Default)]
struct Told {
    /// The first acknowledgement of each key: when its sending began, and when it was answered;
    /// sorted by the answer. One that says that it is a replay may have been decided ever since
    /// the key was first sent, for a frontend repeats what its leader did not answer: it counts
    /// from there.
    fresh: Vec<(u64, u64)>,
    /// Payments: first sending, and how long it took.
    took: Vec<(u64, u64)>,
    /// When the last sending began.
    until: u64,
}

/// Measures every fault in every group that it touches.
pub fn measure(history: &History) -> Vec<Measured> {
    if history.faults.is_empty() {
        return Vec::new();
    }
    let groups = Groups::of(history);
    let all = groups.all(history);
    let told = told(history, &groups);
    let mut measured = Vec::new();
    for (number, fault) in history.faults.iter().enumerate() {
        let named: BTreeSet<u64> = fault.groups.iter().copied().collect();
        for group in if named.is_empty() { &all } else { &named } {
            let nothing = Told::default();
            let told = told.get(group).unwrap_or(&nothing);
            let changes = leader_changes(history, fault, *group);
            measured.push(one(number, fault, *group, told, changes));
        }
    }
    measured
}

fn told(history: &History, groups: &Groups<'_>) -> BTreeMap<u64, Told> {
    let mut all: BTreeMap<u64, Told> = BTreeMap::new();
    let end = history.operations.last().map_or(0, |one| one.returned);
    for one in history.operations.iter().filter(|one| one.key.is_some()) {
        let told = all.entry(groups.asked(one)).or_default();
        told.until = told.until.max(one.invoked);
    }
    for sendings in Keys::of(history).iter() {
        let Some((_, first)) = sendings.all().next() else {
            continue;
        };
        let invoked = sendings.invoked();
        let refused = sendings
            .decided()
            .filter(|_| sendings.acknowledged().is_none());
        if refused.is_none() {
            let told = all.entry(groups.asked(first)).or_default();
            let acknowledged = sendings.acknowledged();
            if let Some((_, one)) = acknowledged {
                let sent = if one.replayed { invoked } else { one.invoked };
                told.fresh.push((sent, one.returned));
            }
            let done = acknowledged.map_or(end, |(_, one)| one.returned);
            told.took.push((invoked, done.saturating_sub(invoked)));
        }
    }
    for told in all.values_mut() {
        told.fresh.sort_unstable_by_key(|(_, answered)| *answered);
    }
    all
}

fn one(
    number: usize,
    fault: &Fault,
    group: u64,
    told: &Told,
    leader_changes: Option<u64>,
) -> Measured {
    let until = told.until;
    let healed = fault.healed.or(fault.ended).unwrap_or(until);
    let first_sent_after = |from: u64| {
        let later = &told.fresh[told.fresh.partition_point(|(_, at)| *at < from)..];
        let sent_after = later.iter().find(|(sent, _)| *sent >= from);
        sent_after.map(|(_, at)| at - from)
    };
    let window = fault.began..=fault.ended.unwrap_or(until);
    let mut took: Vec<u64> = told
        .took
        .iter()
        .filter(|(sent, _)| window.contains(sent))
        .map(|(_, took)| *took)
        .collect();
    took.sort_unstable();
    let before = fault.began.saturating_sub(AROUND);
    let after = healed.saturating_add(AROUND).min(until);
    Measured {
        fault: number,
        group,
        healed,
        until,
        recovered: first_sent_after(fault.began),
        recovered_after: first_sent_after(healed),
        longest_gap: longest_gap(&told.fresh, fault.began, after),
        usual_gap: longest_gap(&told.fresh, before, fault.began),
        p99: took
            .get((took.len() * 99).div_ceil(100).saturating_sub(1))
            .copied(),
        leader_changes,
    }
}

/// The longest time between two acknowledgements of which the later is not before `from` and the
/// earlier is not after `to`; what is missing at the end counts up to `to`. Nothing if there is no
/// acknowledgement at all before `to`.
fn longest_gap(fresh: &[(u64, u64)], from: u64, to: u64) -> Option<u64> {
    let start = fresh.partition_point(|(_, at)| *at < from);
    let mut last = match start.checked_sub(1).and_then(|before| fresh.get(before)) {
        Some((_, at)) => *at,
        None => from,
    };
    let mut longest = 0;
    let mut seen = false;
    for (_, at) in &fresh[start..] {
        longest = longest.max(at.saturating_sub(last));
        last = *at;
        seen |= *at <= to;
        if *at > to {
            break;
        }
    }
    longest = longest.max(to.saturating_sub(last));
    (seen || start > 0).then_some(longest)
}

fn leader_changes(history: &History, fault: &Fault, group: u64) -> Option<u64> {
    let seen = history.leaders.iter().filter(|one| one.group == group);
    let seen = seen.filter_map(|one| Some((one.at, one.node.as_deref()?)));
    let end = fault.healed.or(fault.ended).unwrap_or(u64::MAX);
    let mut last = None;
    let (mut changes, mut looked) = (0, false);
    for (at, node) in seen.take_while(|(at, _)| *at <= end) {
        looked = true;
        if at >= fault.began && last.is_some_and(|last| last != node) {
            changes += 1;
        }
        last = Some(node);
    }
    looked.then_some(changes)
}
