//! The search for an order of one account's events in one window.
//!
//! Changes commute, so the balance follows from which of them have been put in order: a set of
//! events is a whole state, and one that was seen before need not be looked at again.
//!
//! What is unknown may happen at any time after it was asked, so in every order there is it can be
//! moved later until something stands behind it that would not be right without it: a balance that
//! was seen, or a change for which there would be too little. Only there is it put in order, so the
//! sets of the unknown that are looked at are those that an answer asks for, and not all there are.

use std::collections::{BTreeSet, HashMap, HashSet};

/// Ways in which a window may end that are compared with each other.
const COMPARED: usize = 1_000;

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

/// What was never answered.
pub(super) struct Unknown {
    events: Vec<Event>,
    /// The sets of them, a bit for each, by what they add up to.
    sets: HashMap<i128, Vec<u64>>,
}

impl Unknown {
    /// Takes few: all their sets are written down.
    pub(super) fn new(events: Vec<Event>) -> Unknown {
        let mut sets: HashMap<i128, Vec<u64>> = HashMap::new();
        for set in 0..1 << events.len() {
            let sum = members(&events, set).map(|(_, event)| change(event)).sum();
            sets.entry(sum).or_default().push(set);
        }
        Unknown { events, sets }
    }

    /// Those that were asked by then.
    fn asked_by(&self, by: u64) -> u64 {
        let bits = self.events.iter().enumerate();
        let asked = bits.filter(|(_, event)| event.invoked <= by);
        asked.fold(0, |set, (bit, _)| set | 1 << bit)
    }

    fn sum(&self, set: u64) -> i128 {
        members(&self.events, set)
            .map(|(_, event)| change(event))
            .sum()
    }
}

fn members(events: &[Event], set: u64) -> impl Iterator<Item = (usize, &Event)> {
    let bits = events.iter().enumerate();
    bits.filter(move |(bit, _)| set >> bit & 1 == 1)
}

/// How an account may stand when a window begins: the sum of what certainly happened, and each set
/// of unknown events, a bit for each, that must have happened as well.
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

    /// After a window that is not looked into: what was answered happened. What is unknown may have
    /// happened in it; that is no different from happening when the next one begins.
    pub(super) fn after_anything(&self, window: &[Event]) -> Start {
        Start {
            sum: self.sum + sum(window),
            unknown: self.unknown.clone(),
        }
    }
}

/// What the changes add up to.
fn sum(events: &[Event]) -> i128 {
    events.iter().map(change).sum()
}

fn change(event: &Event) -> i128 {
    match event.what {
        What::Change(change) => change,
        What::Read(_) | What::TooLittleFor(_) => 0,
    }
}

/// What has been put in order.
#[derive(Clone)]
struct State {
    done: Vec<u64>,
    /// The unknown that were put in order.
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
    unknown: &'a Unknown,
    floored: bool,
}

/// Searches for an order of a window's events, among which any of `unknown` may stand that were
/// asked early enough. `floored`: no change may take the balance below zero. Each state that is come
/// to is taken from `states`, also one that was seen before; when they run out the search gives up.
pub(super) fn search(
    events: &[Event],
    unknown: &Unknown,
    start: &Start,
    floored: bool,
    states: &mut usize,
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
    while let Some(mut state) = waiting.pop() {
        // After a window that was not looked into, the unknown must first make up for what is lacking.
        let lacking = floored && state.balance < 0;
        let candidates = if lacking {
            Vec::new()
        } else {
            state.settle(events)
        };
        if !seen.insert((state.done.clone(), state.unknown)) {
            continue;
        }
        if state.left == 0 {
            ends.insert(state.unknown);
            // What the window did not ask for can still be put in order after it.
            if start.unknown.is_subset(&ends) {
                break;
            }
            continue;
        }
        if state.left < closest.0 {
            closest = (state.left, state.most_urgent(events));
        }
        let next = search.next(&state, &candidates, lacking);
        let Some(fewer) = states.checked_sub(1 + next.len()) else {
            return Found::GaveUp;
        };
        *states = fewer;
        waiting.extend(next);
    }
    if ends.is_empty() {
        return Found::None { stuck: closest.1 };
    }
    Found::Order(Start {
        sum: start.sum + sum(events),
        unknown: least(&ends),
    })
}

/// Those sets that no other is a part of: whatever may follow the larger may follow the smaller. Too
/// many are left as they are, for each is compared with each.
fn least(sets: &BTreeSet<u64>) -> BTreeSet<u64> {
    if sets.len() > COMPARED {
        return sets.clone();
    }
    let has_part = |set: u64| sets.iter().any(|part| *part != set && part & !set == 0);
    sets.iter().copied().filter(|set| !has_part(*set)).collect()
}

impl Search<'_> {
    fn states(&self, start: &Start) -> Vec<State> {
        let sets = start.unknown.iter().map(|set| State {
            done: vec![0; self.events.len().div_ceil(64)],
            unknown: *set,
            balance: start.sum + self.unknown.sum(*set),
            first: 0,
            left: self.events.len(),
        });
        sets.collect()
    }

    /// What may follow; the last is to be tried first.
    fn next(&self, state: &State, candidates: &[usize], lacking: bool) -> Vec<State> {
        // An unknown one that was asked after something must have happened comes after it.
        let asked = self.unknown.asked_by(state.deadline(self.events)) & !state.unknown;
        let mut certain: Vec<(u64, State)> = Vec::new();
        let mut next = Vec::new();
        let (mut more, mut any) = (lacking, false);
        for at in candidates {
            let event = &self.events[*at];
            match event.what {
                What::Change(_) => match state.with_change(event.what, self.floored) {
                    Some(mut next) => {
                        next.put(self.events, *at);
                        certain.push((event.returned.unwrap_or(u64::MAX), next));
                    }
                    None => more = true,
                },
                What::Read(seen) => next.extend(self.explained(state, asked, seen)),
                What::TooLittleFor(amount) => any |= self.lowest(state, asked) < amount,
            }
        }
        next.extend(self.unknown_next(state, asked, more, any));
        certain.sort_by_key(|(by, _)| std::cmp::Reverse(*by));
        next.extend(certain.into_iter().map(|(_, state)| state));
        next
    }

    /// With each set of the unknown that explains a balance that was seen. Those that add to it come
    /// first, so nothing of it takes the balance below zero if that is not what was seen.
    fn explained(&self, state: &State, asked: u64, seen: i128) -> impl Iterator<Item = State> {
        let missing = seen - state.balance + self.unknown.sum(state.unknown);
        let sets = self.unknown.sets.get(&missing).into_iter().flatten();
        let fits = move |set: &&u64| {
            (**set & state.unknown) == state.unknown && **set & !(state.unknown | asked) == 0
        };
        let possible = seen >= 0 || !self.floored;
        sets.filter(fits)
            .filter(move |_| possible)
            .map(move |set| State {
                unknown: *set,
                balance: seen,
                ..state.clone()
            })
    }

    /// The lowest that the balance could be after any of these.
    fn lowest(&self, state: &State, asked: u64) -> i128 {
        let changes = members(&self.unknown.events, asked).map(|(_, event)| change(event));
        state.balance + changes.filter(|change| *change < 0).sum::<i128>()
    }

    /// With one more of the unknown: one that adds something if there is too little, or any.
    fn unknown_next(&self, state: &State, asked: u64, more: bool, any: bool) -> Vec<State> {
        let wanted = |event: &Event| any || (more && change(event) > 0);
        let asked = members(&self.unknown.events, asked).filter(|(_, event)| wanted(event));
        let with = asked.filter_map(|(bit, event)| {
            let mut next = state.with_change(event.what, self.floored)?;
            next.unknown |= 1 << bit;
            Some(next)
        });
        with.collect()
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
