//! What must always hold, by name. Asserted where it could break, in release builds too.

use crate::id::{Id, LedgerId};

/// A broken invariant, found by [`crate::state::State::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Debits and credits of a ledger and currency differ.
    #[error("conservation: debits and credits of ledger {0:?} differ")]
    Conservation(LedgerId),
    /// An account passed its constraint.
    #[error("no overdraft: account {0:?} passed its constraint")]
    Overdraft(Id),
    /// A total is negative.
    #[error("totals: account {0:?} has a negative total")]
    Negative(Id),
    /// A waiting expiry holds more than its accounts do.
    #[error("pending: transfer {0:?} holds money that its accounts do not")]
    Pending(Id),
}
