//! Who speaks to whom, and whether that is right.

use super::proto::Hello;
use crate::host::FormerSelf;
use crate::node::Node;
use crate::roles::PeerRoles;
use florin_ledger::id::NodeId;
use tonic::metadata::MetadataValue;
use tonic::{Extensions, Status};

/// In a refusal: the incarnation under which the asking node is known here.
const FORMER_SELF: &str = "florin-known-incarnation";

/// What this node says to `to`.
pub(crate) fn hello(node: &Node, to: u64, incarnation: u64) -> Hello {
    Hello {
        cluster: node.options.cluster.clone(),
        from_node: node.options.node.0,
        from_incarnation: node.options.incarnation,
        to_node: to,
        to_incarnation: incarnation,
    }
}

/// Whether the peer may speak, and is who it says it is, and means us.
pub(crate) fn check(node: &Node, extensions: &Extensions, hello: &Hello) -> Result<(), Status> {
    check_cluster(node, hello)?;
    check_certificate(node, extensions, hello)?;
    check_target(node, hello)?;
    check_source(node, hello)
}

fn check_cluster(node: &Node, hello: &Hello) -> Result<(), Status> {
    let ours = &node.options.cluster;
    if hello.cluster == *ours {
        return Ok(());
    }
    let message = format!(
        "this node belongs to cluster {ours:?}, the peer to {:?}",
        hello.cluster
    );
    Err(Status::failed_precondition(message))
}

fn check_certificate(node: &Node, extensions: &Extensions, hello: &Hello) -> Result<(), Status> {
    let from = hello.from_node;
    match extensions.get::<PeerRoles>() {
        None if node.options.require_peer_roles => {
            Err(Status::unauthenticated("a peer must show a certificate"))
        }
        None => Ok(()),
        Some(roles) if roles.node == Some(NodeId(from)) => Ok(()),
        Some(roles) => {
            let message = format!(
                "the certificate of {:?} is not that of node {from}",
                roles.names
            );
            Err(Status::permission_denied(message))
        }
    }
}

fn check_target(node: &Node, hello: &Hello) -> Result<(), Status> {
    let ours = &node.options;
    if hello.to_node != ours.node.0 {
        let message = format!("this is node {}, not node {}", ours.node.0, hello.to_node);
        return Err(Status::failed_precondition(message));
    }
    if hello.to_incarnation == ours.incarnation {
        return Ok(());
    }
    if node
        .incarnations_of(ours.node.0)
        .is_none_or(|known| !known.contains(&ours.incarnation))
    {
        node.report_former_self(FormerSelf {
            by: NodeId(hello.from_node),
            known: hello.to_incarnation,
            ours: ours.incarnation,
        });
    }
    let message = format!(
        "node {} is not the one that was meant: its incarnation is {:016x}, not {:016x}",
        ours.node.0, ours.incarnation, hello.to_incarnation
    );
    Err(Status::failed_precondition(message))
}

fn check_source(node: &Node, hello: &Hello) -> Result<(), Status> {
    let Some(known) = node.incarnations_of(hello.from_node) else {
        return Ok(());
    };
    if known.contains(&hello.from_incarnation) {
        return Ok(());
    }
    let newest = known.iter().next_back().copied().unwrap_or_default();
    let message = format!(
        "node {} is known under incarnation {newest:016x}, not {:016x}: its data folder is not the one it had",
        hello.from_node, hello.from_incarnation
    );
    let mut status = Status::failed_precondition(message);
    status
        .metadata_mut()
        .insert(FORMER_SELF, MetadataValue::from(newest));
    Err(status)
}

/// Learns from a refusal that a peer knows this node under another incarnation.
pub(crate) fn learn_from_refusal(node: &Node, by: u64, status: &Status) {
    let known = status
        .metadata()
        .get(FORMER_SELF)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    if let Some(known) = known {
        let ours = node.options.incarnation;
        node.report_former_self(FormerSelf {
            by: NodeId(by),
            known,
            ours,
        });
    }
}
