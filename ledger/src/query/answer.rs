//! Answers questions from the state and the records.

use super::{Answer, Query};
use crate::id::LedgerId;
use crate::state::State;
use crate::store::Records;

/// Answers a question about a ledger. A payment's or refund's own transfer is found by its
/// number, but only transfers that were made as such are listed.
pub fn answer(
    _state: &State,
    _records: &impl Records,
    _ledger: LedgerId,
    _query: &Query,
) -> Answer {
    todo!()
}
