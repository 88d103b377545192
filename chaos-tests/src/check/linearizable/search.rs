//! The search for an order of one account's events in one window.
//!
//! Changes commute, so the balance follows from which of them have been put in order: a set of
//! events is a whole state, and one that was seen before need not be looked at again.

use std::collections::{BTreeSet, HashSet};

/// Something that was done to an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// The operation that it is; nothing for the final books.
    pub(super) number: Option<usize>,
    /// It cannot have happened before.
    pub(super) invoked: u64,
    /// It must have happened by then; nothing if it need not have happened at all.
    pub(super) returned: Option<u64>,
    /// What it was.
    pub(super) what: What,
}

/// What was done.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The balance changed by this.
    Change(i128),
    /// The balance was seen.
    Read(i128),
    /// The balance was less than this.
    TooLittleFor(i128),
}

/// How an account may stand when a window begins: the sum of what certainly happened, and each set
/// of unknown events, a bit for each, that may have happened as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    sum: i128,
    unknown: BTreeSet<u64>,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is an order; how the account may stand after it.
    Order(Start),
    /// There is none.
    None {
        /// The operation that the longest order did not get beyond; nothing: the final books.
        stuck: Option<usize>,
    },
    /// Nobody knows.
    GaveUp,
}

impl Start {
    /// Empty, with nothing unknown done.
    pub(super) fn beginning() -> Start {
        Start {
            sum: 0,
            unknown: BTreeSet::from([0]),
        }
    }

    /// After a window that is not looked into: what was answered happened, and of the unknown
    /// whatever was asked by then.
    pub(super) fn after_anything(&self, window: &[Event], unknown: &[Event]) -> Start {
        let end = window.iter().filter_map(|one| one.returned).max();
        let end = end.unwrap_or_default();
        let mut sets = self.unknown.clone();
        for (bit, event) in unknown.iter().enumerate() {
            if event.invoked <= end {
                let with: Vec<u64> = sets.iter().map(|set| set | 1 << bit).collect();
                sets.extend(with);
            }
        }
        Start {
            sum: self.sum + sum(window),
            unknown: sets,
        }
    }
}

/// What the changes add up to.
fn sum(events: &[Event]) -> i128 {
    let changes = events.iter().map(|event| match event.what {
        What::Change(change) => change,
        What::Read(_) | What::TooLittleFor(_) => 0,
    });
    changes.sum()
}

/// What has been put in order.
#[derive(Clone)]
struct State {
    done: Vec<u64>,
    /// The unknown that happened.
    unknown: u64,
    balance: i128,
    /// Every event before this one is done.
    first: usize,
    /// Events left that must have happened.
    left: usize,
}

/// A search in progress.
struct Search<'a> {
    /// Sorted by when they were invoked; all of them were answered.
    events: &'a [Event],
    unknown: &'a [Event],
    floored: bool,
}

/// Searches for an order of a window's events, among which any of `unknown` may stand that were
/// asked early enough. `floored`: no change may take the balance below zero.
pub(super) fn search(
    events: &[Event],
    unknown: &[Event],
    start: &Start,
    floored: bool,
    states: usize,
) -> Found {
    let search = Search {
        events,
        unknown,
        floored,
    };
    let mut waiting = search.states(start);
    let mut seen: HashSet<(Vec<u64>, u64)> = HashSet::new();
    let mut closest = (usize::MAX, None);
    let mut ends = BTreeSet::new();
    let possible = start.after_anything(events, unknown).unknown.len();
    while let Some(mut state) = waiting.pop() {
        let candidates = state.settle(events);
        if !seen.insert((state.done.clone(), state.unknown)) {
            continue;
        }
        if seen.len() > states {
            return Found::GaveUp;
        }
        if state.left == 0 {
            ends.insert(state.unknown);
            // Every way to go on matters if something is unknown; else there is just this one.
            if ends.len() == possible {
                break;
            }
        } else if state.left < closest.0 {
            closest = (state.left, state.most_urgent(events));
        }
        waiting.extend(search.next(&state, candidates));
    }
    if ends.is_empty() {
        return Found::None { stuck: closest.1 };
    }
    Found::Order(Start {
        sum: start.sum + sum(events),
        unknown: ends,
    })
}

impl Search<'_> {
    fn states(&self, start: &Start) -> Vec<State> {
        let sets = start.unknown.iter().map(|set| {
            let bits = self.unknown.iter().enumerate();
            let done = bits.filter(|(bit, _)| set >> bit & 1 == 1);
            let extra: i128 = done.map(|(_, one)| sum(std::slice::from_ref(one))).sum();
            State {
                done: vec![0; self.events.len().div_ceil(64)],
                unknown: *set,
                balance: start.sum + extra,
                first: 0,
                left: self.events.len(),
            }
        });
        sets.collect()
    }

    /// What may follow; the last is to be tried first.
    fn next(&self, state: &State, candidates: Vec<usize>) -> Vec<State> {
        // An unknown one that was asked after something must have happened comes after it.
        let by = state.deadline(self.events);
        let bits = self.unknown.iter().enumerate();
        let possible = bits.filter(|(bit, one)| state.unknown >> bit & 1 == 0 && one.invoked <= by);
        let unknown = possible.filter_map(|(bit, one)| {
            let mut next = state.with_change(one.what, self.floored)?;
            next.unknown |= 1 << bit;
            Some(next)
        });
        let mut next: Vec<State> = unknown.collect();
        let mut certain: Vec<(u64, State)> = candidates
            .into_iter()
            .filter_map(|at| {
                let event = &self.events[at];
                let mut next = state.with_change(event.what, self.floored)?;
                next.put(self.events, at);
                Some((event.returned.unwrap_or(u64::MAX), next))
            })
            .collect();
        certain.sort_by_key(|(by, _)| std::cmp::Reverse(*by));
        next.extend(certain.into_iter().map(|(_, state)| state));
        next
    }
}

impl State {
    /// Puts in order whatever fits and changes nothing: sooner is never worse for it. Answers what
    /// else might come next.
    fn settle(&mut self, events: &[Event]) -> Vec<usize> {
        loop {
            let candidates = self.candidates(events);
            let mut settled = false;
            for at in &candidates {
                let fits = match events[*at].what {
                    What::Read(seen) => seen == self.balance,
                    What::TooLittleFor(amount) => self.balance < amount,
                    What::Change(_) => false,
                };
                if fits {
                    self.put(events, *at);
                    settled = true;
                }
            }
            if !settled {
                return candidates;
            }
        }
    }

    /// What may come next: everything that was invoked before anything that is left had returned.
    fn candidates(&self, events: &[Event]) -> Vec<usize> {
        let mut candidates = Vec::new();
        let mut by = u64::MAX;
        for (at, event) in events.iter().enumerate().skip(self.first) {
            // Sorted by invocation: what follows was invoked later still.
            if event.invoked > by {
                break;
            }
            if !self.has(at) {
                candidates.push(at);
                by = by.min(event.returned.unwrap_or(u64::MAX));
            }
        }
        candidates
    }

    /// When the first that is left must have happened; the window's end if nothing is left.
    fn deadline(&self, events: &[Event]) -> u64 {
        let left = (self.first..events.len()).filter(|at| !self.has(*at));
        let first = left.filter_map(|at| events[at].returned).min();
        let end = || events.iter().filter_map(|one| one.returned).max();
        first.or_else(end).unwrap_or(u64::MAX)
    }

    fn with_change(&self, what: What, floored: bool) -> Option<State> {
        let What::Change(change) = what else {
            return None;
        };
        if floored && change < 0 && self.balance + change < 0 {
            return None;
        }
        let mut next = self.clone();
        next.balance += change;
        Some(next)
    }

    fn put(&mut self, events: &[Event], at: usize) {
        self.done[at / 64] |= 1 << (at % 64);
        self.left -= 1;
        while self.first < events.len() && self.has(self.first) {
            self.first += 1;
        }
    }

    fn has(&self, at: usize) -> bool {
        self.done[at / 64] & (1 << (at % 64)) != 0
    }

    /// Of what is left, what was answered first.
    fn most_urgent(&self, events: &[Event]) -> Option<usize> {
        let left = (self.first..events.len()).filter(|at| !self.has(*at));
        let urgent = left.min_by_key(|at| events[*at].returned.unwrap_or(u64::MAX));
        events.get(urgent?)?.number
    }
}
