//! How a batch changes the state: the one way in.

use crate::effect::Decision;
use crate::id::{Id, LedgerId, Timestamp};
use crate::state::State;
use crate::store::Store;

/// What a batch did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedBatch {
    /// The group's time: the batch's own, or one more than the last if that is later.
    pub time: Timestamp,
    /// One for each command, in order. None at all if the bytes are no batch.
    pub decisions: Vec<Decision>,
    /// Pending transfers that expired before the first command.
    pub expired: Vec<(LedgerId, Id)>,
    /// The hash of its journal record, which the store was given.
    pub hash: [u8; 32],
}

/// Applies an encoded batch ([`crate::command::BatchBuilder`]). Whatever the bytes are, it ends,
/// alike on every replica: it panics only when an invariant is broken already.
pub fn apply_batch(_state: &mut State, _store: &mut impl Store, _batch: &[u8]) -> AppliedBatch {
    todo!()
}
