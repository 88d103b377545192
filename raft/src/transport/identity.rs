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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::HostOptions;
    use florin_storage::disk::sim::SimDisk;
    use florin_storage::log::{Log, LogOptions};
    use florin_storage::replica::Store;
    use std::sync::Arc;

    fn node(require_peer_roles: bool) -> Arc<Node> {
        let options = LogOptions {
            segment_bytes: 64 << 10,
            min_free_bytes: 0,
            cache_bytes: 0,
            on_fatal: Arc::new(|why| panic!("{why}")),
        };
        let (log, _) = Log::open(Arc::new(SimDisk::new()), options).unwrap();
        let mut options = HostOptions::new(NodeId(2), "ours", 22, "eu", "127.0.0.1:1");
        options.require_peer_roles = require_peer_roles;
        Node::new(options, log, Store::in_memory())
    }

    fn hello(cluster: &str, to_node: u64, to_incarnation: u64) -> Hello {
        Hello {
            cluster: cluster.to_owned(),
            from_node: 1,
            from_incarnation: 11,
            to_node,
            to_incarnation,
        }
    }

    fn of_node(id: u64) -> PeerRoles {
        PeerRoles {
            node: Some(NodeId(id)),
            ..PeerRoles::default()
        }
    }

    /// `refused` is a part of the message, or nothing if the peer is welcome.
    fn check_one(node: &Node, roles: Option<PeerRoles>, hello: &Hello, refused: &str) {
        let mut extensions = Extensions::new();
        if let Some(roles) = roles {
            extensions.insert(roles);
        }
        match check(node, &extensions, hello) {
            Ok(()) => assert_eq!(refused, "", "{hello:?}"),
            Err(status) => {
                assert_ne!(refused, "", "{status:?}");
                assert!(status.message().contains(refused), "{status:?}");
            }
        }
    }

    #[test]
    fn strangers_are_refused_with_a_reason() {
        let node = node(true);
        let frontend = PeerRoles {
            frontend: true,
            ..PeerRoles::default()
        };
        let good = hello("ours", 2, 22);
        check_one(&node, Some(of_node(1)), &good, "");
        check_one(&node, None, &good, "must show a certificate");
        check_one(&node, Some(of_node(3)), &good, "not that of node 1");
        check_one(&node, Some(frontend), &good, "not that of node 1");
        check_one(
            &node,
            Some(of_node(1)),
            &hello("theirs", 2, 22),
            "belongs to cluster",
        );
        check_one(&node, Some(of_node(1)), &hello("ours", 3, 22), "not node 3");
        assert_eq!(*node.former_self().borrow(), None);
        check_one(
            &node,
            Some(of_node(1)),
            &hello("ours", 2, 21),
            "incarnation",
        );
        let former = FormerSelf {
            by: NodeId(1),
            known: 21,
            ours: 22,
        };
        assert_eq!(*node.former_self().borrow(), Some(former));
    }

    #[test]
    fn without_tls_nobody_has_a_certificate() {
        check_one(&node(false), None, &hello("ours", 2, 22), "");
    }
}
