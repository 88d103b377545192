//! Forming clusters of running nodes.

use super::fake::soon;
use super::real::{CLUSTER, Cluster, Node, connect, form_options, groups_of};
use crate::connector::Connector;
use crate::form::{FormError, form};
use crate::replace::{ReplaceError, ReplaceOptions, replace};
use crate::router::Consistency;
use florin_ledger::id::NodeId;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forming_again_changes_nothing() {
    let nodes: Vec<Node> = (1..=3).map(Node::start).collect();
    let first = form(form_options(&nodes)).await.unwrap();
    assert!(!first.already);
    assert_eq!(groups_of(&first).len(), 3);
    let second = form(form_options(&nodes)).await.unwrap();
    assert!(second.already);
    assert_eq!(groups_of(&second), groups_of(&first));
    assert_eq!(second.nodes, first.nodes);

    let mut more_groups = form_options(&nodes);
    more_groups.groups = 4;
    assert!(matches!(
        form(more_groups).await,
        Err(FormError::OtherShape { .. })
    ));

    let router = connect(&nodes).await;
    for group in &first.groups {
        let preferred = group.members[0];
        let mut leader = router.wait_leader(group.id, soon()).await;
        let until = soon();
        // Leaders move to where they are preferred.
        while leader != Some(preferred) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            leader = router.leader(group.id);
        }
        assert_eq!(leader, Some(preferred), "group {}", group.id.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_formed_is_named() {
    let mut nodes = vec![Node::start(1)];
    let address = |node: &Node| node.address.to_string();
    let mut options = form_options(&nodes);
    options.replicas = 3;
    assert!(matches!(form(options).await, Err(FormError::Invalid(_))));

    nodes.push(Node::start(1));
    let (first, second) = (address(&nodes[0]), address(&nodes[1]));
    let error = form(form_options(&nodes)).await.unwrap_err();
    assert_eq!(
        error,
        FormError::DuplicateId {
            first,
            second,
            id: 1
        }
    );

    nodes[1] = Node::start_in(2, "another");
    let error = form(form_options(&nodes)).await.unwrap_err();
    let (theirs, ours) = ("another".to_owned(), CLUSTER.to_owned());
    assert_eq!(
        error,
        FormError::OtherCluster {
            address: address(&nodes[1]),
            theirs,
            ours
        }
    );

    let mut options = form_options(&nodes[..1]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    options.nodes.push(nobody.clone());
    options.timeout = Duration::from_secs(2);
    let error = form(options).await.unwrap_err();
    assert!(
        matches!(&error, FormError::Unreachable { address, .. } if *address == nobody),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_its_disk_comes_back() {
    let mut cluster = Cluster::start(3).await;
    let (account, opened) = cluster.open_account(1).await;
    let options = ReplaceOptions {
        cluster: CLUSTER.to_owned(),
        seeds: cluster
            .nodes
            .iter()
            .map(|node| node.address.to_string())
            .collect(),
        node: NodeId(3),
        connector: Connector::plain(),
        timeout: Duration::from_secs(20),
    };
    let refused = replace(options.clone()).await;
    assert_eq!(refused, Err(ReplaceError::FormerSelf(NodeId(3))));

    cluster.node(NodeId(3)).kill();
    cluster.node(NodeId(3)).restart_empty();
    let node = replace(options).await.unwrap();
    assert_eq!(node.incarnation, 31);
    assert!(cluster.router.wait_node(NodeId(3), soon()).await);
    // With another node gone, nothing goes on without the one that came back.
    cluster.node(NodeId(1)).kill();
    let (_, again) = cluster.open_account(2).await;
    assert_eq!(again.group, opened.group);
    assert_eq!(
        cluster.credits(account, Consistency::Linearizable).await,
        Ok(0)
    );
}
