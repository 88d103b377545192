//! The search for an order of one account's events.
//!
//! Changes commute, so the balance follows from which of them have been put in order: a set of
//! events is a whole state, and one that was seen before need not be looked at again.

use std::collections::HashSet;

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

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is an order.
    Order,
    /// There is none.
    None {
        /// The event that the longest order did not get beyond.
        stuck: usize,
    },
    /// Nobody knows.
    GaveUp,
}

/// What has been put in order.
#[derive(Clone)]
struct State {
    done: Vec<u64>,
    balance: i128,
    /// Every event before this one is done.
    first: usize,
    /// Events left that must have happened.
    left: usize,
}

/// Searches for an order of events, which are sorted by when they were invoked. `floored`: no
/// change may take the balance below zero.
pub(super) fn search(events: &[Event], floored: bool, states: usize) -> Found {
    let must = events.iter().filter(|one| one.returned.is_some()).count();
    let mut waiting = vec![State {
        done: vec![0; events.len().div_ceil(64)],
        balance: 0,
        first: 0,
        left: must,
    }];
    let mut seen: HashSet<Vec<u64>> = HashSet::new();
    let mut closest = (usize::MAX, 0);
    while let Some(mut state) = waiting.pop() {
        let candidates = state.settle(events);
        if state.left == 0 {
            return Found::Order;
        }
        if !seen.insert(state.done.clone()) {
            continue;
        }
        if seen.len() > states {
            return Found::GaveUp;
        }
        if state.left < closest.0 {
            closest = (state.left, state.most_urgent(events));
        }
        let mut next: Vec<(u64, State)> = candidates
            .into_iter()
            .filter_map(|at| {
                let by = events[at].returned.unwrap_or(u64::MAX);
                Some((by, state.with_change(events, at, floored)?))
            })
            .collect();
        // The stack gives back last what must have happened last, or perhaps never did.
        next.sort_by_key(|(by, _)| std::cmp::Reverse(*by));
        waiting.extend(next.into_iter().map(|(_, state)| state));
    }
    Found::None { stuck: closest.1 }
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

    fn with_change(&self, events: &[Event], at: usize, floored: bool) -> Option<State> {
        let What::Change(change) = events[at].what else {
            return None;
        };
        if floored && change < 0 && self.balance + change < 0 {
            return None;
        }
        let mut next = self.clone();
        next.balance += change;
        next.put(events, at);
        Some(next)
    }

    fn put(&mut self, events: &[Event], at: usize) {
        self.done[at / 64] |= 1 << (at % 64);
        self.left -= usize::from(events[at].returned.is_some());
        while self.first < events.len() && self.has(self.first) {
            self.first += 1;
        }
    }

    fn has(&self, at: usize) -> bool {
        self.done[at / 64] & (1 << (at % 64)) != 0
    }

    /// Of what is left, what was answered first.
    fn most_urgent(&self, events: &[Event]) -> usize {
        let left = (self.first..events.len()).filter(|at| !self.has(*at));
        left.min_by_key(|at| events[*at].returned.unwrap_or(u64::MAX))
            .unwrap_or(self.first)
    }
}
