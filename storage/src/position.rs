//! Where in a group's log something stands.

use serde::{Deserialize, Serialize};
use std::fmt;

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

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.term, self.index)
    }
}
