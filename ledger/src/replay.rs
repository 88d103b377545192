//! Applies a journal again and compares: what `florin verify` does.

use crate::id::Timestamp;
use crate::journal::Record;
use crate::state::State;
use crate::store::Store;

/// How a journal contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The record does not follow the one before.
    #[error("the record of {} does not hold the hash of the one before it", .0.rfc3339())]
    Chain(Timestamp),
    /// Applied again, the batch gives another record: a decision, a time or an expiry differs.
    #[error("the record of {} does not say what its commands do", .0.rfc3339())]
    Differs(Timestamp),
}

/// Applies a record's batch again to a state that has all earlier ones (a new state before the
/// first) and holds the outcome against the record, to the byte.
pub fn replay(
    _state: &mut State,
    _store: &mut impl Store,
    _record: &Record<'_>,
) -> Result<(), ReplayError> {
    todo!()
}
