//! What nodes say of themselves.

use florin_ledger::id::{GroupId, NodeId, Timestamp};
use serde::{Deserialize, Serialize};

/// One node of the directory, or one seed that no directory names yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its number; `None` for a seed that did not answer.
    pub node: Option<NodeId>,
    /// For people.
    pub name: String,
    /// Where it runs.
    pub region: String,
    /// `host:port` of its gRPC listener.
    pub address: String,
    /// Made once with its data folder.
    pub incarnation: u64,
    /// Why it did not answer; its groups are unknown then.
    pub error: Option<String>,
    /// Version of its software.
    pub version: String,
    /// Its replicas, by group.
    pub groups: Vec<GroupStatus>,
}

/// One replica of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStatus {
    /// Which group.
    pub group: GroupId,
    /// What the replica is in it.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<NodeId>,
    /// Index of its last log entry.
    pub last_log: Option<u64>,
    /// Index that it knows as committed.
    pub committed: Option<u64>,
    /// Index that its ledger stands at.
    pub applied: Option<u64>,
    /// Index up to which its ledger is stored apart from the log.
    pub persisted: Option<u64>,
    /// Voters and learners.
    pub members: Vec<NodeId>,
    /// If it leads: how many entries each other member is behind.
    pub lag: Vec<(NodeId, u64)>,
    /// The group's clock.
    pub time: Timestamp,
    /// Hash of its ledger at `applied`, if hashes were asked for.
    pub state_hash: Option<[u8; 32]>,
    /// Hash of the last journal record at `applied`, if hashes were asked for.
    pub chain_hash: Option<[u8; 32]>,
}

/// What a replica is in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Orders and answers.
    Leader,
    /// Follows and votes.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Follows and does not vote.
    Learner,
    /// Stopped by a fault of its log or by shutdown.
    Stopped,
}
