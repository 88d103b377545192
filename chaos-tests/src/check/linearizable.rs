//! *linearizable*: for every account there is an order of what was done to it that explains every
//! answer, in which nothing comes before what had been answered when it was asked.
//!
//! A search in the manner of Wing and Gong (Testing and verifying concurrent objects, 1993), with
//! the memory of Lowe (Testing for linearizability, 2017), for each account that was read. It
//! looks at clients' clocks and answers alone, never at a number that a server gave. What is
//! unknown may have happened at any time after it was asked, or never.
//!
//! The search is done in windows: at a moment at which nothing on the account is in flight, all
//! that was answered has happened, so the search before it and the search after it share nothing
//! but the balance and which of the unknown have happened. Windows in which more is in flight at
//! once than [`IN_FLIGHT`] are no short histories; they are counted, and left to order. A search
//! that takes too long, over all windows together, is inconclusive.

mod events;
mod search;

use crate::history::keys::Keys;
use crate::history::{Account, Answer, History, Request};
use crate::limits::{IN_FLIGHT, SEARCH_STATES, SEARCH_STATES_PER_OPERATION, UNKNOWN_OPERATIONS};
use crate::verdict::{Finding, Verdict, Wrongs};
use search::{Event, Found, Start, Unknown, search};
use std::collections::{BTreeMap, BTreeSet};

/// What was looked at.
struct Tally {
    events: usize,
    windows: usize,
    too_busy: usize,
    given_up: Option<String>,
    /// States that may still be looked at.
    states: usize,
}

/// Searches for an order, account by account.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("linearizable");
    let mut tally = Tally {
        events: 0,
        windows: 0,
        too_busy: 0,
        given_up: None,
        states: SEARCH_STATES.max(history.operations.len() * SEARCH_STATES_PER_OPERATION),
    };
    let read = accounts_read(history);
    let mut known: BTreeMap<&str, &Account> = BTreeMap::new();
    for account in &history.accounts {
        known.insert(&account.id, account);
    }
    let mut events = events::of(history, &Keys::of(history), &read, &known);
    for id in &read {
        let Some(account) = known.get(id) else {
            tally.given_up = Some(format!("{id} was read, but nothing says what it is"));
            continue;
        };
        let events = events.remove(id).unwrap_or_default();
        one_account(account, &events, &mut tally, &mut wrongs);
    }
    let Tally {
        events,
        windows,
        too_busy,
        given_up,
        states: _,
    } = tally;
    let otherwise = match given_up {
        Some(why) => Finding::Inconclusive(why),
        None if windows == 0 => {
            Finding::Inconclusive("no balance was read in a short window".into())
        }
        None => {
            let accounts = read.len();
            let busy = match too_busy {
                0 => String::new(),
                count => format!("; {count} more are too busy for a search and left to order"),
            };
            Finding::Pass(format!(
                "{events} operations on {accounts} accounts in {windows} windows{busy}"
            ))
        }
    };
    wrongs.or(history, otherwise)
}

fn accounts_read(history: &History) -> BTreeSet<&str> {
    let answered = history
        .operations
        .iter()
        .filter_map(|one| match &one.request {
            Request::Balance { account } if matches!(one.answer, Answer::Balance { .. }) => {
                Some(&**account)
            }
            _ => None,
        });
    answered.collect()
}

/// `events` are sorted by when they were invoked.
fn one_account(account: &Account, events: &[Event], tally: &mut Tally, wrongs: &mut Wrongs) {
    let id = &account.id;
    let (unknown, certain): (Vec<Event>, Vec<Event>) =
        events.iter().partition(|event| event.returned.is_none());
    if unknown.len() > UNKNOWN_OPERATIONS {
        let count = unknown.len();
        tally.given_up = Some(format!(
            "{count} unanswered operations on {id} are too many"
        ));
        return;
    }
    tally.events += events.len();
    let unknown = Unknown::new(unknown);
    let mut start = Start::beginning();
    let mut rest = &certain[..];
    while let Some((window, in_flight, after)) = first_window(rest) {
        rest = after;
        if in_flight > IN_FLIGHT {
            tally.too_busy += 1;
            start = start.after_anything(window);
            continue;
        }
        tally.windows += 1;
        match search(window, &unknown, &start, account.floored, &mut tally.states) {
            Found::Order(end) => start = end,
            Found::GaveUp => {
                let count = window.len();
                let why =
                    format!("the search for an order of {count} operations on {id} took too long");
                tally.given_up = Some(why);
                return;
            }
            Found::None { stuck } => {
                let count = window.len();
                let why =
                    format!("no order of {count} operations on {id} at that time explains it");
                match stuck {
                    Some(number) => wrongs.operation(number, why),
                    None => wrongs.books(format_args!("the final balance of {id}: {why}")),
                }
                // Whatever comes after it would be explained by nothing either.
                return;
            }
        }
    }
}

/// Up to the first moment at which all that was asked is answered: what was done until then, how
/// much was in flight at once, and the rest.
fn first_window(events: &[Event]) -> Option<(&[Event], usize, &[Event])> {
    let mut by = events.first()?.returned?;
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let (mut in_flight, mut most) = (0_usize, 0);
    for (at, event) in events.iter().enumerate() {
        if event.invoked > by {
            let (window, rest) = events.split_at(at);
            return Some((window, most, rest));
        }
        let returned = event.returned.unwrap_or(u64::MAX);
        by = by.max(returned);
        while let Some(ended) = open.first_entry().filter(|one| *one.key() < event.invoked) {
            in_flight -= ended.remove();
        }
        *open.entry(returned).or_default() += 1;
        in_flight += 1;
        most = most.max(in_flight);
    }
    Some((events, most, &[]))
}
