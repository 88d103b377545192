//! The links to all nodes, found by node.

use crate::link::Link;
use florin_ledger::directory::Directory;
use florin_ledger::id::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All links as they are at a moment; made anew when one changes.
#[derive(Default)]
pub(super) struct Links {
    by_address: BTreeMap<String, Arc<Link>>,
    up: BTreeMap<NodeId, Arc<Link>>,
}

impl Links {
    /// With these links, whichever of them are up.
    pub(super) fn new(by_address: BTreeMap<String, Arc<Link>>, directory: &Directory) -> Links {
        let mut up: BTreeMap<NodeId, Arc<Link>> = BTreeMap::new();
        for link in by_address.values() {
            let Some(node) = link.node() else { continue };
            // A seed may be another name of the same node: the directory's name is preferred.
            let named = directory
                .nodes
                .get(&node)
                .is_some_and(|known| *known.value.address == *link.address);
            if named || !up.contains_key(&node) {
                up.insert(node, link.clone());
            }
        }
        Links { by_address, up }
    }

    pub(super) fn by_address(&self) -> &BTreeMap<String, Arc<Link>> {
        &self.by_address
    }

    /// The link to a node, if it is up.
    pub(super) fn of(&self, node: NodeId) -> Option<Arc<Link>> {
        self.up.get(&node).cloned()
    }

    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.up.contains_key(&node)
    }

    /// The nodes whose links are up.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        self.up.keys().copied().collect()
    }
}
