//! What must hold, one file each. A checker is a pure function of a history.

pub mod acknowledged;
pub mod agreement;
pub mod conservation;
pub mod coverage;
pub mod linearizable;
pub mod liveness;
pub mod monotonic;
pub mod once;
pub mod order;
pub mod raft;
pub mod recovery;

use crate::history::History;
use crate::verdict::Verdict;

/// Asks every checker.
pub fn all(history: &History) -> Vec<Verdict> {
    let checkers: [fn(&History) -> Verdict; 11] = [
        acknowledged::check,
        once::check,
        conservation::check,
        order::check,
        linearizable::check,
        monotonic::check,
        agreement::check,
        raft::check,
        liveness::check,
        recovery::check,
        coverage::check,
    ];
    checkers.iter().map(|check| check(history)).collect()
}

/// What a history without books lacks.
const NO_BOOKS: &str = "the history has no final books";
