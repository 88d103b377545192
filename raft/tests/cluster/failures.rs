//! Groups whose nodes die, forget, or come back as somebody else.

use crate::support::{Cluster, GROUP, account, block, deadline, eventually, partner, propose};
use florin_ledger::effect::Effect;
use florin_raft::{Consistency, ProposeError, ReadError, Role};
use std::time::{Duration, Instant};

#[test]
fn what_was_acknowledged_survives_the_leaders_death() {
    let mut cluster = Cluster::formed(3);
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        for number in round * 20..round * 20 + 20 {
            acknowledged.push((number, cluster.decide(GROUP, number)));
        }
        let dead = cluster.leader_id(GROUP);
        cluster.node(dead).kill();
        acknowledged.push((1_000 + round, cluster.decide(GROUP, 1_000 + round)));
        cluster.node(dead).start();
    }
    for (number, first) in acknowledged {
        let again = cluster.decide(GROUP, number);
        assert!(again.decision.replayed, "{number}");
        assert_eq!(again.decision.position, first.decision.position);
        assert_eq!(again.decision.effect, Effect::AccountCreated);
    }
    cluster.assert_agreement(GROUP);
}

#[test]
fn what_was_acknowledged_survives_the_death_of_all() {
    let mut cluster = Cluster::formed(3);
    let before: Vec<_> = (0..30)
        .map(|number| cluster.decide(GROUP, number))
        .collect();
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    cluster.nodes.iter_mut().for_each(|node| node.start());
    for (number, first) in before.into_iter().enumerate() {
        let again = cluster.decide(GROUP, number as u64);
        assert_eq!(
            (again.decision.replayed, again.decision.position),
            (true, first.decision.position)
        );
    }
    cluster.assert_agreement(GROUP);
}

#[test]
fn without_a_quorum_answers_are_truthful() {
    let mut cluster = Cluster::formed(3);
    cluster.decide(GROUP, 1);
    let leader = cluster.leader_id(GROUP);
    let group = cluster.leader(GROUP);
    for node in cluster.nodes.iter_mut().filter(|node| node.id != leader) {
        node.kill();
    }
    let soon = Instant::now() + Duration::from_millis(300);
    let proposed = block(group.propose(partner(2), account(2), soon));
    assert_eq!(proposed, Err(ProposeError::Unknown));
    eventually("refusals before anything is proposed", || {
        let soon = Instant::now() + Duration::from_millis(300);
        let refused = block(group.propose(partner(3), account(3), soon));
        matches!(refused, Err(ProposeError::NotLeader { .. })).then_some(())
    });
    let soon = Instant::now() + Duration::from_millis(300);
    let read = block(group.fresh(Consistency::Linearizable, soon));
    assert!(
        matches!(read, Err(ReadError::TimedOut | ReadError::NotLeader { .. })),
        "{read:?}"
    );
    assert!(block(group.fresh(Consistency::Stale, soon)).is_ok());
    cluster
        .nodes
        .iter_mut()
        .filter(|node| !node.lives())
        .for_each(|node| node.start());
    for number in 1..4 {
        cluster.decide(GROUP, number);
    }
    cluster.assert_agreement(GROUP);
}

#[test]
fn a_node_that_has_just_started_grants_no_votes() {
    let mut cluster = Cluster::formed(3);
    cluster.decide(GROUP, 1);
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    let began = Instant::now();
    cluster.nodes.iter_mut().for_each(|node| node.start());
    cluster.leader(GROUP);
    assert!(
        began.elapsed() >= Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
}

/// Terms are what keeps two leaders apart: whoever took part in one never forgets it.
#[test]
fn no_node_forgets_a_term_that_it_has_seen() {
    let mut cluster = Cluster::formed(3);
    cluster.decide(GROUP, 1);
    for _ in 0..3 {
        let leader = cluster.leader_id(GROUP);
        cluster.node(leader).kill();
        cluster.leader(GROUP);
        cluster.node(leader).start();
        cluster.assert_agreement(GROUP);
    }
    let seen: Vec<u64> = cluster
        .nodes
        .iter()
        .map(|node| node.group(GROUP).status().term)
        .collect();
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    for (place, seen) in seen.into_iter().enumerate() {
        // It stands for no election before it has waited for a leader.
        cluster.nodes[place].start();
        let group = cluster.nodes[place].group(GROUP);
        let status = eventually("what it holds", || {
            let status = group.status();
            status.last_log.is_some().then_some(status)
        });
        let term = status.term;
        assert!(
            term >= seen,
            "{:?}: {term} after {seen}",
            cluster.nodes[place].id
        );
        cluster.nodes[place].kill();
    }
}

#[test]
fn a_follower_that_lags_is_given_a_snapshot() {
    let mut cluster = Cluster::with(3, |options| {
        options.checkpoint_interval = Duration::from_millis(300);
        options.keep_checkpoints = 1;
    });
    cluster.form(GROUP);
    cluster.decide(GROUP, 1);
    let leader = cluster.leader_id(GROUP);
    let behind = cluster
        .nodes
        .iter()
        .map(|node| node.id)
        .find(|id| *id != leader)
        .unwrap();
    cluster.node(behind).kill();
    for number in 2..200 {
        cluster.decide(GROUP, number);
    }
    let last = cluster.decide(GROUP, 200).at.index;
    eventually("a purged log", || {
        let purged = cluster.leader(GROUP).status().purged;
        purged.filter(|purged| purged.index >= last)
    });
    cluster.node(behind).start();
    cluster.assert_agreement(GROUP);
    cluster.decide(GROUP, 201);
    cluster.assert_agreement(GROUP);
    cluster.node(behind).kill();
    cluster.node(behind).start();
    cluster.assert_agreement(GROUP);
}

/// As with a ledger of gigabytes: while it is sent, checkpoints pass by after which the log is
/// purged.
#[test]
fn a_follower_catches_up_although_a_snapshot_takes_longer_than_the_log_is_kept() {
    let mut cluster = Cluster::with(3, |options| {
        options.checkpoint_interval = Duration::from_millis(100);
        options.keep_checkpoints = 1;
        options.snapshot_bytes_per_second = 16 << 10;
    });
    cluster.form(GROUP);
    let leader = cluster.leader_id(GROUP);
    let behind = cluster.nodes.iter().map(|node| node.id);
    let behind = behind.into_iter().find(|id| *id != leader).unwrap();
    cluster.node(behind).kill();
    let last = (1..200).map(|number| cluster.decide(GROUP, number).at.index);
    let last = last.max().unwrap();
    eventually("a purged log", || {
        let purged = cluster.leader(GROUP).status().purged;
        purged.filter(|purged| purged.index >= last)
    });
    cluster.node(behind).start();
    let mut number = 200;
    let until = deadline();
    loop {
        number += 1;
        let newest = cluster.decide(GROUP, number).at.index;
        let applied = cluster.node(behind).group(GROUP).status().applied;
        if applied.is_some_and(|applied| applied.index + 20 > newest) {
            break;
        }
        assert!(Instant::now() < until, "{applied:?} of {newest}");
    }
    cluster.assert_agreement(GROUP);
}

#[test]
fn a_replica_whose_ledger_is_lost_fetches_it_before_it_takes_part() {
    let mut cluster = Cluster::with(3, |options| {
        options.checkpoint_interval = Duration::from_millis(300);
        options.keep_checkpoints = 1;
    });
    cluster.form(GROUP);
    let last = (0..50)
        .map(|number| cluster.decide(GROUP, number).at.index)
        .max()
        .unwrap();
    let unlucky = cluster.nodes[1].id;
    eventually("a purged log", || {
        let purged = cluster.nodes[1].group(GROUP).status().purged;
        purged.filter(|purged| purged.index >= last)
    });
    cluster.node(unlucky).kill();
    cluster.node(unlucky).lose_store();
    cluster.node(unlucky).start();
    eventually("the group again", || cluster.nodes[1].host().group(GROUP));
    cluster.decide(GROUP, 1_000);
    cluster.assert_agreement(GROUP);
}

#[test]
fn a_wiped_node_is_told_and_comes_back_as_a_learner() {
    let mut cluster = Cluster::formed(3);
    for number in 0..20 {
        cluster.decide(GROUP, number);
    }
    let leader = cluster.leader_id(GROUP);
    let wiped = cluster
        .nodes
        .iter()
        .map(|node| node.id)
        .find(|id| *id != leader)
        .unwrap();
    cluster.node(wiped).kill();
    cluster.node(wiped).wipe(9_999);
    cluster.node(wiped).start();
    let mut told = cluster.node(wiped).host().refused_as_former_self();
    let former = block(async {
        tokio::time::timeout_at(deadline().into(), told.wait_for(Option::is_some))
            .await
            .unwrap()
            .unwrap()
            .clone()
    });
    assert_eq!(
        former.map(|former| (former.known, former.ours)),
        Some((1_000 + wiped.0, 9_999))
    );
    assert!(cluster.node(wiped).host().group(GROUP).is_none());

    let group = cluster.leader(GROUP);
    let member = cluster.node(wiped).member();
    assert!(
        block(group.add_learner(member.clone())).is_err(),
        "it is still a member as its former self"
    );
    assert_eq!(
        block(group.remove(wiped, 9_999, Duration::ZERO)),
        Ok(Some(1_000 + wiped.0))
    );
    assert_eq!(
        block(group.remove(wiped, 1_000 + wiped.0, Duration::ZERO)),
        Ok(None)
    );
    let mut members = group.status().members;
    members.push(member.clone());
    cluster.node(wiped).create(GROUP, members, false);
    block(group.add_learner(member.clone())).unwrap();
    assert_eq!(
        cluster.node(wiped).group(GROUP).status().role,
        Role::Learner
    );
    block(group.promote(&member)).unwrap();
    assert!(group.status().voters.contains(&wiped));
    cluster.decide(GROUP, 100);
    cluster.assert_agreement(GROUP);
}

#[test]
fn a_node_of_another_cluster_is_refused() {
    let mut cluster = Cluster::formed(3);
    cluster.decide(GROUP, 1);
    let leader = cluster.leader_id(GROUP);
    let stray = cluster
        .nodes
        .iter()
        .map(|node| node.id)
        .find(|id| *id != leader)
        .unwrap();
    cluster.node(stray).kill();
    cluster
        .node(stray)
        .set_options(|options| options.cluster = "other".to_owned());
    cluster.node(stray).start();
    for number in 2..5 {
        cluster.decide(GROUP, number);
    }
    let status = cluster.leader(GROUP).status();
    let peer = status.peers.iter().find(|peer| peer.node == stray).unwrap();
    assert!(peer.lag > 0, "{peer:?}");
}

#[test]
fn shutting_down_hands_the_lead_over_and_loses_nothing() {
    let mut cluster = Cluster::formed(3);
    for number in 0..10 {
        cluster.decide(GROUP, number);
    }
    let leader = cluster.leader_id(GROUP);
    let group = cluster.leader(GROUP);
    cluster.node(leader).shut_down();
    assert!(matches!(
        propose(&group, 50),
        Err(ProposeError::Stopped | ProposeError::NotLeader { .. })
    ));
    drop(group);
    let next = cluster.leader_id(GROUP);
    assert_ne!(next, leader);
    cluster.decide(GROUP, 11);
    cluster.node(leader).start();
    cluster.assert_agreement(GROUP);
}
