//! What was answered before another began comes before it.

use super::{Made, Outcome};
use crate::history::{Answer, History, Request};
use crate::verdict::Wrongs;
use std::collections::HashMap;

/// Something with a time and a place in one order.
struct Placed {
    number: usize,
    invoked: u64,
    returned: u64,
    place: u128,
}

/// Decisions of each group: in the order of its journal. `made` is sorted by it.
pub(super) fn decisions(made: &[Made<'_>], wrongs: &mut Wrongs) {
    for group in made.chunk_by(|one, other| one.group == other.group) {
        let placed = group.iter().map(|one| Placed {
            number: one.number,
            invoked: one.invoked,
            returned: one.returned,
            place: u128::from(one.at.time) << 16 | u128::from(one.at.ordinal),
        });
        ordered(placed.collect(), "it was decided before", wrongs);
    }
}

/// All fresh answers of each group: an answer reflects at least what was answered before it began.
/// A replay may be answered by whoever remembers it.
pub(super) fn tokens(history: &History, wrongs: &mut Wrongs) {
    let mut groups: HashMap<u64, Vec<Placed>> = HashMap::new();
    for (number, one) in history.operations.iter().enumerate() {
        if let (Some(group), Some(token), false) = (one.group, one.token, one.replayed) {
            groups.entry(group).or_default().push(Placed {
                number,
                invoked: one.invoked,
                returned: one.returned,
                place: token.into(),
            });
        }
    }
    for placed in groups.into_values() {
        ordered(placed, "its log had come further for", wrongs);
    }
}

/// Entries and reads of each account. A read at entry 7 stands behind it and before entry 8.
pub(super) fn accounts(history: &History, made: &[Made<'_>], wrongs: &mut Wrongs) {
    let mut accounts: HashMap<&str, Vec<Placed>> = HashMap::new();
    for one in made.iter().filter(|one| one.outcome == Outcome::Happened) {
        for id in [one.moves.debit, one.moves.credit] {
            let entries = accounts.entry(id).or_default();
            let entry = entries.len() as u128 + 1;
            entries.push(Placed {
                number: one.number,
                invoked: one.invoked,
                returned: one.returned,
                place: 2 * entry,
            });
        }
    }
    for (number, one) in history.operations.iter().enumerate() {
        if let (Request::Balance { account }, Answer::Balance { sequence, .. }) =
            (&one.request, &one.answer)
        {
            accounts.entry(account).or_default().push(Placed {
                number,
                invoked: one.invoked,
                returned: one.returned,
                place: 2 * u128::from(*sequence) + 1,
            });
        }
    }
    for placed in accounts.into_values() {
        ordered(placed, "the account had come further for", wrongs);
    }
}

/// Nothing may stand before what had been answered when it began.
fn ordered(mut all: Vec<Placed>, why: &str, wrongs: &mut Wrongs) {
    let mut answered: Vec<(u64, u128, usize)> = all
        .iter()
        .map(|one| (one.returned, one.place, one.number))
        .collect();
    answered.sort_unstable();
    all.sort_unstable_by_key(|one| one.invoked);
    let mut answered = answered.into_iter().peekable();
    let mut highest: Option<(u128, usize)> = None;
    for one in all {
        while let Some((_, place, number)) = answered.next_if(|(at, ..)| *at < one.invoked) {
            highest = highest.max(Some((place, number)));
        }
        if let Some((_, other)) = highest.filter(|(place, _)| *place > one.place) {
            let why = format!("{why} operation {other}, which was answered before it began");
            wrongs.operation(one.number, why);
        }
    }
}
