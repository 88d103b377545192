//! Why a node was not brought back.

use florin_ledger::id::{GroupId, NodeId};
use std::time::Duration;

/// Why a node was not brought back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// No directory could be had from the seeds.
    #[error("the directory cannot be reached")]
    NoDirectory,
    /// The directory does not know the node.
    #[error("the directory knows no node {}", .0.0)]
    UnknownNode(NodeId),
    /// The node has the data folder that it always had.
    #[error("node {} has its own data folder still: there is nothing to replace", .0.0)]
    FormerSelf(NodeId),
    /// A node would not do its part.
    #[error("group {}: {reason}", .group.0)]
    Refused {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
    /// A group has an incarnation of the node that was made after the one that asks for its place.
    #[error(
        "group {} knows node {} by incarnation {known:016x}, and the one that runs, {running:016x}, is not newer: another \
         machine has its number, or its clock went back; `florin replace` takes that one out",
        .group.0, .node.0
    )]
    Newer {
        /// Which group.
        group: GroupId,
        /// Which node.
        node: NodeId,
        /// The incarnation that the group has.
        known: u64,
        /// The one that runs.
        running: u64,
    },
    /// It took too long.
    #[error("gave up after {0:?} while {1}")]
    TimedOut(Duration, String),
    /// The groups have the node again, but the directory did not take its new incarnation.
    #[error("the directory could not be written: {0}")]
    Directory(String),
}
