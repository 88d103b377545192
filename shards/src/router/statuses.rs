//! How all nodes are, asked at once.

use super::Shared;
use crate::limits::{HASHES_TIMEOUT, STATUS_TIMEOUT};
use crate::link::{Link, words};
use crate::status::NodeStatus;
use crate::wire::decode;
use crate::wire::proto::StatusRequest;
use florin_ledger::directory::Directory;
use florin_ledger::id::NodeId;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Shared {
    /// One status for each node, by number; seeds count only until a directory names the nodes.
    pub(super) async fn status(&self, hashes: bool) -> Vec<NodeStatus> {
        let directory = self.directory.load_full();
        let links = self.links.load_full();
        let mut asked = BTreeSet::new();
        let mut chosen: Vec<Arc<Link>> = Vec::new();
        for node in links.nodes() {
            chosen.extend(links.of(node));
            asked.insert(node);
        }
        for (address, link) in links.by_address() {
            let named = directory
                .nodes
                .values()
                .find(|node| *node.value.address == **address);
            let unknown = link.node().is_none()
                && named.map_or(directory.nodes.is_empty(), |node| {
                    asked.insert(node.value.id)
                });
            if unknown {
                chosen.push(link.clone());
            }
        }
        let mut statuses = join_all(chosen.iter().map(|link| ask(link, &directory, hashes))).await;
        statuses.sort_by(|a, b| (a.node, &a.address).cmp(&(b.node, &b.address)));
        statuses
    }
}

async fn ask(link: &Link, directory: &Directory, hashes: bool) -> NodeStatus {
    let Some(standing) = link.standing() else {
        return silent(link, None, directory, link.trouble());
    };
    let mut client = standing.client.clone();
    let patience = if hashes {
        HASHES_TIMEOUT
    } else {
        STATUS_TIMEOUT
    };
    let error = match tokio::time::timeout(patience, client.status(StatusRequest { hashes })).await
    {
        Ok(Ok(reply)) => match decode(&reply.into_inner().status, "status") {
            Ok(status) => return status,
            Err(error) => error.to_string(),
        },
        Ok(Err(status)) => words(status),
        Err(_) => format!("no answer within {patience:?}"),
    };
    silent(link, Some(standing.node()), directory, error)
}

/// What is known of a node that did not answer.
fn silent(link: &Link, node: Option<NodeId>, directory: &Directory, error: String) -> NodeStatus {
    let known = directory
        .nodes
        .values()
        .map(|node| &node.value)
        .find(|known| match node {
            Some(node) => known.id == node,
            None => *known.address == *link.address,
        });
    NodeStatus {
        node: node.or(known.map(|known| known.id)),
        name: known
            .map(|known| known.name.to_string())
            .unwrap_or_default(),
        region: known
            .map(|known| known.region.to_string())
            .unwrap_or_default(),
        address: link.address.clone(),
        incarnation: known.map_or(0, |known| known.incarnation),
        error: Some(error),
        version: String::new(),
        groups: Vec::new(),
    }
}
