//! Whom a target means at the moment.

use super::Scene;
use crate::fabric::Host;
use crate::fabric::dice::Dice;
use crate::scenario::Target;
use anyhow::{Context, Result};
use florin_ledger::id::GroupId;
use florin_node::cluster::Role;
use std::time::Duration;
use tokio::time::Instant;

/// How long a group may be without a leader before a fault that wants one gives up.
const LEADER: Duration = Duration::from_secs(30);

/// Whom it means, and which of the load's groups will notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The groups of the load that are expected to be touched.
    pub groups: Vec<u64>,
}

/// Whom the target means at the moment; one set for [`Target::Each`] of its nodes.
pub async fn whom(scene: &Scene, target: Target, dice: &mut Dice, seed: u64) -> Result<Vec<Whom>> {
    let cluster = scene.playground.cluster();
    let nodes: Vec<u64> = cluster.nodes().iter().map(|node| node.id).collect();
    let hosts = |some: &[u64]| -> Vec<Host> { some.iter().map(|id| Host::Node(*id)).collect() };
    let hosts = match target {
        Target::Leader => hosts(&[leader(scene).await?]),
        Target::Follower => {
            let leader = leader(scene).await?;
            let others: Vec<u64> = nodes.into_iter().filter(|id| *id != leader).collect();
            hosts(&[pick(&others, dice)?])
        }
        Target::Any => hosts(&[pick(&nodes, dice)?]),
        Target::Victim => hosts(&[pick(&nodes, &mut Dice::apart(seed, VICTIM))?]),
        Target::Node(id) => hosts(&[id]),
        Target::Frontend => {
            let frontends = cluster.topology().frontends.len();
            vec![Host::Frontend(dice.below(frontends as u64) as usize)]
        }
        Target::LeaderRegion => region_of(scene, leader(scene).await?),
        Target::Minority => {
            let leader = leader(scene).await?;
            let others = nodes.iter().copied().filter(|id| *id != leader);
            let all: Vec<u64> = std::iter::once(leader).chain(others).collect();
            hosts(
                all.get(..nodes.len().saturating_sub(1) / 2)
                    .unwrap_or_default(),
            )
        }
        Target::All | Target::Links => hosts(&nodes),
        Target::Each => {
            let mut each = Vec::new();
            for id in nodes {
                each.push(touching(scene, vec![Host::Node(id)]).await);
            }
            return Ok(each);
        }
        Target::Clients => Vec::new(),
    };
    let whom = match target {
        // Only the group that they follow; what else they lead is not what is looked at.
        Target::Follower => Whom {
            hosts,
            groups: scene.groups.first().copied().into_iter().collect(),
        },
        Target::All | Target::Links | Target::Clients | Target::Frontend => {
            let groups = Vec::new();
            Whom { hosts, groups }
        }
        _ => touching(scene, hosts).await,
    };
    Ok(vec![whom])
}

/// Keeps the victim apart from other things that are drawn.
const VICTIM: u64 = 0x7669_6374;

/// These hosts, and the load's groups that some of them lead; all, if they lead none.
async fn touching(scene: &Scene, hosts: Vec<Host>) -> Whom {
    let status = scene.status().await;
    let hit = |node: Option<u64>| node.is_some_and(|id| hosts.contains(&Host::Node(id)));
    let nodes = status.iter().filter(|one| hit(one.node.map(|id| id.0)));
    let led = nodes
        .flat_map(|node| &node.groups)
        .filter(|replica| replica.role == Role::Leader)
        .map(|replica| u64::from(replica.group.0));
    let groups = led.filter(|group| scene.groups.contains(group)).collect();
    Whom { hosts, groups }
}

/// The leader of the group of the load's first partner.
pub async fn leader(scene: &Scene) -> Result<u64> {
    let group = scene.groups.first().context("the load has no group")?;
    let group = GroupId(u32::try_from(*group)?);
    let cluster = scene.playground.cluster();
    Ok(cluster.leader_of(group, Instant::now() + LEADER).await?.0)
}

/// Every process in the region of a node.
fn region_of(scene: &Scene, node: u64) -> Vec<Host> {
    let topology = scene.playground.cluster().topology();
    let of = topology.nodes.iter().find(|one| one.id == node);
    let region = of.map(|one| one.region.as_str()).unwrap_or_default();
    let nodes = topology.nodes.iter().filter(|one| one.region == region);
    let nodes = nodes.map(|one| Host::Node(one.id));
    let frontends = topology.frontends.iter().enumerate();
    let frontends = frontends.filter(|(_, one)| one.region == region);
    nodes
        .chain(frontends.map(|(at, _)| Host::Frontend(at)))
        .collect()
}

fn pick(among: &[u64], dice: &mut Dice) -> Result<u64> {
    let at = dice.below(among.len() as u64) as usize;
    among.get(at).copied().context("there is no such node")
}
