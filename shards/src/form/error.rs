//! Why no cluster was formed: which node, and what about it.

use std::time::Duration;

/// Why no cluster was formed; what was done stays, and forming again goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The node did not answer.
    #[error("node at {address} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why.
        reason: String,
    },
    /// The node is configured for another cluster.
    #[error("node at {address} belongs to cluster `{theirs}`, not to `{ours}`")]
    OtherCluster {
        /// Its address.
        address: String,
        /// Its cluster.
        theirs: String,
        /// The one to form.
        ours: String,
    },
    /// Two nodes have the same number.
    #[error("nodes at {first} and {second} both have the id {id}")]
    DuplicateId {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// Their number.
        id: u64,
    },
    /// The request cannot be fulfilled by any cluster.
    #[error("{0}")]
    Invalid(String),
    /// A cluster of another shape stands on these nodes.
    #[error("node {node} is already a member of another cluster: {reason}")]
    OtherShape {
        /// Its number.
        node: u64,
        /// What differs.
        reason: String,
    },
    /// A node would not do its part.
    #[error("node at {address}: {reason}")]
    Refused {
        /// Its address.
        address: String,
        /// Why.
        reason: String,
    },
    /// The groups stand, but the directory did not take what was written.
    #[error("the directory could not be written: {0}")]
    Directory(String),
    /// It took too long.
    #[error("gave up after {0:?} while {1}")]
    TimedOut(Duration, String),
}
