//! `florin status`: nodes, groups, leaders and lag.

use super::init::operator;
use super::output::print_table;
use anyhow::{Result, bail};
use florin_shards::{GroupStatus, NodeStatus, Role, Router, RouterOptions};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// How long a node that was just learnt of may take to be connected.
const CONNECTING: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The cluster's name
    #[arg(long)]
    cluster: String,
    /// host:port of some nodes; the others are learnt from them
    #[arg(
        long,
        value_name = "HOST:PORT,…",
        value_delimiter = ',',
        required = true
    )]
    nodes: Vec<String>,
    /// The folder with ca.pem, operator.pem and operator.key
    #[arg(long, value_name = "DIR")]
    certs: PathBuf,
    /// Compare the replicas by the hashes of their ledgers; costs the nodes some work
    #[arg(long)]
    hashes: bool,
    /// Seconds to wait for a node that answers
    #[arg(long, default_value_t = 5)]
    timeout: u64,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let router = Router::connect(RouterOptions {
        seeds: args.nodes.clone(),
        cluster: args.cluster.clone(),
        region: String::new(),
        attempt_timeout: Duration::from_secs(2),
        connector: operator(&args.certs)?.connector(),
    })
    .await;
    let patience = Duration::from_secs(args.timeout);
    let known = router.wait_ready(Instant::now() + patience).await;
    // Nodes that the directory has just named are called down only after a fair try.
    let tried = Instant::now() + patience.min(CONNECTING);
    for node in router.directory().nodes.keys() {
        router.wait_node(*node, tried).await;
    }
    let nodes = if args.hashes {
        router.status_with_hashes().await
    } else {
        router.status().await
    };
    router.shutdown().await;
    print_nodes(&nodes);
    if !nodes.iter().any(|node| node.error.is_none()) {
        bail!("no node of cluster `{}` answers", args.cluster);
    }
    if !known {
        bail!("the nodes answer and no directory came: `florin init` makes them a cluster");
    }
    println!();
    print_groups(&nodes, args.hashes);
    Ok(ExitCode::SUCCESS)
}

fn print_nodes(nodes: &[NodeStatus]) {
    let rows: Vec<Vec<String>> = nodes
        .iter()
        .map(|node| {
            let leads = node
                .groups
                .iter()
                .filter(|group| group.role == Role::Leader)
                .count();
            let state = node.error.clone().unwrap_or_else(|| standing(node));
            let number = node.node.map_or_else(|| "?".into(), |id| id.0.to_string());
            let (groups, leads) = (node.groups.len().to_string(), leads.to_string());
            vec![
                number,
                node.name.clone(),
                node.region.clone(),
                node.address.clone(),
                groups,
                leads,
                state,
            ]
        })
        .collect();
    print_table(
        &[
            "NODE", "NAME", "REGION", "ADDRESS", "GROUPS", "LEADS", "STATE",
        ],
        &rows,
    );
}

/// A node that answers is up, though a fault may have stopped some of its replicas.
fn standing(node: &NodeStatus) -> String {
    let stopped = node
        .groups
        .iter()
        .filter(|group| group.role == Role::Stopped);
    let stopped: Vec<String> = stopped.map(|group| group.group.0.to_string()).collect();
    match stopped.as_slice() {
        [] => "up".into(),
        groups => format!("up; stopped in group {}", groups.join(", ")),
    }
}

/// One row per group: its leader's view, and how far the slowest replica is behind.
fn print_groups(nodes: &[NodeStatus], hashes: bool) {
    let mut replicas: BTreeMap<u32, Vec<(&NodeStatus, &GroupStatus)>> = BTreeMap::new();
    for node in nodes {
        for group in &node.groups {
            replicas
                .entry(group.group.0)
                .or_default()
                .push((node, group));
        }
    }
    let mut rows = Vec::new();
    for (group, replicas) in replicas {
        let leader = replicas
            .iter()
            .find(|(_, replica)| replica.role == Role::Leader);
        let applied: Vec<u64> = replicas
            .iter()
            .map(|(_, replica)| replica.applied.unwrap_or(0))
            .collect();
        let newest = applied.iter().max().copied().unwrap_or(0);
        let lag = newest - applied.iter().min().copied().unwrap_or(0);
        let members = leader.map_or(replicas.len(), |(_, replica)| replica.members.len());
        let mut row = vec![
            group.to_string(),
            leader.map_or_else(|| "none".into(), |(node, _)| node.name.clone()),
            leader.map_or(0, |(_, replica)| replica.term).to_string(),
            format!("{} of {members}", replicas.len()),
            newest.to_string(),
            lag.to_string(),
        ];
        if hashes {
            row.push(agreement(&replicas));
        }
        rows.push(row);
    }
    let mut headings = vec!["GROUP", "LEADER", "TERM", "REPLICAS", "APPLIED", "LAG"];
    if hashes {
        headings.push("HASHES");
    }
    print_table(&headings, &rows);
}

/// Replicas can be compared only where they have applied as much.
fn agreement(replicas: &[(&NodeStatus, &GroupStatus)]) -> String {
    let mut by_index: BTreeMap<Option<u64>, Vec<Option<[u8; 32]>>> = BTreeMap::new();
    for (_, replica) in replicas {
        by_index
            .entry(replica.applied)
            .or_default()
            .push(replica.state_hash);
    }
    let differs = by_index
        .values()
        .any(|hashes| hashes.windows(2).any(|pair| pair[0] != pair[1]));
    match (differs, by_index.len()) {
        (true, _) => "DIFFER".into(),
        (false, 1) => "equal".into(),
        (false, _) => "equal where comparable".into(),
    }
}
