//! *linearizable*: for every account there is an order of what was done to it that explains every
//! answer, in which nothing comes before what had been answered when it was asked.
//!
//! A search in the manner of Wing and Gong (Testing and verifying concurrent objects, 1993), with
//! the memory of Lowe (Testing for linearizability, 2017), for each account that was read. It
//! looks at clients' clocks and answers alone, never at a number that a server gave. What is
//! unknown may have happened at any time after it was asked, or never. Accounts with too many
//! operations, and searches that take too long, are inconclusive.

mod search;

use crate::history::{Account, Answer, History, Request, Side, TOO_LITTLE};
use crate::limits::{ACCOUNT_OPERATIONS, SEARCH_STATES};
use crate::verdict::{Finding, Verdict, Wrongs};
use search::{Event, Found, What, search};
use std::collections::BTreeSet;

/// Searches for an order, account by account.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("linearizable");
    let mut given_up = None;
    let mut events_in_all = 0;
    let read = accounts_read(history);
    for id in &read {
        let Some(account) = history.account(id) else {
            given_up = Some(format!("{id} was read, but nothing says what it is"));
            continue;
        };
        let events = events(history, account);
        events_in_all += events.len();
        if events.len() > ACCOUNT_OPERATIONS {
            given_up = Some(format!("{} operations on {id} are too many", events.len()));
            continue;
        }
        match search(&events, account.floored, SEARCH_STATES) {
            Found::Order => {}
            Found::GaveUp => {
                given_up = Some(format!("the search for an order of {id} took too long"))
            }
            Found::None { stuck } => {
                let count = events.len();
                let why = format!("no order of {count} operations on {id} explains it");
                match events.get(stuck).and_then(|event| event.number) {
                    Some(number) => wrongs.operation(number, why),
                    None => wrongs.books(format_args!("the final balance of {id}: {why}")),
                }
            }
        }
    }
    let otherwise = match given_up {
        Some(why) => Finding::Inconclusive(why),
        None if read.is_empty() => Finding::Inconclusive("no balance was read".into()),
        None => {
            let accounts = read.len();
            Finding::Pass(format!("{events_in_all} operations on {accounts} accounts"))
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

/// What was done to an account, in the order in which it was asked. The attempts of one key are one
/// event: it begins with the first that may have had an effect, and ends with the first answer.
fn events(history: &History, account: &Account) -> Vec<Event> {
    let mut events = Vec::new();
    for (number, one) in history.operations.iter().enumerate() {
        if let (Request::Balance { account: whose }, Answer::Balance { balance, .. }) =
            (&one.request, &one.answer)
            && *whose == account.id
        {
            events.push(Event {
                number: Some(number),
                invoked: one.invoked,
                returned: Some(one.returned),
                what: What::Read((*balance).into()),
            });
        }
    }
    for numbers in history.by_key().values() {
        events.extend(asked(history, account, numbers));
    }
    events.extend(final_balance(history, account));
    events.sort_by_key(|event| event.invoked);
    events
}

fn asked(history: &History, account: &Account, numbers: &[usize]) -> Option<Event> {
    let all = || {
        numbers
            .iter()
            .map(|number| (*number, &history.operations[*number]))
    };
    let told = all().find(|(_, one)| matches!(one.answer, Answer::Acknowledged { .. }));
    let decided = told.or_else(|| all().find(|(_, one)| one.answer.is_final()));
    let maybe = || all().filter(|(_, one)| one.answer != Answer::SurelyNot);
    let (number, one) =
        decided.or_else(|| maybe().find(|(_, one)| one.answer == Answer::Unknown))?;
    let moves = one
        .request
        .moves()
        .filter(|moves| moves.touches(&account.id))?;
    let same = maybe().filter(|(_, other)| other.request == one.request);
    let invoked = same.map(|(_, other)| other.invoked).min()?;
    let amount = i128::from(moves.amount);
    let debited = if *moves.debit == *account.id {
        amount
    } else {
        0
    };
    let credited = if *moves.credit == *account.id {
        amount
    } else {
        0
    };
    let change = match account.grows_by {
        Side::Debits => debited - credited,
        Side::Credits => credited - debited,
    };
    let (what, returned) = match &one.answer {
        Answer::Acknowledged { .. } => (What::Change(change), Some(one.returned)),
        Answer::Unknown => (What::Change(change), None),
        Answer::Refused { code } if **code == *TOO_LITTLE && account.floored && change < 0 => {
            (What::TooLittleFor(-change), Some(one.returned))
        }
        Answer::Refused { .. } | Answer::Balance { .. } | Answer::SurelyNot => return None,
    };
    Some(Event {
        number: Some(number),
        invoked,
        returned,
        what,
    })
}

/// The final books are a read after everything that was answered.
fn final_balance(history: &History, account: &Account) -> Option<Event> {
    let books = history.books.as_ref()?;
    let totals = books.accounts.iter().find(|one| one.id == account.id)?;
    let end = history.operations.iter().map(|one| one.returned).max()?;
    let after = end.saturating_add(1);
    Some(Event {
        number: None,
        invoked: after,
        returned: Some(after),
        what: What::Read(totals.balance.into()),
    })
}
