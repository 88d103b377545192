//! *monotonic*: a session never reads backwards, and reads what it was told had happened.
//!
//! An account's entries are numbered. Within a session, a later read shows no lower number, and at
//! least one more for each payment that the session began and was acknowledged in between. Two
//! reads at the same number, of whomever, show the same balance.

use crate::history::keys::Keys;
use crate::history::{Answer, History, Operation, Request};
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::{BTreeMap, HashMap};

/// A read that was answered.
#[derive(Clone, Copy)]
struct Read<'a> {
    number: usize,
    asked: &'a Operation,
    account: &'a str,
    balance: i64,
    sequence: u64,
}

/// A payment of a session: when its key was first sent, and when it was first acknowledged.
struct Done<'a> {
    invoked: u64,
    returned: u64,
    request: &'a Request,
}

/// Follows each session through its reads.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("monotonic");
    let mut shown: HashMap<(&str, u64), Read<'_>> = HashMap::new();
    let mut sessions: BTreeMap<(&str, &str), Vec<Read<'_>>> = BTreeMap::new();
    for read in reads(history) {
        let first = shown.entry((read.account, read.sequence)).or_insert(read);
        if first.balance != read.balance {
            let (number, balance) = (first.number, first.balance);
            let why = format!("operation {number} saw {balance} at the same entry");
            wrongs.operation(read.number, why);
        }
        let session = (&*read.asked.session, read.account);
        sessions.entry(session).or_default().push(read);
    }
    let keys = Keys::of(history);
    let done = done(&keys);
    let mut compared = 0;
    for ((session, account), reads) in &sessions {
        let done = done.get(session).map(Vec::as_slice).unwrap_or_default();
        compared += reads.len() - 1;
        follow(account, reads, done, &mut wrongs);
    }
    let otherwise = match compared {
        0 => Finding::Inconclusive("no session read an account twice".into()),
        _ => Finding::Pass(format!("{compared} reads that followed another")),
    };
    wrongs.or(history, otherwise)
}

fn reads(history: &History) -> impl Iterator<Item = Read<'_>> {
    let numbered = history.operations.iter().enumerate();
    numbered.filter_map(|(number, asked)| match (&asked.request, &asked.answer) {
        (Request::Balance { account }, Answer::Balance { balance, sequence }) => Some(Read {
            number,
            asked,
            account,
            balance: *balance,
            sequence: *sequence,
        }),
        _ => None,
    })
}

/// What each session was told had happened, in the order in which it began it.
fn done<'a>(keys: &'a Keys<'a>) -> HashMap<&'a str, Vec<Done<'a>>> {
    let mut sessions: HashMap<&str, Vec<Done<'_>>> = HashMap::new();
    for sendings in keys.iter() {
        let Some((_, told)) = sendings.acknowledged() else {
            continue;
        };
        let invoked = sendings.invoked();
        sessions.entry(&told.session).or_default().push(Done {
            invoked,
            returned: told.returned,
            request: &told.request,
        });
    }
    for all in sessions.values_mut() {
        all.sort_by_key(|one| one.invoked);
    }
    sessions
}

/// `reads` are one session's of one account, in the order of their answers.
fn follow(account: &str, reads: &[Read<'_>], done: &[Done<'_>], wrongs: &mut Wrongs) {
    let mut later: Vec<&Read<'_>> = reads.iter().collect();
    later.sort_by_key(|read| read.asked.invoked);
    let mut answered = reads.iter().peekable();
    // What had been answered before the read began: the highest, and the last.
    let (mut highest, mut last): (Option<&Read<'_>>, Option<&Read<'_>>) = (None, None);
    for read in later {
        while let Some(before) = answered.next_if(|one| one.asked.returned < read.asked.invoked) {
            last = Some(before);
            if highest.is_none_or(|highest| highest.sequence < before.sequence) {
                highest = Some(before);
            }
        }
        if let Some(before) = highest.filter(|before| before.sequence > read.sequence) {
            let (number, sequence) = (before.number, before.sequence);
            let why = format!("operation {number} had seen entry {sequence}");
            wrongs.operation(read.number, why);
            continue;
        }
        let (since, base) = last.map_or((0, 0), |one| (one.asked.returned, one.sequence));
        let from = done.partition_point(|one| one.invoked < since);
        let between = done[from..]
            .iter()
            .take_while(|one| one.invoked < read.asked.invoked)
            .filter(|one| one.returned < read.asked.invoked)
            .filter(|one| one.request.moves().is_some_and(|all| all.touches(account)))
            .count() as u64;
        if read.sequence < base + between {
            let why = format!("{between} payments of the session since entry {base} are missing");
            wrongs.operation(read.number, why);
        }
    }
}
