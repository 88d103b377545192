//! What a group says about itself.

use crate::options::Member;
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::LogPosition;
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
    /// Those of them that vote.
    pub voters: Vec<NodeId>,
    /// If it leads: how long ago a quorum last acknowledged it.
    pub quorum_acknowledged: Option<Duration>,
    /// If it leads: how far the others are.
    pub peers: Vec<PeerStatus>,
    /// Requests that wait to be proposed.
    pub queued: usize,
    /// Why it stopped, if it did.
    pub stopped: Option<String>,
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
