//! What a node finds at its start, and what it makes of it.

use crate::support::{Cluster, GROUP, block, eventually, propose};
use bytes::Bytes;
use florin_ledger::id::{GroupId, NodeId};
use florin_raft::{CreateGroupError, Host, HostOptions, StartError};
use florin_storage::LogPosition;
use florin_storage::disk::sim::{Faults, SimDisk};
use florin_storage::log::{Log, LogEntry, LogOptions};
use florin_storage::replica::{Replica, Store};
use std::sync::Arc;

const OTHER: GroupId = GroupId(2);

fn options() -> HostOptions {
    HostOptions::new(NodeId(1), "test", 7, "r1", "127.0.0.1:1")
}

fn log_on(disk: &SimDisk, segment_bytes: u64) -> Log {
    let options = LogOptions {
        segment_bytes,
        min_free_bytes: 0,
        cache_bytes: 1 << 20,
        on_fatal: Arc::new(|_| ()),
    };
    Log::open(Arc::new(disk.clone()), options).unwrap().0
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

#[test]
fn a_tail_that_contradicts_the_ledger_is_dropped() {
    let mut cluster = Cluster::formed(1);
    cluster.decide(GROUP, 1);
    cluster.nodes[0].shut_down();
    cluster.nodes[0].start();
    cluster.decide(GROUP, 2);
    cluster.nodes[0].shut_down();
    {
        let (log, store) = cluster.nodes[0].open();
        let applied = Replica::open(&store, GROUP).unwrap().applied().unwrap();
        assert_eq!(applied.term, 2, "{applied:?}");
        let log = log.group(GROUP).unwrap();
        log.truncate_after(Some(applied.index - 1));
        let tail = (applied.index..applied.index + 5).map(|index| LogEntry {
            position: LogPosition { term: 1, index },
            payload: Bytes::from_static(b"never committed"),
        });
        log.append(tail.collect(), Box::new(|done| done.unwrap()));
    }
    cluster.nodes[0].start();
    assert!(cluster.decide(GROUP, 2).decision.replayed);
    assert!(!cluster.decide(GROUP, 3).decision.replayed);
}

#[test]
fn a_group_that_does_not_start_is_named_and_leaves_the_others_alone() {
    let mut cluster = Cluster::formed(1);
    cluster.form(OTHER);
    cluster.decide(GROUP, 1);
    cluster.decide(OTHER, 1);
    let spoil = |cluster: &Cluster, group| {
        let (log, _store) = cluster.nodes[0].open();
        let vote = Bytes::from_static(b"\xffno vote");
        log.group(group).unwrap().save_vote(vote, Box::new(|_| ()));
    };
    cluster.nodes[0].shut_down();
    spoil(&cluster, OTHER);
    cluster.nodes[0].start();
    assert!(cluster.decide(GROUP, 1).decision.replayed);
    let host = cluster.nodes[0].host();
    assert!(host.group(OTHER).is_none());
    assert_eq!(host.ended().into_keys().collect::<Vec<_>>(), [OTHER]);
    drop(host);
    cluster.nodes[0].shut_down();
    spoil(&cluster, GROUP);
    let (log, store) = cluster.nodes[0].open();
    let nothing = runtime().block_on(Host::start(options(), log, store));
    assert!(matches!(nothing, Err(StartError::Replica { .. })));
}

#[test]
fn a_node_whose_log_is_lost_does_not_start() {
    let mut cluster = Cluster::formed(1);
    cluster.decide(GROUP, 1);
    cluster.nodes[0].shut_down();
    cluster.nodes[0].lose_log();
    let (log, store) = cluster.nodes[0].open();
    let lost = runtime().block_on(Host::start(options(), log, store));
    let Err(lost) = lost else {
        panic!("it started");
    };
    assert!(matches!(lost, StartError::LogLost(GROUP)));
    assert!(lost.to_string().contains("lost or not mounted"), "{lost}");
}

#[test]
fn a_group_is_not_made_anew_over_its_ledger() {
    let store = Store::in_memory();
    let runtime = runtime();
    let refused = runtime.block_on(async {
        let log = log_on(&SimDisk::new(), 8 << 20);
        let host = Host::start(options(), log, store.clone()).await.unwrap();
        let left = Replica::open(&store, GROUP).unwrap();
        left.apply_blank(LogPosition { term: 1, index: 1 });
        left.persist(u64::MAX).unwrap();
        drop(left);
        let members = vec![options().member()];
        host.create_group(GROUP, members, true).await.map(drop)
    });
    assert!(matches!(
        refused,
        Err(CreateGroupError::Start(StartError::LogLost(GROUP)))
    ));
}

#[test]
fn a_log_that_cannot_hold_the_largest_entry_is_refused() {
    let log = log_on(&SimDisk::new(), 1 << 20);
    let refused = runtime().block_on(Host::start(options(), log, Store::in_memory()));
    assert!(matches!(refused, Err(StartError::SegmentTooSmall { .. })));
}

#[test]
fn a_group_whose_consensus_ends_is_named_and_has_no_leader() {
    let disk = SimDisk::new();
    let log = log_on(&disk, 8 << 20);
    let runtime = runtime();
    let (host, group) = runtime.block_on(async {
        let host = Host::start(options(), log, Store::in_memory()).await;
        let host = host.unwrap();
        let members = vec![options().member()];
        let group = host.create_group(GROUP, members, true).await.unwrap();
        (host, group)
    });
    eventually("a leader", || group.leader());
    assert!(host.ended().is_empty());
    disk.set_faults(Faults {
        fail_syncs_after: Some(0),
        ..Faults::default()
    });
    assert!(propose(&group, 1).is_err());
    let ended = eventually("its end", || {
        let ended = host.ended();
        (!ended.is_empty()).then_some(ended)
    });
    assert!(ended.contains_key(&GROUP), "{ended:?}");
    assert_eq!(group.leader(), None);
    assert!(group.status().stopped.is_some());
    block(host.shutdown());
    drop(runtime);
}
