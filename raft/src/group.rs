//! One replicated group, as its users see it.

use crate::options::Member;
use crate::status::GroupStatus;
use bytes::Bytes;
use florin_ledger::effect::Decision;
use florin_ledger::id::{GroupId, Id, LedgerId, NodeId, Timestamp};
use florin_ledger::query::{Answer, Query};
use florin_storage::LogPosition;
use florin_storage::replica::Replica;
use std::time::Instant;
use tokio::sync::watch;

/// A handle on this node's replica of a group. Cheap to clone.
#[derive(Clone)]
pub struct Group {}

/// A request that a quorum holds durably and that this leader has applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// What the ledger decided.
    pub decision: Decision,
    /// The entry that carried it: its index is the consistency token.
    pub at: LogPosition,
    /// The group's time of that batch.
    pub time: Timestamp,
}

/// Why a request got no decision. After all but [`ProposeError::Unknown`] it was surely not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This replica does not lead.
    #[error("this node does not lead the group")]
    NotLeader {
        /// Who does, as far as is known.
        hint: Option<NodeId>,
    },
    /// Too many requests wait already.
    #[error("too many requests are waiting")]
    Busy,
    /// The leader's disk has no room.
    #[error("the leader's disk is full")]
    DiskFull,
    /// The request is larger than a batch may be.
    #[error("the request is too large for the log")]
    TooLarge,
    /// It may have been applied, or may be yet. Ask again with the same key.
    #[error("the outcome is unknown")]
    Unknown,
    /// The replica is shutting down or has failed.
    #[error("the replica has stopped")]
    Stopped,
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Everything acknowledged before the question is in the answer. Leaders only.
    Linearizable,
    /// At least this log index is in the answer. Any replica.
    AtLeast(u64),
    /// Whatever this replica holds.
    Stale,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// This replica does not lead.
    #[error("this node does not lead the group")]
    NotLeader {
        /// Who does, as far as is known.
        hint: Option<NodeId>,
    },
    /// No quorum confirmed the leader, or the replica did not catch up, before the deadline.
    #[error("the replica could not be proven fresh in time")]
    TimedOut,
    /// The replica is shutting down or has failed.
    #[error("the replica has stopped")]
    Stopped,
}

/// Why leadership did not move.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferLeaderError {
    /// Only a leader can hand leadership over.
    #[error("this node does not lead the group")]
    NotLeader,
    /// The target has no vote in the group.
    #[error("node {} is not a voter of the group", .0.0)]
    NotVoter(NodeId),
    /// The target did not take over in time.
    #[error("node {} did not take over in time", .0.0)]
    TimedOut(NodeId),
    /// The replica is shutting down or has failed.
    #[error("the replica has stopped")]
    Stopped,
}

/// Why the members did not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeMembersError {
    /// Only a leader can change members.
    #[error("this node does not lead the group")]
    NotLeader {
        /// Who does, as far as is known.
        hint: Option<NodeId>,
    },
    /// The change is not possible as the members are now.
    #[error("the change was refused: {0}")]
    Refused(String),
    /// The replica is shutting down or has failed.
    #[error("the replica has stopped")]
    Stopped,
}

impl Group {
    /// Its number.
    pub fn id(&self) -> GroupId {
        todo!()
    }

    /// Puts a request (an encoded `Envelope`) into the leader's next batch and waits for the decision.
    pub async fn propose(
        &self,
        partner: Id,
        envelope: Bytes,
        deadline: Instant,
    ) -> Result<Committed, ProposeError> {
        let _ = (partner, envelope, deadline);
        todo!()
    }

    /// As [`Group::propose`], without a task that waits: `done` is called exactly once, from the
    /// task that applies, so it must be quick and must not block. It may be called before this returns.
    pub fn submit(
        &self,
        partner: Id,
        envelope: Bytes,
        deadline: Instant,
        done: impl FnOnce(Result<Committed, ProposeError>) + Send + 'static,
    ) {
        let _ = (partner, envelope, deadline, done);
        todo!()
    }

    /// Answers a question about a ledger, and says how fresh the answer is.
    pub async fn read(
        &self,
        consistency: Consistency,
        ledger: LedgerId,
        query: &Query,
        deadline: Instant,
    ) -> Result<(Answer, Option<LogPosition>), ReadError> {
        let _ = (consistency, ledger, query, deadline);
        todo!()
    }

    /// Waits until this replica is as fresh as asked for; what is read from [`Group::replica`]
    /// after that is at least so fresh. Says what was applied by then.
    pub async fn fresh(
        &self,
        consistency: Consistency,
        deadline: Instant,
    ) -> Result<Option<LogPosition>, ReadError> {
        let _ = (consistency, deadline);
        todo!()
    }

    /// The leader this replica knows of.
    pub fn leader(&self) -> Option<NodeId> {
        todo!()
    }

    /// Follows the leader this replica knows of.
    pub fn watch_leader(&self) -> watch::Receiver<Option<NodeId>> {
        todo!()
    }

    /// Follows the index this replica has applied.
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        todo!()
    }

    /// What this replica says about itself.
    pub fn status(&self) -> GroupStatus {
        todo!()
    }

    /// The ledger of this replica.
    pub fn replica(&self) -> Replica {
        todo!()
    }

    /// Hands leadership to another voter and waits until it is taken.
    pub async fn transfer_leader(&self, to: NodeId) -> Result<(), TransferLeaderError> {
        let _ = to;
        todo!()
    }

    /// Adds a member that follows without a vote, and waits until it has caught up.
    pub async fn add_learner(&self, member: Member) -> Result<(), ChangeMembersError> {
        let _ = member;
        todo!()
    }

    /// Gives a learner a vote.
    pub async fn promote(&self, node: NodeId) -> Result<(), ChangeMembersError> {
        let _ = node;
        todo!()
    }

    /// Takes a node out of the group.
    pub async fn remove(&self, node: NodeId) -> Result<(), ChangeMembersError> {
        let _ = node;
        todo!()
    }
}
