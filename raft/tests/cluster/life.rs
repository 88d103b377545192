//! Groups that nothing befalls.

use crate::support::{Cluster, GROUP, account, block, deadline, eventually, partner, propose};
use florin_ledger::command::{
    AccountKind, Command, Constraint, Envelope, NewAccount, encode_envelope,
};
use florin_ledger::effect::Effect;
use florin_ledger::id::{GroupId, LedgerId, Mode, NodeId};
use florin_ledger::query::{Answer, Page, Query};
use florin_raft::limits::COMMAND_BYTES;
use florin_raft::{Consistency, Group, ProposeError, ReadError, Role, TransferLeaderError};
use std::time::{Duration, Instant};

fn follower(cluster: &Cluster) -> Group {
    cluster.leader(GROUP);
    let mut groups = cluster.groups(GROUP).into_iter();
    groups
        .find(|group| group.status().role != Role::Leader)
        .unwrap()
}

#[test]
fn three_nodes_elect_and_propose() {
    let cluster = Cluster::formed(3);
    let leader = cluster.leader(GROUP);
    let first = propose(&leader, 1).unwrap();
    assert_eq!(first.decision.effect, Effect::AccountCreated);
    assert!(!first.decision.replayed);
    let again = propose(&leader, 1).unwrap();
    assert!(again.decision.replayed);
    assert_eq!(again.decision.position, first.decision.position);
    assert!(again.at > first.at);
    cluster.assert_agreement(GROUP);
}

#[test]
fn one_node_is_a_group_too() {
    let cluster = Cluster::formed(1);
    let leader = cluster.leader(GROUP);
    assert!(propose(&leader, 1).is_ok());
    assert!(block(leader.fresh(Consistency::Linearizable, deadline())).is_ok());
}

#[test]
fn followers_say_who_leads() {
    let cluster = Cluster::formed(3);
    let follower = follower(&cluster);
    let hint = eventually("a hint", || follower.leader());
    assert_eq!(
        propose(&follower, 2),
        Err(ProposeError::NotLeader { hint: Some(hint) })
    );
    let read = block(follower.fresh(Consistency::Linearizable, deadline()));
    assert_eq!(read, Err(ReadError::NotLeader { hint: Some(hint) }));
}

#[test]
fn any_replica_answers_once_it_is_fresh_enough() {
    let cluster = Cluster::formed(3);
    let committed = cluster.decide(GROUP, 1);
    let ledger = LedgerId {
        partner: partner(1),
        mode: Mode::Live,
    };
    let query = Query::Accounts {
        reference: None,
        currency: None,
        page: Page {
            limit: 10,
            ..Page::default()
        },
    };
    for group in cluster.groups(GROUP) {
        let at_least = Consistency::AtLeast(committed.at.index);
        let (answer, at) = block(group.read(at_least, ledger, &query, deadline())).unwrap();
        assert!(at.unwrap().index >= committed.at.index);
        assert!(matches!(answer, Answer::Accounts(list) if list.items.len() == 1));
    }
    let follower = follower(&cluster);
    let soon = Instant::now() + Duration::from_millis(50);
    let future = Consistency::AtLeast(committed.at.index + 1_000);
    assert_eq!(
        block(follower.fresh(future, soon)),
        Err(ReadError::TimedOut)
    );
}

#[test]
fn many_callers_are_answered_each() {
    let cluster = Cluster::formed(3);
    let leader = cluster.leader(GROUP);
    let callers =
        (0..500).map(|number| leader.propose(partner(number), account(number), deadline()));
    let answers = block(futures_util::future::join_all(callers));
    let mut positions: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().decision.position)
        .collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 500);
    cluster.assert_agreement(GROUP);
}

#[test]
fn large_commands_pass_and_too_large_ones_are_refused() {
    let cluster = Cluster::formed(3);
    let leader = cluster.leader(GROUP);
    let sized = |bytes: usize| {
        let command = Command::CreateAccount(NewAccount {
            currency: florin_ledger::amount::Currency::parse("EUR").unwrap(),
            kind: AccountKind::Asset,
            constraint: Constraint::None,
            overdraft_limit: 0,
            reference: None,
            metadata: vec![("k".into(), "v".repeat(bytes).into())],
        });
        let ledger = LedgerId {
            partner: partner(1),
            mode: Mode::Live,
        };
        bytes::Bytes::from(encode_envelope(&Envelope {
            ledger,
            once: None,
            command,
        }))
    };
    let large = sized(1_500_000);
    let several = (0..6).map(|_| leader.propose(partner(1), large.clone(), deadline()));
    for answer in block(futures_util::future::join_all(several)) {
        answer.unwrap();
    }
    let too_large = sized(COMMAND_BYTES);
    let answer = block(leader.propose(partner(1), too_large, deadline()));
    assert_eq!(answer, Err(ProposeError::TooLarge));
    cluster.assert_agreement(GROUP);
}

/// A handover may come to nothing: the vote can be lost to whoever stands at the same moment. Who
/// asked for it is told so, and asks whoever leads then.
fn move_to(cluster: &Cluster, to: NodeId) {
    let until = deadline();
    loop {
        let moved = block(cluster.leader(GROUP).transfer_leader(to));
        match moved {
            Ok(()) => return,
            Err(TransferLeaderError::TimedOut(_) | TransferLeaderError::NotLeader) => {
                assert!(Instant::now() < until, "node {} never leads", to.0);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn leadership_moves_when_told_and_reads_stay_linearizable() {
    let cluster = Cluster::formed(3);
    let old = cluster.leader(GROUP);
    cluster.decide(GROUP, 1);
    for number in 2..8 {
        move_to(&cluster, NodeId(number % 3 + 1));
        let acknowledged = cluster.decide(GROUP, number).at.index;
        let leader = cluster.leader(GROUP);
        let fresh = block(leader.fresh(Consistency::Linearizable, deadline()));
        if let Ok(at) = fresh {
            assert!(at.unwrap().index >= acknowledged);
        }
        if old.status().role != Role::Leader {
            let stale = block(old.fresh(Consistency::Linearizable, deadline()));
            assert!(
                matches!(stale, Err(ReadError::NotLeader { .. })),
                "{stale:?}"
            );
        }
    }
    cluster.assert_agreement(GROUP);
}

#[test]
fn many_groups_share_streams_and_leaders_go_where_they_are_preferred() {
    let cluster = Cluster::new(3);
    let groups: Vec<GroupId> = (0..6).map(GroupId).collect();
    for group in &groups {
        cluster.form(*group);
        let preferred = (0..3).map(|place| NodeId((u64::from(group.0) + place) % 3 + 1));
        let preferred: Vec<_> = preferred.collect();
        cluster
            .nodes
            .iter()
            .for_each(|node| node.host().set_preference(*group, preferred.clone()));
    }
    for group in &groups {
        cluster.decide(*group, u64::from(group.0));
    }
    for group in &groups {
        let wanted = NodeId(u64::from(group.0) % 3 + 1);
        eventually("the preferred leader", || {
            (cluster.leader_id(*group) == wanted).then_some(())
        });
    }
    for group in groups {
        cluster.assert_agreement(group);
    }
}
