//! What is left after a run: what every replica holds, and how often failpoints were hit.

use crate::history::{Hits, Replica};
use crate::limits::LOOK;
use crate::playground::Playground;
use florin_node::cluster::Cluster;
use florin_node::cluster::NodeStatus;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Waits until all replicas of each group hold the same; answers what they hold, and what is
/// missing if they do not within this time.
pub async fn replicas(cluster: &Cluster, patience: Duration) -> (Vec<Replica>, Option<String>) {
    replicas_by(|| cluster.status(true), patience).await
}

/// The same, whoever asks.
pub async fn replicas_by<F>(
    ask: impl Fn() -> F,
    patience: Duration,
) -> (Vec<Replica>, Option<String>)
where
    F: Future<Output = Vec<NodeStatus>>,
{
    let by = Instant::now() + patience;
    loop {
        let status = ask().await;
        let lack = lack(&status);
        if lack.is_none() || Instant::now() > by {
            let lack = lack.map(|lack| format!("not settled after {patience:?}: {lack}"));
            return (status.iter().flat_map(of).collect(), lack);
        }
        sleep(LOOK).await;
    }
}

fn lack(status: &[NodeStatus]) -> Option<String> {
    if status.is_empty() {
        return Some("nobody answers".into());
    }
    let mut groups: BTreeMap<u64, BTreeSet<(u64, Option<String>)>> = BTreeMap::new();
    for node in status {
        if let Some(error) = &node.error {
            return Some(format!("{}: {error}", node.name));
        }
        for replica in of(node) {
            let held = (replica.applied, replica.hash);
            groups.entry(replica.group).or_default().insert(held);
        }
    }
    let differs = groups.into_iter().find(|(_, held)| held.len() > 1);
    differs.map(|(group, held)| {
        let applied: Vec<u64> = held.iter().map(|(applied, _)| *applied).collect();
        format!("replicas of group {group} differ, applied {applied:?}")
    })
}

fn of(node: &NodeStatus) -> Vec<Replica> {
    let all = node.groups.iter().map(|replica| Replica {
        node: node.name.clone(),
        group: u64::from(replica.group.0),
        applied: replica.applied.unwrap_or_default(),
        hash: replica.state_hash.map(hexadecimal),
    });
    all.collect()
}

fn hexadecimal(hash: [u8; 32]) -> String {
    let mut text = String::new();
    for byte in hash {
        let _to_memory = write!(text, "{byte:02x}");
    }
    text
}

/// What the processes say of their failpoints; nothing if they were built without.
pub fn hits(playground: &Playground) -> Vec<Hits> {
    let topology = playground.cluster().topology();
    let mut all = Vec::new();
    for host in playground.hosts() {
        let node = match host {
            crate::fabric::Host::Node(id) => playground.cluster().name_of(id),
            crate::fabric::Host::Frontend(at) => {
                let named = topology.frontends.get(at);
                named.map(|one| one.name.clone()).unwrap_or_default()
            }
            crate::fabric::Host::Client => continue,
        };
        let hits = playground
            .arm(host)
            .map(|arm| arm.hits())
            .unwrap_or_default();
        for (site, hits, fired) in hits {
            let node = node.clone();
            all.push(Hits {
                node,
                site,
                hits,
                fired,
            });
        }
    }
    all
}
