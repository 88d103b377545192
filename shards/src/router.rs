//! The frontend's side: a copy of the directory, and the way to the leaders.

use crate::connector::Connector;
use crate::error::{DirectoryError, ReadError, SubmitError};
use crate::status::NodeStatus;
use florin_ledger::command::{Envelope, Once};
use florin_ledger::directory::{Directory, DirectoryCommand, Item};
use florin_ledger::effect::Decision;
use florin_ledger::id::{GroupId, LedgerId, NodeId, Timestamp};
use florin_ledger::query::{Answer, Query};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How a router finds and treats its cluster.
#[derive(Clone, Debug)]
pub struct RouterOptions {
    /// `host:port` of some nodes; the others are learnt from the directory.
    pub seeds: Vec<String>,
    /// The cluster's name: nodes of another one are not talked to.
    pub cluster: String,
    /// Where this frontend runs; stale reads prefer it.
    pub region: String,
    /// After how long an attempt is given up and made again elsewhere.
    pub attempt_timeout: Duration,
    /// How connections are opened.
    pub connector: Connector,
}

/// Submits commands to the leaders of their groups and asks replicas questions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Router {}

/// A decided command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// What was decided, then or now.
    pub decision: Decision,
    /// The group that decided.
    pub group: GroupId,
    /// Log index of the decision (of the replay's own entry, for a replay): with `group` it is the consistency token.
    pub index: u64,
    /// The group's time of the batch.
    pub time: Timestamp,
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// It reflects every write that was answered before it was asked.
    Linearizable,
    /// It reflects the write with this token, whichever replica answers.
    AtLeast {
        /// The token's group.
        group: GroupId,
        /// The token's index.
        index: u64,
    },
    /// Whatever a replica knows; goes on without a quorum.
    Stale,
}

/// An answered question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What the books say.
    pub answer: Answer,
    /// The group that answered.
    pub group: GroupId,
    /// Log index that the answer reflects.
    pub index: u64,
    /// The replica that answered.
    pub node: NodeId,
}

impl Router {
    /// Starts to follow the cluster; returns at once and connects for ever. Must be called within a tokio runtime.
    pub async fn connect(_options: RouterOptions) -> Router {
        todo!()
    }

    /// The newest copy of the directory. Empty (version 0) until the first one came.
    pub fn directory(&self) -> Arc<Directory> {
        todo!()
    }

    /// Whether a directory was received and a node is connected.
    pub fn ready(&self) -> bool {
        todo!()
    }

    /// Waits until [`Router::ready`], at most until the deadline; says whether it is.
    pub async fn wait_ready(&self, _deadline: Instant) -> bool {
        todo!()
    }

    /// Asks the directory's leader for what this copy does not have yet: for a key or partner
    /// that is unknown here and may just have been made. Calls made together share one question,
    /// and questions are spaced, so that unknown keys cannot flood the directory.
    pub async fn refresh(&self, _deadline: Instant) -> Result<Arc<Directory>, ReadError> {
        todo!()
    }

    /// Submits a command to the leader of its partner's group, and again, by the same key, until
    /// it is answered or the deadline has come. Without a key ([`Envelope::once`]) it is never
    /// sent again after an attempt that may have been applied.
    pub async fn submit(
        &self,
        _envelope: &Envelope,
        _deadline: Instant,
    ) -> Result<Submitted, SubmitError> {
        todo!()
    }

    /// Submits a change of the directory. Without a key the router makes one of its own, so
    /// that its retries have one effect; this router's copy shows the change on return.
    pub async fn submit_directory(
        &self,
        _command: DirectoryCommand,
        _once: Option<Once>,
        _deadline: Instant,
    ) -> Result<Item, DirectoryError> {
        todo!()
    }

    /// Asks the group that holds the ledger.
    pub async fn read(
        &self,
        _ledger: LedgerId,
        _query: Query,
        _consistency: Consistency,
        _deadline: Instant,
    ) -> Result<Read, ReadError> {
        todo!()
    }

    /// Asks all nodes of the directory, and the seeds before there is one, how they are.
    pub async fn status(&self) -> Vec<NodeStatus> {
        todo!()
    }

    /// As [`Router::status`], with the hashes of every replica's state: costs the nodes a pass over their accounts.
    pub async fn status_with_hashes(&self) -> Vec<NodeStatus> {
        todo!()
    }

    /// Asks the leader of a group to hand over to another member.
    pub async fn transfer_leader(
        &self,
        _group: GroupId,
        _to: NodeId,
        _deadline: Instant,
    ) -> Result<(), SubmitError> {
        todo!()
    }

    /// The leader of a group as far as this router knows.
    pub fn leader(&self, _group: GroupId) -> Option<NodeId> {
        todo!()
    }

    /// Closes the connections; what is in flight ends as it stands.
    pub async fn shutdown(&self) {
        todo!()
    }
}
