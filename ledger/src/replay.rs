//! Applies a journal again and compares: what `florin verify` does.

use crate::apply::apply_batch;
use crate::id::Timestamp;
use crate::journal::Record;
use crate::state::State;
use crate::store::Store;

/// How a journal contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The record does not follow the one before.
    #[error("chain: the record of {} does not hold the hash of the one before it", .0.rfc3339())]
    Chain(Timestamp),
    /// Applied again, the batch gives another record: a decision, a time or an expiry differs.
    #[error("determinism: the record of {} does not say what its commands do", .0.rfc3339())]
    Differs(Timestamp),
}

/// Applies a record's batch again to a state that has all earlier ones (a new state before the
/// first) and holds the outcome against the record: their hashes cover every byte.
///
/// The balances are then in the state, for whoever wants to hold them against stored ones.
pub fn replay(
    state: &mut State,
    store: &mut impl Store,
    record: &Record<'_>,
) -> Result<(), ReplayError> {
    if record.previous() != state.chain() {
        return Err(ReplayError::Chain(record.time()));
    }
    let applied = apply_batch(state, store, record.batch());
    if applied.time == record.time() && applied.hash == record.hash() {
        Ok(())
    } else {
        Err(ReplayError::Differs(record.time()))
    }
}
