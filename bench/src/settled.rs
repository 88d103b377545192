//! Waiting until a cluster is whole: every replica runs, follows one leader, and is near it.

use anyhow::{Result, bail};
use florin_ledger::id::GroupId;
use florin_node::cluster::Cluster;
use florin_shards::{NodeStatus, Role};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// A replica that is no further behind than this has caught up: under load none is ever level.
const NEAR: u64 = 200;

/// Waits until the cluster is whole.
pub async fn wait(cluster: &Cluster, by: Instant) -> Result<()> {
    loop {
        let why = match unsettled(&cluster.status(false).await) {
            None => return Ok(()),
            Some(why) => why,
        };
        if Instant::now() > by {
            bail!("the cluster is not whole: {why}");
        }
        sleep(LOOK).await;
    }
}

/// The node that leads each group.
pub async fn leaders(cluster: &Cluster) -> BTreeMap<GroupId, u64> {
    let mut leaders = BTreeMap::new();
    for node in cluster.status(false).await {
        for group in &node.groups {
            if let (Role::Leader, Some(id)) = (group.role, node.node) {
                leaders.insert(group.group, id.0);
            }
        }
    }
    leaders
}

/// Why it is not whole yet, if it is not.
fn unsettled(nodes: &[NodeStatus]) -> Option<String> {
    let mut committed: BTreeMap<GroupId, u64> = BTreeMap::new();
    for node in nodes {
        if let Some(error) = &node.error {
            return Some(format!("{}: {error}", node.name));
        }
        for group in &node.groups {
            let seen = committed.entry(group.group).or_default();
            *seen = (*seen).max(group.committed.unwrap_or(0));
        }
    }
    if committed.is_empty() {
        return Some("no group is there yet".to_owned());
    }
    for (group, committed) in committed {
        let replicas = || {
            nodes
                .iter()
                .flat_map(|node| &node.groups)
                .filter(|one| one.group == group)
        };
        let leading = replicas().filter(|one| one.role == Role::Leader).count();
        if leading != 1 {
            return Some(format!("group {} has {leading} leaders", group.0));
        }
        let members = replicas().map(|one| one.members.len()).max().unwrap_or(0);
        if replicas().count() < members {
            return Some(format!("a replica of group {} does not run", group.0));
        }
        let behind = |applied: Option<u64>| applied.unwrap_or(0) + NEAR < committed;
        if replicas().any(|one| one.leader.is_none() || behind(one.applied)) {
            return Some(format!("a replica of group {} is behind", group.0));
        }
    }
    None
}
