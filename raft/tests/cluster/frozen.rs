//! Nodes that stand still in part: a log that takes everything and keeps nothing, a leader that does
//! not get the processor.

use crate::support::{Cluster, GROUP, account, block, deadline, eventually, partner};
use florin_ledger::id::NodeId;
use florin_raft::{Consistency, Group, ProposeError, ReadError, Role};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

fn others(cluster: &Cluster, leader: NodeId) -> Vec<NodeId> {
    let ids = cluster.nodes.iter().map(|node| node.id);
    ids.filter(|id| *id != leader).collect()
}

/// What the leader alone holds is lost with it: before a quorum holds it, nobody may hear of it.
#[test]
fn what_the_peers_do_not_keep_is_not_acknowledged() {
    let mut cluster = Cluster::by_hand(3);
    cluster.decide(GROUP, 1);
    let leader = cluster.leader(GROUP);
    let followers = others(&cluster, cluster.leader_id(GROUP));
    for id in &followers {
        cluster.node(*id).crank().hold();
    }
    let soon = Instant::now() + Duration::from_millis(400);
    let answer = block(leader.propose(partner(2), account(2), soon));
    assert_eq!(answer, Err(ProposeError::Unknown));
    for id in &followers {
        cluster.node(*id).crank().release();
    }
    cluster.decide(GROUP, 2);
    cluster.assert_agreement(GROUP);
}

/// A ledger ahead of its own log would not be found again after a restart.
#[test]
fn a_ledger_is_never_ahead_of_its_log() {
    let mut cluster = Cluster::by_hand(3);
    cluster.decide(GROUP, 1);
    let leader = cluster.leader_id(GROUP);
    let slow = others(&cluster, leader)[0];
    cluster.node(slow).crank().hold();
    let log = cluster.node(slow).crank().log.group(GROUP).unwrap();
    let replica = cluster.node(slow).group(GROUP).replica();
    let not_ahead = |of: Option<u64>, what: &str| {
        assert!(
            of <= log.durable(),
            "{what} {of:?}, durable {:?}",
            log.durable()
        );
    };
    // Where somebody else leads meanwhile, this replica hears of it only when its log writes.
    for number in 2..12 {
        cluster.decide(GROUP, number);
        not_ahead(replica.applied().map(|at| at.index), "applied");
        replica.persist(log.durable().unwrap_or(0)).unwrap();
        not_ahead(replica.persisted().map(|at| at.index), "persisted");
    }
    cluster.node(slow).crank().release();
    cluster.assert_agreement(GROUP);
}

/// Freezes a node's processor, as far as it is this node's; the lead goes elsewhere meanwhile, and
/// `look` is called with the handle on the frozen replica.
fn with_a_frozen_leader(look: impl FnOnce(&mut Cluster, &Group)) {
    let mut cluster = Cluster::formed(3);
    cluster.decide(GROUP, 1);
    let leader = cluster.leader_id(GROUP);
    let frozen = cluster.node(leader).group(GROUP);
    let runtime = cluster.node(leader).runtime();
    let (frozen_now, waiting) = channel();
    let mut thaw = Vec::new();
    // One task for each of its threads, which takes the thread until it is told otherwise.
    for _ in 0..2 {
        let (release, released) = channel::<()>();
        thaw.push(release);
        let frozen_now = frozen_now.clone();
        runtime.spawn(async move {
            frozen_now.send(()).unwrap();
            // Nothing is ever sent: it ends when the other end is dropped.
            released.recv().unwrap_err();
        });
    }
    for _ in 0..2 {
        waiting.recv_timeout(Duration::from_secs(30)).unwrap();
    }
    look(&mut cluster, &frozen);
    drop(thaw);
    cluster.assert_agreement(GROUP);
}

/// A node may have promised its support to the leader just before it ended, and the leader counts on
/// that for as long as a lease lasts.
#[test]
fn a_node_that_comes_back_while_a_lease_may_hold_makes_no_leader() {
    const LEASE: Duration = Duration::from_secs(4);
    with_a_frozen_leader(|cluster, frozen| {
        let back = others(cluster, frozen.leader().unwrap())[0];
        let node = cluster.node(back);
        node.kill();
        // It does not stand itself before that either.
        node.set_options(|options| {
            options.election_timeout = (LEASE, LEASE + Duration::from_secs(1));
        });
        let began = Instant::now();
        node.start();
        another_leader(cluster, frozen);
        assert!(
            began.elapsed() >= LEASE,
            "a leader after {:?}",
            began.elapsed()
        );
    });
}

fn another_leader(cluster: &Cluster, frozen: &Group) -> Group {
    eventually("another leader", || {
        let leads = |group: &Group| group.status().role == Role::Leader && group.leader().is_some();
        let mut groups = cluster.groups(GROUP).into_iter();
        groups.find(|group| leads(group) && group.leader() != frozen.leader())
    })
}

#[test]
fn a_frozen_leader_answers_no_read_that_is_stale() {
    with_a_frozen_leader(|cluster, frozen| {
        let next = another_leader(cluster, frozen);
        let newest = eventually("a decision", || {
            let soon = Instant::now() + Duration::from_secs(2);
            block(next.propose(partner(2), account(2), soon)).ok()
        });
        let soon = Instant::now() + Duration::from_millis(300);
        match block(frozen.fresh(Consistency::Linearizable, soon)) {
            Ok(at) => assert!(
                at.is_some_and(|at| at.index >= newest.at.index),
                "stale: {at:?}"
            ),
            Err(error) => assert!(
                matches!(error, ReadError::TimedOut | ReadError::NotLeader { .. }),
                "{error}"
            ),
        }
        assert!(block(next.fresh(Consistency::Linearizable, deadline())).is_ok());
    });
}
