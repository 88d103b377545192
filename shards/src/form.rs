//! Forming a cluster from running nodes: idempotent, resumable, told by name what is wrong.

use crate::connector::Connector;
use florin_ledger::directory::{Group, Node};
use std::time::Duration;

/// What to form.
#[derive(Clone, Debug)]
pub struct FormOptions {
    /// The cluster's name; every node must be configured for it.
    pub cluster: String,
    /// `host:port` of every node.
    pub nodes: Vec<String>,
    /// How many groups hold ledgers, beside the directory group.
    pub groups: u32,
    /// Replicas of each group: 1, 3 or 5, and no more than there are nodes.
    pub replicas: usize,
    /// How connections are opened: with an operator's certificate.
    pub connector: Connector,
    /// When to give up.
    pub timeout: Duration,
}

/// A cluster that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formed {
    /// By number.
    pub nodes: Vec<Node>,
    /// By number, the directory group first.
    pub groups: Vec<Group>,
    /// It stood already; nothing was changed.
    pub already: bool,
}

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
    /// It took too long.
    #[error("gave up after {0:?}: {1}")]
    TimedOut(Duration, String),
}

/// Forms the cluster, or finishes forming it, or finds that it stands.
pub async fn form(_options: FormOptions) -> Result<Formed, FormError> {
    todo!()
}
