//! What a check found, for people and for programs.

use crate::position::LogPosition;
use florin_ledger::id::Timestamp;
use std::fmt;

/// Problems of one group that are written down; more would not tell more.
const PROBLEMS: usize = 20;

/// What was found in a node's data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Each group that the store holds.
    pub groups: Vec<GroupReport>,
    /// What harms nothing, for people: a torn tail of the log.
    pub notices: Vec<String>,
    /// What is wrong with the log.
    pub problems: Vec<String>,
}

/// What was found of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupReport {
    /// The group's number.
    pub group: u32,
    /// The last log entry that is persisted; none if the ledger is empty.
    pub persisted: Option<LogPosition>,
    /// The time of the last batch.
    pub time: Timestamp,
    /// Journal records that were followed and applied again.
    pub records: u64,
    /// Accounts that were compared.
    pub accounts: u64,
    /// Entries that were read.
    pub entries: u64,
    /// What is wrong, for people.
    pub problems: Vec<String>,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.groups.iter().all(|it| it.problems.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for notice in &self.notices {
            writeln!(f, "log      note: {notice}")?;
        }
        for problem in &self.problems {
            writeln!(f, "log      WRONG: {problem}")?;
        }
        for group in &self.groups {
            write!(f, "group {:<3}", group.group)?;
            match group.persisted {
                None => writeln!(f, "empty")?,
                Some(at) => writeln!(
                    f,
                    "up to entry {} (term {}) of {}: {} records, {} accounts, {} entries: {}",
                    at.index,
                    at.term,
                    group.time.rfc3339(),
                    group.records,
                    group.accounts,
                    group.entries,
                    if group.problems.is_empty() {
                        "chain whole, books balanced, as the journal says"
                    } else {
                        "WRONG"
                    }
                )?,
            }
            for problem in &group.problems {
                writeln!(f, "         WRONG: {problem}")?;
            }
        }
        f.write_str(if self.is_sound() {
            "sound"
        } else {
            "NOT sound"
        })
    }
}

impl GroupReport {
    pub(super) fn problem(&mut self, problem: impl ToString) {
        let problem = problem.to_string();
        if self.problems.len() < PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}
