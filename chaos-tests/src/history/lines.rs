//! A history in a file: JSON lines, each saying in its field `line` what it is.
//!
//! ```text
//! {"line":"history","version":1,"about":"three regions, leader killed"}
//! {"line":"account","id":"acct_w","grows_by":"credits","floored":true}
//! {"line":"operation","session":"ann","key":"k1","request":{"do":"payment",…},"invoked":5,"returned":9,"answer":{"is":"acknowledged",…}}
//! {"line":"fault","what":"SIGKILL of fra-1","class":"kill","began":20,"ended":80,"evidence":"signal 9"}
//! {"line":"leader","at":5,"group":1,"node":"fra-1","term":2}
//! {"line":"healed","at":80,"bound_ms":5000}
//! {"line":"replica","node":"fra-1","group":1,"applied":9,"hash":"ab…"}
//! {"line":"failpoint","node":"fra-1","site":"storage.log.sync","hits":7,"fired":0}
//! {"line":"run","scenario":"leader-killed","seed":1,…}
//! {"line":"books","accounts":[…],"effects":[…]}
//! ```
//!
//! The first line is the header. The books are one line, so that half of them cannot pass for all.

use super::{
    Account, Answer, Books, Fault, Healed, History, Hits, Leader, Operation, Replica, Run,
};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    History(Header),
    Account(Account),
    Operation(Operation),
    Fault(Fault),
    Leader(Leader),
    Healed(Healed),
    Replica(Replica),
    Failpoint(Hits),
    Run(Run),
    Books(Books),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    about: String,
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadHistoryError {
    /// The file cannot be read.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// A line is broken.
    #[error("line {number}: {why}")]
    Line {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// Writes a history.
pub fn write(history: &History, to: impl Write) -> io::Result<()> {
    let mut to = io::BufWriter::new(to);
    let header = Line::History(Header {
        version: VERSION,
        about: history.about.clone(),
    });
    let run = history.run.iter().cloned().map(Line::Run);
    let accounts = history.accounts.iter().cloned().map(Line::Account);
    let operations = history.operations.iter().cloned().map(Line::Operation);
    let faults = history.faults.iter().cloned().map(Line::Fault);
    let leaders = history.leaders.iter().cloned().map(Line::Leader);
    let healed = history.healed.iter().copied().map(Line::Healed);
    let replicas = history.replicas.iter().cloned().map(Line::Replica);
    let failpoints = history.failpoints.iter().cloned().map(Line::Failpoint);
    let books = history.books.iter().cloned().map(Line::Books);
    let asked = run.chain(accounts).chain(operations).chain(faults);
    let seen = leaders.chain(healed).chain(replicas).chain(failpoints);
    for line in std::iter::once(header)
        .chain(asked)
        .chain(seen)
        .chain(books)
    {
        serde_json::to_writer(&mut to, &line)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

/// Reads a history; refuses one that contradicts itself.
pub fn read(from: impl BufRead) -> Result<History, ReadHistoryError> {
    let mut history = History::default();
    let mut number = 0;
    for line in from.lines() {
        number += 1;
        let broken = |why: String| ReadHistoryError::Line { number, why };
        let parsed = serde_json::from_str(&line?).map_err(|error| broken(error.to_string()))?;
        take(&mut history, number, parsed).map_err(broken)?;
    }
    if number == 0 {
        let why = "the file is empty".into();
        return Err(ReadHistoryError::Line { number: 1, why });
    }
    // A file may have been put together from several; checkers count on the order of answers.
    history.operations.sort_by_key(|one| one.returned);
    Ok(history)
}

fn take(history: &mut History, number: usize, line: Line) -> Result<(), String> {
    match line {
        Line::History(header) if number == 1 && header.version == VERSION => {
            history.about = header.about;
        }
        Line::History(header) if number == 1 => {
            return Err(format!("version {} is not known", header.version));
        }
        Line::History(_) => return Err("a second header".into()),
        _ if number == 1 => return Err("not a header".into()),
        Line::Account(account) if history.account(&account.id).is_some() => {
            return Err(format!("{} a second time", account.id));
        }
        Line::Account(account) => history.accounts.push(account),
        Line::Operation(operation) => {
            sound(&operation)?;
            history.operations.push(operation);
        }
        Line::Fault(fault) if fault.ended.is_some_and(|ended| ended < fault.began) => {
            return Err("the fault ended before it began".into());
        }
        Line::Fault(fault) => history.faults.push(fault),
        Line::Leader(leader) => history.leaders.push(leader),
        Line::Healed(healed) => history.healed.push(healed),
        Line::Replica(replica) => history.replicas.push(replica),
        Line::Failpoint(hits) => history.failpoints.push(hits),
        Line::Run(_) if history.run.is_some() => return Err("a second run".into()),
        Line::Run(run) => history.run = Some(run),
        Line::Books(_) if history.books.is_some() => {
            return Err("the books a second time".into());
        }
        Line::Books(books) => history.books = Some(books),
    }
    Ok(())
}

/// Whether the parts of an operation fit each other.
fn sound(operation: &Operation) -> Result<(), String> {
    if operation.returned < operation.invoked {
        return Err("the operation returned before it was invoked".into());
    }
    let moves = operation.request.moves().is_some();
    if moves != operation.key.is_some() {
        return Err("payments and transfers have a key, reads have none".into());
    }
    match (&operation.answer, moves) {
        (Answer::Acknowledged { .. }, false) => Err("a read is not acknowledged".into()),
        (Answer::Balance { .. }, true) => Err("a balance answers a read".into()),
        _ => Ok(()),
    }
}
