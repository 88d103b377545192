//! What a group says about itself.

use crate::members::is_joint;
use crate::options::Member;
use crate::replicated::Replicated;
use crate::types::{self, Types};
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::LogPosition;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Instant, RaftMetrics, ServerState};
use std::time::Duration;

/// One replica of a group, as seen by its node.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Which group.
    pub group: GroupId,
    /// What this replica is.
    pub role: Role,
    /// The term it is in.
    pub term: u64,
    /// The leader it knows of.
    pub leader: Option<NodeId>,
    /// The newest entry of its log.
    pub last_log: Option<u64>,
    /// The newest entry it knows to be committed.
    pub committed: Option<LogPosition>,
    /// The newest entry that its ledger holds.
    pub applied: Option<LogPosition>,
    /// The newest entry that its ledger holds on disk, outside the log.
    pub persisted: Option<LogPosition>,
    /// The newest entry that is no longer in the log.
    pub purged: Option<LogPosition>,
    /// Voters and learners.
    pub members: Vec<Member>,
    /// Whether a quorum is known to hold the entry that made them so.
    pub members_committed: bool,
    /// Whether a change of the voters is half done: those before and those after vote.
    pub members_joint: bool,
    /// Those of them that vote.
    pub voters: Vec<NodeId>,
    /// If it leads: how long ago a quorum last acknowledged it.
    pub quorum_acknowledged: Option<Duration>,
    /// If it leads: how far the others are.
    pub peers: Vec<PeerStatus>,
    /// Requests that wait to be proposed.
    pub queued: usize,
    /// What the last reading of its ledger on disk found, if there was one since the start.
    pub scrubbed: Option<Scrubbed>,
    /// Why it stopped, if it did.
    pub stopped: Option<String>,
}

/// What a scrub of a ledger on disk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    /// Journal records that were read.
    pub records: u64,
    /// Things that are wrong; the log names them.
    pub problems: usize,
}

/// Another member, as seen by the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Which.
    pub node: NodeId,
    /// The newest entry known to be in its log.
    pub matched: Option<u64>,
    /// How many entries it is behind.
    pub lag: u64,
    /// How long ago it last acknowledged the leader.
    pub acknowledged: Option<Duration>,
}

/// What a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It has a log but no vote.
    Learner,
    /// It follows a leader.
    Follower,
    /// It stands for election.
    Candidate,
    /// It leads.
    Leader,
    /// It has stopped.
    Stopped,
}

impl GroupStatus {
    pub(crate) fn of(group: &Replicated) -> GroupStatus {
        let metrics = group.raft.metrics().borrow_watched().clone();
        let membership = &metrics.membership_config;
        GroupStatus {
            group: group.id,
            role: role(metrics.state),
            term: metrics.current_term,
            leader: *group.leader.borrow(),
            last_log: metrics.last_log_index,
            committed: metrics.local_committed.as_ref().map(types::to_position),
            applied: group.replica.applied(),
            persisted: group.replica.persisted(),
            purged: metrics.purged.as_ref().map(types::to_position),
            members: membership
                .nodes()
                .map(|(id, peer)| peer.member(*id))
                .collect(),
            members_committed: membership.log_id() <= &metrics.local_committed,
            members_joint: is_joint(membership),
            voters: membership.voter_ids().map(NodeId).collect(),
            quorum_acknowledged: metrics.last_quorum_acked.map(|at| at.elapsed()),
            peers: peers(&metrics),
            queued: group.proposer.queued(),
            scrubbed: *group.scrubbed.lock(),
            stopped: metrics
                .running_state
                .as_ref()
                .err()
                .map(ToString::to_string),
        }
    }
}

fn role(state: ServerState) -> Role {
    match state {
        ServerState::Learner => Role::Learner,
        ServerState::Follower => Role::Follower,
        ServerState::Candidate => Role::Candidate,
        ServerState::Leader => Role::Leader,
        ServerState::Shutdown => Role::Stopped,
    }
}

fn peers(metrics: &RaftMetrics<Types>) -> Vec<PeerStatus> {
    let Some(replication) = &metrics.replication else {
        return Vec::new();
    };
    let entries = metrics.last_log_index.map_or(0, |last| last + 1);
    let heard = |id: &u64| metrics.heartbeat.as_ref()?.get(id).copied().flatten();
    let others = replication.iter().filter(|(id, _)| **id != metrics.id);
    let status = others.map(|(id, matched)| {
        let matched = matched.as_ref().map(|log_id| log_id.index);
        PeerStatus {
            node: NodeId(*id),
            matched,
            lag: entries.saturating_sub(matched.map_or(0, |at| at + 1)),
            acknowledged: heard(id).map(|at| at.elapsed()),
        }
    });
    status.collect()
}
