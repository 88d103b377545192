//! How a group's members change, and how a change that was cut off is finished.
//!
//! A change of voters takes two entries: a *joint* configuration, in which a quorum of the voters
//! before and a quorum of those after must agree, and then the *uniform* one that was meant. A
//! leader that dies between the two, or a caller that goes away, leaves the group joint. It serves,
//! but needs two quorums where one was meant: with a few nodes down it may have no leader. So every
//! leader that finds a joint configuration under it finishes the change, and nobody is told that a
//! change is done before a quorum holds the uniform configuration.
//!
//! Finishing is as safe as the change itself. A step is taken only from a configuration that its
//! quorum is known to hold, and only while it is the newest in the leader's log. Once a joint one
//! is held so, the voters before cannot elect anybody without it by themselves: a majority of them
//! has it and refuses a candidate whose log does not. The step leads to the voters that were meant, and each
//! majority of theirs meets every quorum of the joint configuration, which has a majority of them
//! in it. Two leaders that both finish write the same voters, and the older one's entry gives way
//! to the newer one's like any other.

use crate::group::{Group, ReadError};
use crate::limits;
use crate::options::Member;
use crate::replicated::Replicated;
use crate::types::{Peer, StoredMembership, Types};
use florin_failpoints::failpoint;
use florin_ledger::id::NodeId;
use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::{ChangeMembers, Precondition, RaftMetrics, ServerState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::MutexGuard;

/// Why the members did not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeMembersError {
    /// Only a leader can change members.
    #[error("this node does not lead the group")]
    NotLeader {
        /// Who does, as far as is known.
        hint: Option<NodeId>,
    },
    /// Another change is under way, or the one before is not committed yet.
    #[error("the members are being changed already")]
    InProgress,
    /// The member that is to go may be alive.
    #[error("node {} was heard of just now, or would have been: nobody has led for long enough", .0.0)]
    Heard(NodeId),
    /// The change is not possible as the members are now.
    #[error("the change was refused: {0}")]
    Refused(String),
    /// The replica is shutting down or has failed.
    #[error("the replica has stopped")]
    Stopped,
}

impl Group {
    /// Adds a member that follows without a vote, and waits until it has caught up. A node that
    /// comes back under another incarnation must be removed first.
    pub async fn add_learner(&self, member: Member) -> Result<(), ChangeMembersError> {
        failpoint!(async "raft.members.learner");
        if let Some(added) = self.add(&member).await? {
            self.caught_up(&member, added).await?;
        }
        failpoint!(async "raft.members.caught_up");
        Ok(())
    }

    /// Says which entry the member must have to be as far as the group is; none if it votes already.
    async fn add(&self, member: &Member) -> Result<Option<u64>, ChangeMembersError> {
        let turn = self.inner.turn().await?;
        let now = self.inner.settle(&turn).await?;
        let votes = now.voter_ids().any(|voter| voter == member.node.0);
        match now.get_node(&member.node.0) {
            Some(known) if known.incarnation != member.incarnation => {
                let message = format!(
                    "node {} is a member under another incarnation; remove it first",
                    member.node.0
                );
                Err(ChangeMembersError::Refused(message))
            }
            Some(_) => {
                let committed = self.still_leads().await?;
                Ok((!votes).then_some(committed))
            }
            None => {
                let node = BTreeMap::from([(member.node.0, Peer::of(member))]);
                let add = ChangeMembers::AddNodes(node);
                let added = self.inner.change(&turn, &now, add).await?;
                Ok(Some(index(&added)))
            }
        }
    }

    /// Waits until a member's log holds the entry `index`. openraft's own waiting ends once a member
    /// lags less than what would earn it a snapshot, which is at once here.
    async fn caught_up(&self, member: &Member, index: u64) -> Result<(), ChangeMembersError> {
        let mut metrics = self.inner.raft.metrics();
        loop {
            let matched = {
                let metrics = metrics.borrow_watched();
                let hint = metrics.current_leader.map(NodeId);
                let known = metrics.replication.as_ref();
                // Only a leader knows how far the others are.
                let known = known.ok_or(ChangeMembersError::NotLeader { hint })?;
                ensure_still_added(&metrics, member, index)?;
                known
                    .get(&member.node.0)
                    .and_then(|matched| matched.as_ref().map(|at| at.index))
            };
            if matched >= Some(index) {
                return Ok(());
            }
            if metrics.changed().await.is_err() {
                return Err(ChangeMembersError::Stopped);
            }
        }
    }

    /// Gives a learner a vote.
    pub async fn promote(&self, member: &Member) -> Result<(), ChangeMembersError> {
        failpoint!(async "raft.members.promote");
        let turn = self.inner.turn().await?;
        let now = self.inner.settle(&turn).await?;
        let id = member.node.0;
        let known = now.get_node(&id);
        if known.is_none_or(|known| known.incarnation != member.incarnation) {
            return Err(not_a_member(member));
        }
        if now.voter_ids().any(|voter| voter == id) {
            return self.still_leads().await.map(drop);
        }
        let add = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
        self.inner.change(&turn, &now, add).await.map(drop)
    }

    /// Takes a node out of the group, if it is a member by this incarnation and this leader has not
    /// heard of it for so long. Says by which other one it is a member then, if it is: that one
    /// stays.
    pub async fn remove(
        &self,
        node: NodeId,
        incarnation: u64,
        silent_for: Duration,
    ) -> Result<Option<u64>, ChangeMembersError> {
        failpoint!(async "raft.members.remove");
        let turn = self.inner.turn().await?;
        let now = self.inner.settle(&turn).await?;
        let known = now.get_node(&node.0).map(|known| known.incarnation);
        if known != Some(incarnation) {
            return self.still_leads().await.map(|_| known);
        }
        if self.inner.silence(node) < silent_for {
            return Err(ChangeMembersError::Heard(node));
        }
        let nodes = BTreeSet::from([node.0]);
        let votes = now.voter_ids().any(|voter| voter == node.0);
        let remove = if votes {
            ChangeMembers::RemoveVoters(nodes)
        } else {
            ChangeMembers::RemoveNodes(nodes)
        };
        self.inner
            .change(&turn, &now, remove)
            .await
            .map(|_left| None)
    }

    /// Where nothing is to be done nothing is written, so nobody else would notice that this
    /// leader was replaced and the members are others by now. Says what was committed at least.
    async fn still_leads(&self) -> Result<u64, ChangeMembersError> {
        let deadline = Instant::now() + limits::SETTLE_TIMEOUT;
        self.read_index(deadline)
            .await
            .map_err(|error| match error {
                ReadError::NotLeader { hint } => ChangeMembersError::NotLeader { hint },
                ReadError::TimedOut => ChangeMembersError::NotLeader { hint: None },
                ReadError::Stopped => ChangeMembersError::Stopped,
            })
    }
}

impl Replicated {
    /// Waits for the turn to change members: whoever finishes a change must not mistake one that
    /// is under way here for one that was cut off.
    async fn turn(&self) -> Result<MutexGuard<'_, ()>, ChangeMembersError> {
        let turn = tokio::time::timeout(limits::SETTLE_TIMEOUT, self.changing.lock());
        turn.await.map_err(|_| ChangeMembersError::InProgress)
    }

    /// Waits until a quorum holds the newest configuration, and finishes the change if that is a
    /// joint one. What it returns is uniform and committed.
    async fn settle(
        &self,
        turn: &MutexGuard<'_, ()>,
    ) -> Result<Arc<StoredMembership>, ChangeMembersError> {
        let committed = tokio::time::timeout(limits::SETTLE_TIMEOUT, self.committed_members());
        let committed = committed
            .await
            .map_err(|_| ChangeMembersError::InProgress)??;
        if !is_joint(&committed) {
            return Ok(committed);
        }
        tracing::warn!(
            group = self.id.0,
            members = %committed.membership(),
            "a change of the voters was cut off half way: finishing it"
        );
        // Nothing is added, so what is proposed is what the joint configuration leads to.
        let nothing = ChangeMembers::AddVoterIds(BTreeSet::new());
        let settled = self.change(turn, &committed, nothing).await?;
        Ok(Arc::new(settled))
    }

    /// How long this leader has not heard of a member. One that it never heard of may have been
    /// alive until it was elected; of itself it hears always.
    fn silence(&self, node: NodeId) -> Duration {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if node.0 == metrics.id {
            return Duration::ZERO;
        }
        let heard = metrics.heartbeat.as_ref();
        let heard = heard.and_then(|heard| *heard.get(&node.0)?);
        let led = self.proposer.led_for().unwrap_or_default();
        heard.map_or(led, |at| at.elapsed())
    }

    async fn committed_members(&self) -> Result<Arc<StoredMembership>, ChangeMembersError> {
        let mut metrics = self.raft.metrics();
        loop {
            {
                let now = metrics.borrow_watched();
                if now.running_state.is_err() {
                    return Err(ChangeMembersError::Stopped);
                }
                if now.state != ServerState::Leader {
                    let hint = now.current_leader.map(NodeId);
                    return Err(ChangeMembersError::NotLeader { hint });
                }
                if now.membership_config.log_id() <= &now.local_committed {
                    return Ok(Arc::clone(&now.membership_config));
                }
            }
            if metrics.changed().await.is_err() {
                return Err(ChangeMembersError::Stopped);
            }
        }
    }

    /// Changes the members, if they are `from` still; returns once a quorum holds the uniform
    /// configuration that follows, and this leader has applied it. Removed voters do not stay as
    /// learners.
    async fn change(
        &self,
        _turn: &MutexGuard<'_, ()>,
        from: &StoredMembership,
        change: ChangeMembers<u64, Peer>,
    ) -> Result<StoredMembership, ChangeMembersError> {
        let unchanged = Precondition::LastMembershipLogId {
            last_membership_log_id: *from.log_id(),
        };
        let changed = self
            .raft
            .change_membership_if(change, false, [unchanged])
            .await;
        failpoint!(async "raft.members.changed");
        let changed = changed.map_err(change_error)?;
        let membership = changed
            .membership
            .unwrap_or_else(|| from.membership().clone());
        Ok(StoredMembership::new(Some(changed.log_id), membership))
    }
}

/// Finishes changes of the voters that were cut off, whenever this replica leads. Ends with the
/// group's consensus.
pub(crate) async fn finish_changes(group: Arc<Replicated>) {
    let mut metrics = group.raft.server_metrics();
    loop {
        let (state, joint) = {
            let now = metrics.borrow_watched();
            (now.state, is_joint(&now.membership_config))
        };
        if state == ServerState::Leader && joint {
            let finished = async {
                let turn = group.turn().await?;
                group.settle(&turn).await
            };
            match finished.await {
                Ok(_) => (),
                Err(ChangeMembersError::Stopped) => return,
                Err(error) => {
                    tracing::debug!(group = group.id.0, %error, "the change is not finished yet");
                }
            }
            // What was just done may not show yet.
            tokio::time::sleep(limits::SETTLE_PAUSE).await;
        } else if state == ServerState::Shutdown || metrics.changed().await.is_err() {
            return;
        }
    }
}

/// Whether a change of the voters is half done.
pub(crate) fn is_joint(membership: &StoredMembership) -> bool {
    membership.membership().get_joint_config().len() > 1
}

fn index(membership: &StoredMembership) -> u64 {
    membership.log_id().as_ref().map_or(0, |at| at.index)
}

/// Whoever waits for a member must not take its successor for it.
fn ensure_still_added(
    metrics: &RaftMetrics<Types>,
    member: &Member,
    added: u64,
) -> Result<(), ChangeMembersError> {
    let now = &metrics.membership_config;
    let known = now.get_node(&member.node.0);
    let is_there = known.is_some_and(|known| known.incarnation == member.incarnation);
    if is_there || index(now) < added {
        return Ok(());
    }
    Err(not_a_member(member))
}

fn not_a_member(member: &Member) -> ChangeMembersError {
    let message = format!(
        "node {} is no member by the incarnation {:016x}",
        member.node.0, member.incarnation
    );
    ChangeMembersError::Refused(message)
}

fn change_error(error: RaftError<Types, ClientWriteError<Types>>) -> ChangeMembersError {
    match error {
        RaftError::Fatal(_) => ChangeMembersError::Stopped,
        RaftError::APIError(
            ClientWriteError::ForwardToLeader(forward)
            | ClientWriteError::LogEntryDiscarded(forward),
        ) => ChangeMembersError::NotLeader {
            hint: forward.leader_id.map(NodeId),
        },
        // Somebody else changed them first.
        RaftError::APIError(
            ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_))
            | ClientWriteError::PreconditionFailed(_),
        ) => ChangeMembersError::InProgress,
        RaftError::APIError(error) => ChangeMembersError::Refused(error.to_string()),
    }
}
