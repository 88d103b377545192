//! Changes of the members that are cut off.

use crate::support::{Cluster, GROUP, block, eventually};
use florin_ledger::id::NodeId;
use florin_raft::{ChangeMembersError, Group, GroupStatus, Member};
use std::time::Duration;

/// A joint configuration is in the logs of the leader and of `with`, and no quorum of the others
/// ever had it: `lacking`, without whom it cannot be committed, was down. Then the leader dies.
/// All of them are up again afterwards.
fn cut_off(
    cluster: &mut Cluster,
    (leader, with, lacking): (NodeId, NodeId, NodeId),
    change: impl Future<Output = Result<(), ChangeMembersError>> + Send + 'static,
) {
    cluster.node(lacking).kill();
    let changing = std::thread::spawn(move || block(change));
    eventually("a joint configuration on two nodes", || {
        let status = cluster.node(leader).group(GROUP).status();
        let last = status.last_log;
        let peer = status.peers.iter().find(|peer| peer.node == with)?;
        (status.members_joint && !status.members_committed && peer.matched == last).then_some(())
    });
    cluster.node(leader).kill();
    assert!(changing.join().unwrap().is_err());
    cluster.node(lacking).start();
    cluster.node(leader).start();
}

/// A cluster, its leader and the two others.
fn formed() -> (Cluster, Group, [NodeId; 3]) {
    let cluster = Cluster::formed(3);
    cluster.decide(GROUP, 1);
    let group = cluster.leader(GROUP);
    let leader = cluster.leader_id(GROUP);
    let others = (1..=3).map(NodeId).filter(|id| *id != leader);
    let others: Vec<_> = others.collect();
    (cluster, group, [leader, others[0], others[1]])
}

fn voters(status: &GroupStatus) -> Vec<u64> {
    status.voters.iter().map(|id| id.0).collect()
}

fn sorted(ids: [NodeId; 2]) -> Vec<u64> {
    let mut ids = ids.map(|id| id.0).to_vec();
    ids.sort_unstable();
    ids
}

/// Once nothing is left to be done, seen by whoever leads.
fn settled(cluster: &Cluster) -> GroupStatus {
    eventually("a settled membership", || {
        let status = cluster.leader(GROUP).status();
        (status.members_committed && !status.members_joint).then_some(status)
    })
}

#[test]
fn a_removal_that_was_cut_off_is_finished_by_the_next_leader() {
    let (mut cluster, group, [leader, gone, stays]) = formed();
    let incarnation = cluster.node(gone).incarnation;
    let removal = async move {
        group
            .remove(gone, incarnation, Duration::ZERO)
            .await
            .map(drop)
    };
    cut_off(&mut cluster, (leader, gone, stays), removal);
    let status = settled(&cluster);
    assert_eq!(voters(&status), sorted([leader, stays]));
    assert!(status.members.iter().all(|member| member.node != gone));
    cluster.decide(GROUP, 2);
    // Both that were meant are enough, and nobody else is needed.
    cluster.node(gone).kill();
    cluster.decide(GROUP, 3);
    cluster.assert_agreement(GROUP);
}

#[test]
fn a_vote_that_was_given_half_way_is_given_by_the_next_leader() {
    let (mut cluster, group, [leader, learner, stays]) = formed();
    let member = cluster.node(learner).member();
    block(group.remove(learner, member.incarnation, Duration::ZERO)).unwrap();
    block(group.add_learner(member.clone())).unwrap();
    let promotion = async move { group.promote(&member).await };
    cut_off(&mut cluster, (leader, learner, stays), promotion);
    let status = settled(&cluster);
    assert_eq!(voters(&status), [1, 2, 3]);
    // Any two of the three are enough now.
    cluster.node(stays).kill();
    cluster.decide(GROUP, 2);
    cluster.assert_agreement(GROUP);
}

/// A leader that has just taken office has heard of nobody, which says nothing about them.
#[test]
fn a_member_that_may_be_alive_is_not_taken_out() {
    let (mut cluster, group, [_, silent, next]) = formed();
    let incarnation = cluster.node(silent).incarnation;
    let (long, short) = (Duration::from_secs(3_600), Duration::from_millis(300));
    let heard = Err(ChangeMembersError::Heard(silent));
    assert_eq!(block(group.remove(silent, incarnation, long)), heard);
    cluster.node(silent).kill();
    let group = eventually("the next leader", || {
        let group = cluster.leader(GROUP);
        if group.status().leader == Some(next) {
            return Some(group);
        }
        // A vote may be split; then it is asked again.
        drop(block(group.transfer_leader(next)));
        None
    });
    assert_eq!(block(group.remove(silent, incarnation, long)), heard);
    eventually("its removal", || {
        (block(group.remove(silent, incarnation, short)) == Ok(None)).then_some(())
    });
}

/// Whoever asks again is told that it is done once it is, however soon that is.
#[test]
fn nobody_is_told_that_a_change_is_done_while_it_is_half_done() {
    let (mut cluster, group, [leader, gone, stays]) = formed();
    let incarnation = cluster.node(gone).incarnation;
    let removal = async move {
        group
            .remove(gone, incarnation, Duration::ZERO)
            .await
            .map(drop)
    };
    cut_off(&mut cluster, (leader, gone, stays), removal);
    let again: [&dyn Fn(&Group) -> bool; 3] = [
        &|group| block(group.remove(NodeId(9), 9, Duration::ZERO)) == Ok(None),
        &|group| block(group.promote(&member_of(group, stays))).is_ok(),
        &|group| block(group.remove(gone, incarnation, Duration::ZERO)) == Ok(None),
    ];
    for ask in again {
        let group = eventually("an answer", || {
            let group = cluster.leader(GROUP);
            ask(&group).then_some(group)
        });
        let status = group.status();
        assert!(
            !status.members_joint && status.members_committed,
            "{status:?}"
        );
    }
    assert_eq!(voters(&settled(&cluster)), sorted([leader, stays]));
}

fn member_of(group: &Group, id: NodeId) -> Member {
    let members = group.status().members.into_iter();
    members
        .into_iter()
        .find(|member| member.node == id)
        .unwrap()
}
