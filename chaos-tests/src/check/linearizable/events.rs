//! What was done to each account, as the search takes it.

use super::search::{Event, What};
use crate::history::keys::{Keys, Sendings};
use crate::history::{Account, Answer, History, Request, Side, TOO_LITTLE};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The events of the accounts that were read, in the order in which they were asked. The sendings
/// of one key are one event: it begins with the first that may have had an effect, and ends with
/// the first answer.
pub(super) fn of<'a>(
    history: &'a History,
    keys: &Keys<'_>,
    read: &BTreeSet<&'a str>,
    known: &BTreeMap<&'a str, &'a Account>,
) -> HashMap<&'a str, Vec<Event>> {
    let mut events: HashMap<&str, Vec<Event>> = read.iter().map(|id| (*id, Vec::new())).collect();
    for (number, one) in history.operations.iter().enumerate() {
        if let (Request::Balance { account }, Answer::Balance { balance, .. }) =
            (&one.request, &one.answer)
            && let Some(events) = events.get_mut(&**account)
        {
            events.push(Event {
                number: Some(number),
                invoked: one.invoked,
                returned: Some(one.returned),
                what: What::Read((*balance).into()),
            });
        }
    }
    for sendings in keys.iter() {
        let moved = sendings.all().find_map(|(_, one)| one.request.moves());
        let Some(first) = moved else { continue };
        // By a key that was used twice, another account may be touched.
        let others = sendings.all().filter_map(|(_, one)| one.request.moves());
        let mut touched = vec![first.debit, first.credit];
        touched.extend(others.flat_map(|moves| [moves.debit, moves.credit]));
        touched.sort_unstable();
        touched.dedup();
        for id in touched {
            if let (Some(account), Some(events)) = (known.get(id), events.get_mut(id)) {
                events.extend(asked(sendings, account));
            }
        }
    }
    for (id, events) in &mut events {
        events.extend(final_balance(history, id));
        events.sort_by_key(|event| event.invoked);
    }
    events
}

fn asked(sendings: Sendings<'_>, account: &Account) -> Option<Event> {
    let maybe = || {
        let all = sendings.all();
        all.filter(|(_, one)| one.answer != Answer::SurelyNot)
    };
    let decided = sendings.acknowledged().or_else(|| sendings.decided());
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
fn final_balance(history: &History, id: &str) -> Option<Event> {
    let books = history.books.as_ref()?;
    let totals = books.accounts.iter().find(|one| *one.id == *id)?;
    let end = history.operations.iter().map(|one| one.returned).max()?;
    let after = end.saturating_add(1);
    Some(Event {
        number: None,
        invoked: after,
        returned: Some(after),
        what: What::Read(totals.balance.into()),
    })
}
