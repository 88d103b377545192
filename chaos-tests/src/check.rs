//! What must hold, one file each. A checker is a pure function of a history.

pub mod acknowledged;
pub mod conservation;
pub mod coverage;
pub mod linearizable;
pub mod monotonic;
pub mod once;

use crate::history::History;
use crate::verdict::Verdict;

/// Asks every checker.
pub fn all(history: &History) -> Vec<Verdict> {
    let checkers: [fn(&History) -> Verdict; 6] = [
        acknowledged::check,
        once::check,
        conservation::check,
        monotonic::check,
        linearizable::check,
        coverage::check,
    ];
    checkers.iter().map(|check| check(history)).collect()
}

/// What a history without books lacks.
const NO_BOOKS: &str = "the history has no final books";
