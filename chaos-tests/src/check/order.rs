//! *order*: the decisions of a group, put in the order that the ledger says they were made in,
//! explain every answer, and what was answered before another began comes before it.
//!
//! Every decision carries its place in its group's journal, and so does every object that it made;
//! a read says how many entries the account had. The decisions are replayed one after the other on
//! a small model of accounts, written here and not taken from the ledger: it must come to the same
//! answers, acknowledged and refused, and the same balance after every entry that was read. What
//! was not answered but is in the books stands where its identifier says.

mod model;
mod realtime;

use super::NO_BOOKS;
use crate::history::groups::Groups;
use crate::history::keys::Keys;
use crate::history::{Answer, Decided, Effect, History, Move, Request, TOO_LITTLE};
use crate::verdict::{Finding, Verdict, Wrongs};
use florin_ledger::id::{Id, prefix};
use model::Model;
use std::collections::HashMap;

/// A decision, or an effect in the books that nobody was told of.
struct Made<'a> {
    group: u64,
    at: Decided,
    /// The operation that was told; for what nobody was told of, one that asked for it.
    number: usize,
    /// When it was sent first.
    invoked: u64,
    /// When its answer was there; for what nobody was told of, never.
    returned: u64,
    moves: Move<'a>,
    outcome: Outcome<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome<'a> {
    Happened,
    Refused(&'a str),
}

/// Replays the decisions and compares every answer.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("order");
    let groups = Groups::of(history);
    let keys = Keys::of(history);
    let (mut made, mut lack) = decisions(&keys, &groups);
    match unanswered(history, &keys, &groups) {
        Ok(unanswered) => made.extend(unanswered),
        Err(why) => lack = lack.or(Some(why)),
    }
    made.sort_by_key(|one| (one.group, one.at));
    for pair in made.windows(2) {
        if (pair[0].group, pair[0].at) == (pair[1].group, pair[1].at) {
            let other = pair[0].number;
            let why = format!("operation {other}, of another key, was decided at the same place");
            wrongs.operation(pair[1].number, why);
        }
    }
    realtime::decisions(&made, &mut wrongs);
    realtime::tokens(history, &mut wrongs);
    let mut model = Model::new(history);
    let mut compared = 0;
    for one in &made {
        compared += usize::from(replay(&mut model, one, &mut wrongs));
    }
    if lack.is_none() {
        // Only now every entry of every account is known.
        compared += reads(history, &model, &mut wrongs);
        realtime::accounts(history, &made, &mut wrongs);
    }
    let otherwise = match (lack, made.len()) {
        (Some(lack), _) => Finding::Inconclusive(lack),
        (None, 0) => Finding::Inconclusive("nothing was decided".into()),
        (None, count) => Finding::Pass(format!("{count} decisions, {compared} answers compared")),
    };
    wrongs.or(history, otherwise)
}

/// The decisions that somebody was told of; what is missing to have them all.
fn decisions<'a>(keys: &'a Keys<'a>, groups: &Groups<'_>) -> (Vec<Made<'a>>, Option<String>) {
    let mut made = Vec::new();
    let mut lack = None;
    for sendings in keys.iter() {
        let Some((number, one)) = sendings.decided() else {
            continue;
        };
        let Some(moves) = one.request.moves() else {
            continue;
        };
        let outcome = match &one.answer {
            Answer::Refused { code } => Outcome::Refused(code),
            _ => Outcome::Happened,
        };
        // A key may have been used for another request as well, which is a refusal of its own.
        let sent = sendings
            .all()
            .filter(|(_, other)| other.request == one.request);
        let invoked = sent
            .map(|(_, other)| other.invoked)
            .min()
            .unwrap_or(one.invoked);
        match one.decided {
            Some(at) => made.push(Made {
                group: groups.asked(one),
                at,
                number,
                invoked,
                returned: one.returned,
                moves,
                outcome,
            }),
            None => {
                lack = Some(format!(
                    "operation {number} does not say where it was decided"
                ))
            }
        }
    }
    (made, lack)
}

/// What happened though nobody was told so.
fn unanswered<'a>(
    history: &'a History,
    keys: &'a Keys<'a>,
    groups: &Groups<'_>,
) -> Result<Vec<Made<'a>>, String> {
    let books = history.books.as_ref().ok_or(NO_BOOKS)?;
    let mut made = Vec::new();
    for effect in &books.effects {
        // An effect that nobody asked for is *once*'s to tell.
        let sendings = effect.key.as_deref().and_then(|key| keys.get(key));
        let Some(sendings) = sendings.filter(|one| one.decided().is_none()) else {
            continue;
        };
        let at = place(effect).ok_or_else(|| format!("{} does not say its place", effect.id))?;
        let Some((_, one)) = sendings.all().next() else {
            continue;
        };
        made.push(Made {
            group: groups.asked(one),
            at,
            number: sendings.first(),
            invoked: sendings.invoked(),
            returned: u64::MAX,
            moves: effect.moves(),
            outcome: Outcome::Happened,
        });
    }
    Ok(made)
}

fn place(effect: &Effect) -> Option<Decided> {
    let kind = if effect.payment {
        prefix::PAYMENT
    } else {
        prefix::TRANSFER
    };
    Id::parse(kind, &effect.id).ok().map(Decided::of)
}

/// Whether an answer was compared.
fn replay<'a>(model: &mut Model<'a>, one: &Made<'a>, wrongs: &mut Wrongs) -> bool {
    let amount = one.moves.amount;
    match (one.outcome, model.short_by(&one.moves)) {
        (Outcome::Happened, Some((account, held))) => {
            let why = format!("at its place {account} held {held}, too little for {amount}");
            wrongs.operation(one.number, why);
        }
        (Outcome::Happened, None) => {}
        (Outcome::Refused(TOO_LITTLE), Some(_)) => return true,
        (Outcome::Refused(TOO_LITTLE), None) => {
            let why = format!("at its place there was enough for {amount}");
            wrongs.operation(one.number, why);
            return true;
        }
        (Outcome::Refused(_), _) => return false,
    }
    model.apply(&one.moves);
    true
}

/// Compares what reads saw with the balance after the same entry; says how many there were.
fn reads(history: &History, model: &Model<'_>, wrongs: &mut Wrongs) -> usize {
    let mut compared = 0;
    let mut seen: HashMap<(&str, u64), i64> = HashMap::new();
    for (number, one) in history.operations.iter().enumerate() {
        let (Request::Balance { account }, Answer::Balance { balance, sequence }) =
            (&one.request, &one.answer)
        else {
            continue;
        };
        compared += 1;
        if seen.insert((account, *sequence), *balance) == Some(*balance) {
            continue;
        }
        match model.after(account, *sequence) {
            None => {
                let entries = model.entries(account);
                let why = format!("{account} never had more than {entries} entries");
                wrongs.operation(number, why);
            }
            Some(was) if was != i128::from(*balance) => {
                wrongs.operation(number, format_args!("after entry {sequence} it was {was}"));
            }
            Some(_) => {}
        }
    }
    compared
}
