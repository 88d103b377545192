//! One replicated group, as its users see it.

use crate::limits;
use crate::node::Node;
use crate::replicated::Replicated;
use crate::status::GroupStatus;
use bytes::Bytes;
use florin_failpoints::{failpoint, mutant};
use florin_ledger::effect::Decision;
use florin_ledger::id::{GroupId, Id, LedgerId, NodeId, Timestamp};
use florin_ledger::query::{Answer, Query};
use florin_storage::LogPosition;
use florin_storage::replica::{Replica, StateHash};
use openraft::LinearizerOption;
use openraft::errors::{LinearizableReadError, RaftError};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{oneshot, watch};

/// A handle on this node's replica of a group. Cheap to clone.
#[derive(Clone)]
pub struct Group {
    node: Arc<Node>,
    pub(crate) inner: Arc<Replicated>,
}

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

impl Group {
    pub(crate) fn new(node: Arc<Node>, inner: Arc<Replicated>) -> Group {
        Group { node, inner }
    }

    /// Its number.
    pub fn id(&self) -> GroupId {
        self.inner.id
    }

    /// Puts a request (an encoded `Envelope`) into the leader's next batch and waits for the decision.
    pub async fn propose(
        &self,
        partner: Id,
        envelope: Bytes,
        deadline: Instant,
    ) -> Result<Committed, ProposeError> {
        let (done, answered) = oneshot::channel();
        self.submit(partner, envelope, deadline, move |answer| {
            drop(done.send(answer))
        });
        answered.await.unwrap_or(Err(ProposeError::Unknown))
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
        self.inner
            .proposer
            .submit(partner, envelope, deadline, Box::new(done));
    }

    /// Answers a question about a ledger, and says how fresh the answer is at least.
    pub async fn read(
        &self,
        consistency: Consistency,
        ledger: LedgerId,
        query: &Query,
        deadline: Instant,
    ) -> Result<(Answer, Option<LogPosition>), ReadError> {
        let position = self.fresh(consistency, deadline).await?;
        let replica = &self.inner.replica;
        let answer = if query.is_brief() {
            replica.query(ledger, query)
        } else {
            self.walk(ledger, query.clone(), deadline).await?
        };
        Ok((answer, position))
    }

    /// A walk along a list may take long and read the disk: elsewhere than where payments are
    /// served, by a few at a time, and no longer than somebody waits for it.
    async fn walk(
        &self,
        ledger: LedgerId,
        query: Query,
        deadline: Instant,
    ) -> Result<Answer, ReadError> {
        let turn = Arc::clone(&self.node.walks).acquire_owned();
        let turn = tokio::time::timeout_at(deadline.into(), turn).await;
        let turn = turn
            .map_err(|_| ReadError::TimedOut)?
            .map_err(|_| ReadError::Stopped)?;
        let replica = self.inner.replica.clone();
        let node = Arc::clone(&self.node);
        let blocking = node.options.blocking.clone();
        let walked = blocking.run(move || {
            let _until_done = turn;
            let go_on = || Instant::now() < deadline && !node.is_stopping();
            replica.query_while(ledger, &query, go_on)
        });
        let answer = walked.await.map_err(|_| ReadError::Stopped)?;
        answer.ok_or(ReadError::TimedOut)
    }

    /// Waits until this replica is as fresh as asked for; what is read from [`Group::replica`]
    /// after that is at least so fresh. Says what was applied by then.
    pub async fn fresh(
        &self,
        consistency: Consistency,
        deadline: Instant,
    ) -> Result<Option<LogPosition>, ReadError> {
        match consistency {
            Consistency::Stale => Ok(self.inner.replica.applied()),
            Consistency::AtLeast(index) => self.applied_at_least(index, deadline).await,
            Consistency::Linearizable => {
                let index = self.read_index(deadline).await?;
                self.applied_at_least(index, deadline).await
            }
        }
    }

    /// What must be applied before an answer holds everything that was acknowledged by now.
    ///
    /// A quorum that acknowledged this leader within the lease grants no vote to another, and a
    /// member that restarted since grants none for a whole election timeout; only part of the
    /// lease is used, for clocks run at different rates. Past that, one round of heartbeats
    /// serves all who wait.
    pub(crate) async fn read_index(&self, deadline: Instant) -> Result<u64, ReadError> {
        mutant!("stale-read-from-paused-leader" => if self.inner.leads() {
            return Ok(self.inner.replica.applied().map_or(0, |at| at.index));
        });
        let wait = deadline.saturating_duration_since(Instant::now());
        let option = LinearizerOption::new(Some(self.inner.lease), true).with_wait_timeout(wait);
        let asked = tokio::time::timeout(wait, self.inner.raft.get_read_linearizer(option)).await;
        match asked {
            Err(_) => Err(ReadError::TimedOut),
            Ok(Ok(linearizer)) => Ok(linearizer.read_log_id().index()),
            Ok(Err(RaftError::Fatal(_))) => Err(ReadError::Stopped),
            Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => {
                Err(ReadError::NotLeader {
                    hint: forward.leader_id.map(NodeId),
                })
            }
            Ok(Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)))) => {
                Err(ReadError::TimedOut)
            }
        }
    }

    async fn applied_at_least(
        &self,
        index: u64,
        deadline: Instant,
    ) -> Result<Option<LogPosition>, ReadError> {
        let replica = &self.inner.replica;
        let reached = || replica.applied().is_some_and(|at| at.index >= index);
        if !reached() {
            let mut applied = self.inner.applied.clone();
            let waited =
                tokio::time::timeout_at(deadline.into(), applied.wait_for(|_| reached())).await;
            waited
                .map_err(|_| ReadError::TimedOut)?
                .map_err(|_| ReadError::Stopped)?;
        }
        Ok(replica.applied())
    }

    /// The leader this replica knows of.
    pub fn leader(&self) -> Option<NodeId> {
        *self.inner.leader.borrow()
    }

    /// Follows the leader this replica knows of.
    pub fn watch_leader(&self) -> watch::Receiver<Option<NodeId>> {
        self.inner.leader.clone()
    }

    /// Follows the index this replica has applied.
    pub fn watch_applied(&self) -> watch::Receiver<u64> {
        self.inner.applied.clone()
    }

    /// What this replica says about itself.
    pub fn status(&self) -> GroupStatus {
        GroupStatus::of(&self.inner)
    }

    /// The ledger of this replica.
    pub fn replica(&self) -> Replica {
        self.inner.replica.clone()
    }

    /// Where this replica's state stands: a pass over all accounts, not where requests are served.
    pub async fn state_hash(&self) -> Result<StateHash, ReadError> {
        let replica = self.inner.replica.clone();
        let hashed = self.inner.blocking.run(move || replica.state_hash()).await;
        hashed.map_err(|_| ReadError::Stopped)
    }

    /// Hands leadership to another voter and waits until it is taken.
    pub async fn transfer_leader(&self, to: NodeId) -> Result<(), TransferLeaderError> {
        if !self.inner.leads() {
            return Err(TransferLeaderError::NotLeader);
        }
        if !self.inner.membership().voter_ids().any(|id| id == to.0) {
            return Err(TransferLeaderError::NotVoter(to));
        }
        if to == self.node.options.node {
            return Ok(());
        }
        failpoint!(async "raft.transfer.begin");
        let triggered = self.inner.raft.trigger().transfer_leader(to.0).await;
        triggered.map_err(|_| TransferLeaderError::Stopped)?;
        let mut leader = self.inner.leader.clone();
        let taken = leader.wait_for(|leader| *leader == Some(to));
        match tokio::time::timeout(limits::TRANSFER_TIMEOUT, taken).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(TransferLeaderError::Stopped),
            Err(_) => Err(TransferLeaderError::TimedOut(to)),
        }
    }
}
