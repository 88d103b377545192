//! Where in a group's log something stands.

use serde::{Deserialize, Serialize};

/// A place in a group's log.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct LogPosition {
    /// The leader's term.
    pub term: u64,
    /// Counted from 0 or 1, as consensus does, without gaps.
    pub index: u64,
}
