//! To whom a fault is done.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// To whom a fault is done. Leaders and followers are those of the group of the load's first
/// partner, when the fault is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Target {
    /// Its leader.
    Leader,
    /// One of its followers, drawn from the seed.
    Follower,
    /// Any node, drawn from the seed.
    Any,
    /// This node.
    Node(u64),
    /// One frontend, drawn from the seed.
    Frontend,
    /// Every process in the leader's region.
    LeaderRegion,
    /// As many nodes as can be lost, the leader among them.
    Minority,
    /// Every node at the same time.
    All,
    /// Every node, one after the other.
    Each,
    /// The same node for all faults of a run, drawn from the seed. What destroys data is done to
    /// it alone, or the copies that a quorum needs could be destroyed one by one.
    Victim,
    /// Every link between nodes, and between nodes and frontends.
    Links,
    /// The load.
    Clients,
}

const NAMES: &[(Target, &str)] = &[
    (Target::Leader, "leader"),
    (Target::Follower, "follower"),
    (Target::Any, "any"),
    (Target::Frontend, "frontend"),
    (Target::LeaderRegion, "leader-region"),
    (Target::Minority, "minority"),
    (Target::All, "all"),
    (Target::Each, "each"),
    (Target::Victim, "victim"),
    (Target::Links, "links"),
    (Target::Clients, "clients"),
];

/// What is no target.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no target; there are: {names}, node-1, …", names = names())]
pub struct NoTarget(String);

fn names() -> String {
    let names: Vec<&str> = NAMES.iter().map(|(_, name)| *name).collect();
    names.join(", ")
}

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Target, NoTarget> {
        if let Some((target, _)) = NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*target);
        }
        let number = text.strip_prefix("node-").and_then(|id| id.parse().ok());
        match number {
            Some(id) if id > 0 => Ok(Target::Node(id)),
            _ => Err(NoTarget(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = NoTarget;

    fn try_from(text: String) -> Result<Target, NoTarget> {
        text.parse()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Target::Node(id) = self {
            return write!(f, "node-{id}");
        }
        let named = NAMES.iter().find(|(target, _)| target == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}
