//! Nodes that lose their disk, some of them twice.

use super::fake::soon;
use super::real::{CLUSTER, Cluster};
use crate::connector::Connector;
use crate::link;
use crate::replace::{ReplaceOptions, come_back, replace};
use crate::wire::proto::{AddMemberRequest, CreateGroupRequest, Member, RemoveMemberRequest};
use florin_ledger::id::{GroupId, NodeId};
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;

/// A former self must be silent for a while, and ledgers are copied.
const PATIENCE: Duration = Duration::from_secs(40);

fn options(cluster: &Cluster, node: NodeId) -> ReplaceOptions {
    let others = cluster.nodes.iter().filter(|other| other.id != node);
    ReplaceOptions {
        cluster: CLUSTER.to_owned(),
        seeds: others.map(|node| node.address.to_string()).collect(),
        node,
        connector: Connector::plain(),
        timeout: PATIENCE,
    }
}

/// The nodes of the cluster as members.
fn members(cluster: &Cluster) -> Vec<Member> {
    let as_member = |node: &super::real::Node| Member {
        node: node.id.0,
        address: node.address.to_string(),
        region: format!("region-{}", node.id.0),
        incarnation: node.incarnation,
    };
    cluster.nodes.iter().map(as_member).collect()
}

/// Does something at a group's leader until it works.
async fn at_leader<T>(
    cluster: &Cluster,
    group: GroupId,
    what: impl AsyncFn(&mut link::Client) -> Result<T, Status>,
) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        let said = match cluster.router.leader_client(group) {
            Some(mut client) => what(&mut client).await,
            None => Err(Status::unavailable("no leader")),
        };
        match said {
            Ok(done) => return done,
            Err(status) => assert!(Instant::now() < until, "{status}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The node loses its disk, is taken back into one group as another incarnation, and loses its
/// disk again: the directory knows it by its first incarnation, that group by the one between, the
/// other groups by the first.
async fn lost_twice(cluster: &mut Cluster, id: NodeId, group: GroupId) {
    let first = cluster.node(id).incarnation;
    cluster.node(id).kill();
    cluster.node(id).restart_empty();
    let request = RemoveMemberRequest {
        group: group.0,
        node: id.0,
        incarnation: first,
    };
    at_leader(cluster, group, async |client| {
        client.remove_member(request).await
    })
    .await;
    let members = members(cluster);
    let member = members.iter().find(|member| member.node == id.0).cloned();
    let address = cluster.node(id).address.to_string();
    let mut client = link::client(&address, &Connector::plain()).await.unwrap();
    let create = CreateGroupRequest {
        cluster: CLUSTER.to_owned(),
        group: group.0,
        members,
        initialize: false,
    };
    client.create_group(create).await.unwrap();
    let add = AddMemberRequest {
        group: group.0,
        member,
    };
    at_leader(cluster, group, async |client| {
        client.add_member(add.clone()).await
    })
    .await;
    cluster.node(id).kill();
    cluster.node(id).restart_empty();
}

/// In each group the node votes, by the incarnation that runs.
async fn assert_back(cluster: &mut Cluster, id: NodeId) {
    let incarnation = cluster.node(id).incarnation;
    let directory = cluster.router.refresh(soon()).await.unwrap();
    assert_eq!(directory.nodes[&id].value.incarnation, incarnation);
    let groups: Vec<GroupId> = directory.groups.keys().copied().collect();
    assert!(groups.len() > 1);
    for group in groups {
        // What is asked for is there already, or the leader would say by which one it is not.
        let request = RemoveMemberRequest {
            group: group.0,
            node: id.0,
            incarnation: 1,
        };
        let reply = at_leader(cluster, group, async |client| {
            client.remove_member(request).await
        });
        assert_eq!(reply.await.into_inner().member, incarnation);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_loses_its_disk_again_while_it_comes_back_is_replaced() {
    let mut cluster = Cluster::start(3).await;
    let (id, group) = (NodeId(3), GroupId(1));
    lost_twice(&mut cluster, id, group).await;
    let back = replace(options(&cluster, id)).await.unwrap();
    assert_eq!(back.incarnation, cluster.node(id).incarnation);
    assert_back(&mut cluster, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_loses_its_disk_again_while_it_comes_back_does_so_by_itself() {
    let mut cluster = Cluster::start(3).await;
    let (id, group) = (NodeId(3), GroupId(1));
    lost_twice(&mut cluster, id, group).await;
    let back = come_back(options(&cluster, id));
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    assert_back(&mut cluster, id).await;
}
