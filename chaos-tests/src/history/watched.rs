//! What was seen of the cluster from outside, beside what clients were told: faults, leaders,
//! replicas, failpoints, and how the run can be repeated.

use serde::{Deserialize, Serialize};

/// How a run can be repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// What all its chance was drawn from.
    pub seed: u64,
    /// The version of what was tested.
    pub version: String,
    /// The command that repeats it.
    pub command: String,
    /// Nodes and regions, in words.
    pub topology: String,
    /// What carried the packets: `tun`, `proxy`, `none`.
    pub fabric: String,
    /// Processors, memory, kernel.
    pub machine: String,
}

/// Something that was broken on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What was done to whom.
    pub what: String,
    /// Its kind, such as `kill`; empty in histories that do not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// The names of the nodes, frontends or links that it was done to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// The groups that it is expected to touch; none named: all that payments were asked of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u64>,
    /// When it was certainly in effect.
    pub began: u64,
    /// When its end was begun; nothing if it lasted until the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// When it was certainly not in effect any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healed: Option<u64>,
    /// How it was seen to be in effect; nothing if it was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// It leaves the groups that it touches without a quorum: nothing can be acknowledged during it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quorum_lost: bool,
    /// What clients may notice of it at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
}

/// What clients may notice of a fault at most. What is not given is not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bound {
    /// From when it began to the next acknowledged payment of each group that it touches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_ms: Option<u64>,
    /// The same, from when it was healed (or its end was begun): for faults that leave no quorum,
    /// or that only end with their last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recover_after_ms: Option<u64>,
    /// The longest time without an acknowledged payment in each group that it touches, from
    /// before it began until some time after it was healed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_ms: Option<u64>,
    /// The 99th percentile of the time that payments take during it, in round trips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_round_trips: Option<u64>,
    /// How long a round trip takes then; needed with `p99_round_trips`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<u64>,
    /// How often the leader of each group that it touches may change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader_changes: Option<u64>,
}

/// Who led a group, as it was seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leader {
    /// When it was seen.
    pub at: u64,
    /// Which group.
    pub group: u64,
    /// The node that said it leads; nothing: none said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The term.
    pub term: u64,
}

/// From when on nothing was broken any more, so that fresh payments must be acknowledged soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healed {
    /// When the last fault was healed.
    pub at: u64,
    /// How soon every group must have acknowledged a payment that was sent after it.
    pub bound_ms: u64,
}

/// What a replica said of its state, after the last operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    /// Its node's name.
    pub node: String,
    /// Which group.
    pub group: u64,
    /// Index of the last entry that it applied.
    pub applied: u64,
    /// The hash of its state, hexadecimal; nothing if it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// How often a failpoint was hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hits {
    /// The node whose process it was.
    pub node: String,
    /// The failpoint.
    pub site: String,
    /// How often its line was reached.
    pub hits: u64,
    /// How often it did what it was armed with.
    pub fired: u64,
}
