//! Logs with damaged entries: they are mended, or nobody goes on with them.

use crate::support::{Cluster, GROUP, eventually};
use florin_ledger::id::NodeId;
use florin_raft::Committed;
use florin_storage::replica::Replica;
use std::time::{Duration, Instant};

const ENTRIES: u64 = 30;

fn with_entries() -> (Cluster, Vec<Committed>) {
    let cluster = Cluster::formed(3);
    let decided = (0..ENTRIES).map(|number| cluster.decide(GROUP, number));
    let decided = decided.collect();
    (cluster, decided)
}

/// Everything that was acknowledged is there, as it was, and the replicas agree.
fn check(cluster: &Cluster, before: &[Committed]) {
    for (number, first) in (0..).zip(before) {
        let again = cluster.decide(GROUP, number);
        assert!(again.decision.replayed, "{number} was lost");
        assert_eq!(again.decision.position, first.decision.position);
    }
    cluster.assert_agreement(GROUP);
}

#[test]
fn a_replica_mends_its_log_from_its_peers_while_they_go_on() {
    let (mut cluster, before) = with_entries();
    let damaged = cluster.leader_id(GROUP);
    cluster.node(damaged).kill();
    let spoilt = cluster.node(damaged).spoil_entries(|index| index % 3 == 1);
    assert!(spoilt.len() > 8, "{spoilt:?}");
    cluster.decide(GROUP, 1_000);
    cluster.node(damaged).start();
    eventually("the replica takes part", || {
        cluster.node(damaged).host().group(GROUP)
    });
    assert!(cluster.node(damaged).host().ailing().is_empty());
    check(&cluster, &before);
    // It is the same node as before, and its vote counts.
    let other = cluster.nodes.iter().map(|node| node.id);
    let other = other.filter(|id| *id != damaged).max().unwrap();
    cluster.node(other).kill();
    cluster.decide(GROUP, 1_001);
    // What was mended stays so.
    cluster.node(damaged).kill();
    cluster.node(other).start();
    cluster.node(damaged).start();
    assert!(cluster.node(damaged).host().group(GROUP).is_some());
    check(&cluster, &before);
}

#[test]
fn replicas_with_different_damage_heal_each_other() {
    let (mut cluster, before) = with_entries();
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    for node in &mut cluster.nodes {
        let place = node.id.0 % 3;
        assert!(node.spoil_entries(|index| index % 3 == place).len() > 8);
    }
    cluster.nodes.iter_mut().for_each(|node| node.start());
    check(&cluster, &before);
}

#[test]
fn an_entry_that_nobody_can_read_stops_the_group_and_no_other() {
    let (mut cluster, before) = with_entries();
    let last = before.last().unwrap().at.index;
    cluster.assert_agreement(GROUP);
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    let whole: Vec<NodeId> = cluster.nodes.iter().map(|node| node.id).collect();
    for node in &mut cluster.nodes {
        assert_eq!(node.spoil_entries(|index| index == last), [last]);
    }
    cluster.nodes.iter_mut().for_each(|node| node.start());
    // Long enough for an election, if anybody stood.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        for id in &whole {
            let host = cluster.node(*id).host();
            assert!(host.group(GROUP).is_none(), "node {} takes part", id.0);
            let why = host.ailing().remove(&GROUP).unwrap();
            assert!(why.contains(&format!("-{last}")), "{why}");
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    // One copy of it is enough for all.
    cluster.nodes[0].kill();
    assert_eq!(
        cluster.nodes[0].spoil_entries(|index| index == last),
        [last]
    );
    cluster.nodes[0].start();
    check(&cluster, &before);
}

#[test]
fn what_the_ledger_holds_is_not_missed_in_the_log() {
    let (mut cluster, before) = with_entries();
    let damaged = cluster.nodes[0].id;
    cluster.node(damaged).shut_down();
    let others: Vec<NodeId> = cluster.nodes[1..].iter().map(|node| node.id).collect();
    for id in &others {
        cluster.node(*id).kill();
    }
    let held = {
        let (_log, store) = cluster.node(damaged).open();
        Replica::open(&store, GROUP).unwrap().persisted().unwrap()
    };
    let spoilt = cluster
        .node(damaged)
        .spoil_entries(|index| index <= held.index);
    assert!(spoilt.len() > 20, "{spoilt:?}");
    cluster.node(damaged).start();
    // Nobody is there whom it could ask.
    eventually("the replica takes part", || {
        cluster.node(damaged).host().group(GROUP)
    });
    for id in others {
        cluster.node(id).start();
    }
    check(&cluster, &before);
}
