//! Whether a cluster can be formed of what was asked for and what is there already.

use super::{FormError, FormOptions, Reached};
use florin_ledger::directory::{Directory, Group, Node};
use florin_ledger::id::{GroupId, NodeId};
use std::collections::BTreeMap;

pub(super) fn options(options: &FormOptions) -> Result<(), FormError> {
    let invalid = |why: String| Err(FormError::Invalid(why));
    if options.groups == 0 {
        return invalid("a cluster needs at least one group".to_owned());
    }
    if !matches!(options.replicas, 1 | 3 | 5) {
        return invalid(format!(
            "a group has 1, 3 or 5 replicas, not {}",
            options.replicas
        ));
    }
    if options.replicas > options.nodes.len() {
        return invalid(format!(
            "{} replicas need as many nodes; there are {}",
            options.replicas,
            options.nodes.len()
        ));
    }
    Ok(())
}

pub(super) fn nodes(reached: &[Reached], cluster: &str) -> Result<(), FormError> {
    let mut seen: BTreeMap<u64, &str> = BTreeMap::new();
    for node in reached {
        if node.hello.cluster != cluster {
            return Err(FormError::OtherCluster {
                address: node.address.clone(),
                theirs: node.hello.cluster.clone(),
                ours: cluster.to_owned(),
            });
        }
        if let Some(first) = seen.insert(node.hello.node, &node.address) {
            let (first, second) = (first.to_owned(), node.address.clone());
            return Err(FormError::DuplicateId {
                first,
                second,
                id: node.hello.node,
            });
        }
    }
    Ok(())
}

/// Whether the directory says that the cluster was formed from these nodes, with so many groups.
pub(super) fn stands(directory: &Directory, nodes: &[Node], groups: u32) -> bool {
    let same = |node: &Node| {
        directory
            .nodes
            .get(&node.id)
            .is_some_and(|known| known.value.incarnation == node.incarnation)
    };
    directory
        .groups
        .keys()
        .copied()
        .eq((0..=groups).map(GroupId))
        && nodes.iter().all(same)
}

/// A directory that is not complete must be on the way to what is to be formed.
pub(super) fn directory(
    said_by: u64,
    directory: &Directory,
    groups: &[Group],
) -> Result<(), FormError> {
    for known in directory.groups.values() {
        if !groups.contains(&known.value) {
            let reason = format!(
                "its directory knows group {} otherwise than it would be formed now",
                known.value.id.0
            );
            return Err(FormError::OtherShape {
                node: said_by,
                reason,
            });
        }
    }
    Ok(())
}

/// Replicas that are there already must be such as would be made.
pub(super) fn replicas(reached: &[Reached], groups: &[Group]) -> Result<(), FormError> {
    for node in reached {
        for held in &node.hello.groups {
            let planned = groups.iter().find(|group| group.id.0 == *held);
            if !planned.is_some_and(|group| group.members.contains(&NodeId(node.hello.node))) {
                let reason = format!(
                    "it holds a replica of group {held}, which would not be placed there now"
                );
                return Err(FormError::OtherShape {
                    node: node.hello.node,
                    reason,
                });
            }
        }
    }
    Ok(())
}
