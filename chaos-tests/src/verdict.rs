//! What a checker says of a history.

use crate::history::History;
use std::fmt;

/// A checker's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The checker.
    pub checker: &'static str,
    /// What it found.
    pub finding: Finding,
}

/// What a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds; what was looked at.
    Pass(String),
    /// It does not hold.
    Fail {
        /// Number of the first bad operation, as in [`History::operations`]; nothing if no
        /// operation but the books themselves are bad.
        operation: Option<usize>,
        /// What is wrong, the operation named.
        why: String,
        /// How much else is wrong.
        more: usize,
    },
    /// The history does not say enough; what it lacks.
    Inconclusive(String),
}

impl Verdict {
    /// Whether it holds.
    pub fn passed(&self) -> bool {
        matches!(self.finding, Finding::Pass(_))
    }

    /// `pass`, `fail` or `inconclusive`.
    pub fn word(&self) -> &'static str {
        match self.finding {
            Finding::Pass(_) => "pass",
            Finding::Fail { .. } => "fail",
            Finding::Inconclusive(_) => "inconclusive",
        }
    }

    /// Whether it does not hold.
    pub fn failed(&self) -> bool {
        matches!(self.finding, Finding::Fail { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checker = self.checker;
        match &self.finding {
            Finding::Pass(seen) => write!(f, "{checker:<14} pass          {seen}"),
            Finding::Inconclusive(lacks) => write!(f, "{checker:<14} inconclusive  {lacks}"),
            Finding::Fail { why, more: 0, .. } => write!(f, "{checker:<14} FAIL          {why}"),
            Finding::Fail { why, more, .. } => {
                write!(f, "{checker:<14} FAIL          {why} (and {more} more)")
            }
        }
    }
}

/// What is wrong, gathered by a checker.
pub(crate) struct Wrongs {
    checker: &'static str,
    all: Vec<(Option<usize>, String)>,
}

impl Wrongs {
    pub(crate) fn new(checker: &'static str) -> Wrongs {
        let all = Vec::new();
        Wrongs { checker, all }
    }

    /// An operation is bad.
    pub(crate) fn operation(&mut self, number: usize, why: impl fmt::Display) {
        self.all.push((Some(number), why.to_string()));
    }

    /// The books are bad, whatever was asked.
    pub(crate) fn books(&mut self, why: impl fmt::Display) {
        self.all.push((None, why.to_string()));
    }

    /// A failure if anything is wrong, else what was found otherwise.
    pub(crate) fn or(mut self, history: &History, otherwise: Finding) -> Verdict {
        // Operations are numbered in the order of their answers; the books come after them all.
        self.all
            .sort_by_key(|(number, _)| number.unwrap_or(usize::MAX));
        let more = self.all.len().saturating_sub(1);
        let finding = match self.all.into_iter().next() {
            None => otherwise,
            Some((number, why)) => Finding::Fail {
                operation: number,
                why: match number.and_then(|number| Some((number, history.operations.get(number)?)))
                {
                    Some((number, operation)) => format!("operation {number}, {operation}: {why}"),
                    None => why,
                },
                more,
            },
        };
        Verdict {
            checker: self.checker,
            finding,
        }
    }
}

/// The worst of several verdicts decides.
pub fn exit_code(verdicts: &[Verdict]) -> u8 {
    if verdicts.iter().any(Verdict::failed) {
        1
    } else if verdicts.iter().all(Verdict::passed) {
        0
    } else {
        2
    }
}
