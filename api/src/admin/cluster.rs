//! `/admin/v1/nodes` and `/admin/v1/groups`: how the cluster is.

use super::Admin;
use super::operator::{Call, route, serialize};
use crate::problem::Problem;
use crate::wire::{Time, list};
use axum::Router;
use axum::routing::MethodFilter;
use florin_ledger::id::{GroupId, NodeId};
use florin_ledger::query::List;
use florin_shards::{GroupStatus, NodeStatus, Role};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

const NODES: &str = "/admin/v1/nodes";
const GROUPS: &str = "/admin/v1/groups";

pub(super) fn add(router: Router<Arc<Admin>>) -> Router<Arc<Admin>> {
    router
        .route(NODES, route(MethodFilter::GET, nodes))
        .route(GROUPS, route(MethodFilter::GET, groups))
}

#[derive(Debug, Serialize)]
struct NodeBody<'a> {
    object: &'static str,
    id: Option<u64>,
    name: &'a str,
    region: &'a str,
    address: &'a str,
    version: &'a str,
    /// Why it did not answer.
    error: Option<&'a str>,
    replicas: Vec<ReplicaBody>,
}

#[derive(Debug, Serialize)]
struct GroupBody {
    object: &'static str,
    id: u32,
    members: Vec<u64>,
    leader: Option<u64>,
    replicas: Vec<ReplicaBody>,
}

#[derive(Debug, Serialize)]
struct ReplicaBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u64>,
    group: u32,
    role: &'static str,
    term: u64,
    leader: Option<u64>,
    last_log: Option<u64>,
    committed: Option<u64>,
    applied: Option<u64>,
    persisted: Option<u64>,
    members: Vec<u64>,
    /// Of a leader: entries that each other member is behind.
    lag: BTreeMap<u64, u64>,
    time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_hash: Option<String>,
}

impl ReplicaBody {
    fn new(status: &GroupStatus, node: Option<NodeId>) -> ReplicaBody {
        ReplicaBody {
            node: node.map(|node| node.0),
            group: status.group.0,
            role: match status.role {
                Role::Leader => "leader",
                Role::Follower => "follower",
                Role::Candidate => "candidate",
                Role::Learner => "learner",
                Role::Stopped => "stopped",
            },
            term: status.term,
            leader: status.leader.map(|node| node.0),
            last_log: status.last_log,
            committed: status.committed,
            applied: status.applied,
            persisted: status.persisted,
            members: status.members.iter().map(|node| node.0).collect(),
            lag: status
                .lag
                .iter()
                .map(|(node, lag)| (node.0, *lag))
                .collect(),
            time: Time(status.time),
            state_hash: status.state_hash.map(hex),
            chain_hash: status.chain_hash.map(hex),
        }
    }
}

/// With `hashes=true`, the hashes of every replica's state too: they cost the nodes a pass over
/// their accounts.
async fn status(call: &Call) -> Result<Vec<NodeStatus>, Problem> {
    let mut params = call.params()?;
    let hashes = params.take_as("hashes", |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("true or false is expected".to_owned()),
    })?;
    params.finish()?;
    Ok(call.with.backend.status(hashes.unwrap_or(false)).await)
}

async fn nodes(call: Call) -> Result<Vec<u8>, Problem> {
    let items = status(&call).await?;
    let nodes = List {
        items,
        has_more: false,
    };
    serialize(&list(NODES, &nodes, |node| NodeBody {
        object: "node",
        id: node.node.map(|id| id.0),
        name: &node.name,
        region: &node.region,
        address: &node.address,
        version: &node.version,
        error: node.error.as_deref(),
        replicas: node
            .groups
            .iter()
            .map(|status| ReplicaBody::new(status, None))
            .collect(),
    }))
}

async fn groups(call: Call) -> Result<Vec<u8>, Problem> {
    let nodes = status(&call).await?;
    let mut groups: BTreeMap<GroupId, Vec<(Option<NodeId>, &GroupStatus)>> = BTreeMap::new();
    for node in &nodes {
        for status in &node.groups {
            groups
                .entry(status.group)
                .or_default()
                .push((node.node, status));
        }
    }
    let groups = List {
        items: groups.into_iter().collect(),
        has_more: false,
    };
    serialize(&list(GROUPS, &groups, |(group, replicas)| {
        // Of two that call themselves leader, the later term is the one.
        let leading = replicas
            .iter()
            .filter(|(_, status)| status.role == Role::Leader)
            .max_by_key(|(_, status)| status.term);
        let newest = replicas.iter().max_by_key(|(_, status)| status.term);
        let members = newest.map_or(&[][..], |(_, status)| &status.members);
        GroupBody {
            object: "group",
            id: group.0,
            members: members.iter().map(|node| node.0).collect(),
            leader: leading.and_then(|(node, _)| node.map(|id| id.0)),
            replicas: replicas
                .iter()
                .map(|(node, status)| ReplicaBody::new(status, *node))
                .collect(),
        }
    }))
}

fn hex(hash: [u8; 32]) -> String {
    blake3::Hash::from_bytes(hash).to_hex().to_string()
}
