//! Tells raft where the directory wants leaders to be.

use crate::connector::Connector;
use crate::router::{Router, RouterOptions};
use florin_ledger::directory::{Group, Item};
use florin_ledger::id::{DIRECTORY, GroupId, NodeId};
use florin_raft::{Group as Replica, Host};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often a node without a replica of the directory looks whether it has one now.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// What a node needs to follow the directory.
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// This node.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// How connections to other nodes are opened, for nodes that hold no replica of the directory.
    pub connector: Connector,
}

/// Follows the directory for ever: from this node's own replica if there is one, else from its
/// peers. To be spawned beside the gateway, and aborted when the node stops.
pub async fn follow(host: Host, options: FollowOptions) {
    let mut told = BTreeMap::new();
    loop {
        match host.group(DIRECTORY) {
            Some(replica) => follow_own(&host, &options, &replica, &mut told).await,
            None => follow_peers(&host, &options, &mut told).await,
        }
    }
}

type Told = BTreeMap<GroupId, Vec<NodeId>>;

async fn follow_own(host: &Host, options: &FollowOptions, replica: &Replica, told: &mut Told) {
    let mut applied = replica.watch_applied();
    let mut since = 0;
    loop {
        applied.borrow_and_update();
        let (version, items) = replica.replica().directory_since(since);
        since = version;
        for item in &items {
            if let Item::Group(group) = item {
                tell(host, options, &group.value, told);
            }
        }
        if applied.changed().await.is_err() {
            // The replica has stopped; the node may be about to.
            tokio::time::sleep(LOOK_INTERVAL).await;
            return;
        }
    }
}

async fn follow_peers(host: &Host, options: &FollowOptions, told: &mut Told) {
    let members = host
        .groups()
        .into_iter()
        .filter_map(|id| host.group(id))
        .flat_map(|group| group.status().members);
    let mut seeds: Vec<String> = members
        .filter(|member| member.node != options.node)
        .map(|member| member.address)
        .collect();
    seeds.sort();
    seeds.dedup();
    if seeds.is_empty() {
        tokio::time::sleep(LOOK_INTERVAL).await;
        return;
    }
    let router = Router::connect(RouterOptions::new(
        &options.cluster,
        seeds,
        options.connector.clone(),
    ))
    .await;
    let mut version = 0;
    while host.group(DIRECTORY).is_none() {
        let deadline = Instant::now() + LOOK_INTERVAL;
        router
            .wait_directory(deadline, |directory| directory.version > version)
            .await;
        let directory = router.directory();
        version = directory.version;
        for group in directory.groups.values() {
            tell(host, options, &group.value, told);
        }
    }
    router.shutdown().await;
}

fn tell(host: &Host, options: &FollowOptions, group: &Group, told: &mut Told) {
    if group.members.contains(&options.node) && told.get(&group.id) != Some(&group.members) {
        told.insert(group.id, group.members.clone());
        host.set_preference(group.id, group.members.clone());
    }
}
