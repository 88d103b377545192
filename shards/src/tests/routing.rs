//! Where commands and questions go, and what is said when no answer comes.

use super::fake::{Act, Cluster, GROUP, LEDGER, decided, envelope, failed, soon};
use crate::error::{ReadError, SubmitError};
use crate::limits::RETRY_AFTER;
use crate::router::Consistency;
use crate::wire::encode;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::{Answered, Failure, Leader};
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, NodeId};
use florin_ledger::query::{Answer, Query};
use std::time::Duration;
use tokio::time::Instant;

fn shortly() -> Instant {
    Instant::now() + Duration::from_millis(700)
}

fn answered(index: u64) -> Act {
    Act::Answer(Outcome::Answered(Answered {
        answer: encode(&Answer::NotFound),
        index,
    }))
}

const QUESTION: Query = Query::Account(Id(1));

#[tokio::test]
async fn a_hint_is_followed_and_remembered() {
    let cluster = Cluster::start(3).await;
    cluster.script(1, |_| failed(Failure::NotLeader, 3));
    cluster.script(3, |_| decided(9));
    let submitted = cluster
        .router
        .submit(&envelope(None), soon())
        .await
        .unwrap();
    assert_eq!((submitted.group, submitted.index), (GROUP, 9));
    cluster
        .router
        .submit(&envelope(Some(1)), soon())
        .await
        .unwrap();
    assert_eq!(cluster.asked(), [1, 3, 3]);
    assert_eq!(cluster.router.leader(GROUP), Some(NodeId(3)));
}

#[tokio::test]
async fn news_of_a_leader_is_heeded() {
    let cluster = Cluster::start(3).await;
    cluster.script(2, |_| decided(1));
    let leader = Leader {
        group: GROUP.0,
        node: 2,
        term: 7,
    };
    cluster.nodes[2].leads.send_replace(vec![leader]);
    assert_eq!(
        cluster.router.wait_leader(GROUP, soon()).await,
        Some(NodeId(2))
    );
    cluster
        .router
        .submit(&envelope(None), soon())
        .await
        .unwrap();
    assert_eq!(cluster.asked(), [2]);
}

#[tokio::test]
async fn a_silent_node_does_not_eat_the_deadline() {
    let cluster = Cluster::start(3).await;
    cluster.script(2, |_| decided(4));
    let submitted = cluster
        .router
        .submit(&envelope(Some(1)), soon())
        .await
        .unwrap();
    assert_eq!(submitted.index, 4);
    let got = cluster.nodes[0].got.lock().clone();
    assert_eq!(cluster.asked(), [1, 2]);
    assert_eq!(got[0].what, got[1].what, "the same bytes again");
}

#[tokio::test]
async fn a_broken_stream_is_retried_by_key_only() {
    let cluster = Cluster::start(3).await;
    cluster.script(1, |_| Act::Break);
    cluster.script(2, |_| decided(4));
    let unkeyed = cluster.router.submit(&envelope(None), soon()).await;
    assert_eq!(unkeyed, Err(SubmitError::OutcomeUnknown));
    assert_eq!(cluster.asked(), [1], "it is never sent again");
    cluster.router.wait_node(NodeId(1), soon()).await;
    assert!(
        cluster
            .router
            .submit(&envelope(Some(1)), soon())
            .await
            .is_ok()
    );
    assert_eq!(cluster.asked(), [1, 1, 2]);
}

#[tokio::test]
async fn the_deadline_is_told_truthfully() {
    let cluster = Cluster::start(3).await;
    for node in 1..=3 {
        cluster.script(node, |_| failed(Failure::NotLeader, 0));
    }
    for key in [None, Some(1)] {
        let submitted = cluster.router.submit(&envelope(key), shortly()).await;
        assert_eq!(submitted, Err(SubmitError::NoLeader), "nobody took it");
    }
    let read = cluster
        .router
        .read(LEDGER, QUESTION, Consistency::Linearizable, shortly())
        .await;
    assert_eq!(read, Err(ReadError::NoLeader));

    cluster.script(2, |_| failed(Failure::Unknown, 0));
    let submitted = cluster.router.submit(&envelope(Some(2)), shortly()).await;
    assert_eq!(
        submitted,
        Err(SubmitError::OutcomeUnknown),
        "one may have taken it"
    );
}

#[tokio::test]
async fn a_silent_group_is_unknown_with_and_without_a_key() {
    let cluster = Cluster::start(1).await;
    for key in [None, Some(1)] {
        let submitted = cluster.router.submit(&envelope(key), shortly()).await;
        assert_eq!(submitted, Err(SubmitError::OutcomeUnknown));
    }
    let got = cluster.asked().len();
    assert!(
        (2..=5).contains(&got),
        "without a key once, with one again and again: {got}"
    );
}

#[tokio::test]
async fn a_plain_no_is_passed_on() {
    let cluster = Cluster::start(1).await;
    for (why, expected) in [
        (
            Failure::Busy,
            SubmitError::Busy {
                retry_after: RETRY_AFTER,
            },
        ),
        (Failure::DiskFull, SubmitError::DiskFull),
        (Failure::TooLarge, SubmitError::TooLarge),
        (
            Failure::Rejected,
            SubmitError::Rejected("because".to_owned()),
        ),
    ] {
        cluster.script(1, move |_| failed(why, 0));
        assert_eq!(
            cluster.router.submit(&envelope(Some(1)), soon()).await,
            Err(expected)
        );
    }
    let stranger = LedgerId {
        partner: Id(1),
        mode: Mode::Live,
    };
    let mut misplaced = envelope(Some(1));
    misplaced.ledger = stranger;
    assert_eq!(
        cluster.router.submit(&misplaced, soon()).await,
        Err(SubmitError::PartnerUnknown)
    );
    let read = cluster
        .router
        .read(stranger, QUESTION, Consistency::Stale, soon())
        .await;
    assert_eq!(read, Err(ReadError::PartnerUnknown));
}

#[tokio::test]
async fn stale_reads_go_on_without_a_leader_and_nearby() {
    let cluster = Cluster::start(3).await;
    for node in 1..=3 {
        cluster.script(node, |_| answered(3));
    }
    let read = cluster
        .router
        .read(LEDGER, QUESTION, Consistency::Stale, soon())
        .await
        .unwrap();
    assert_eq!(
        (read.node, read.index, read.answer),
        (NodeId(3), 3, Answer::NotFound)
    );
    cluster.script(3, |_| failed(Failure::Stopped, 0));
    let read = cluster
        .router
        .read(LEDGER, QUESTION, Consistency::Stale, soon())
        .await
        .unwrap();
    assert_ne!(read.node, NodeId(3));
}

#[tokio::test]
async fn a_token_is_met_by_any_replica_or_by_none() {
    let cluster = Cluster::start(3).await;
    let token = Consistency::AtLeast {
        group: GROUP,
        index: 8,
    };
    for node in 1..=3 {
        cluster.script(node, |_| failed(Failure::NotFresh, 0));
    }
    let read = cluster
        .router
        .read(LEDGER, QUESTION, token, shortly())
        .await;
    assert_eq!(read, Err(ReadError::NotFreshYet));
    cluster.script(1, |_| answered(8));
    let read = cluster
        .router
        .read(LEDGER, QUESTION, token, soon())
        .await
        .unwrap();
    assert_eq!((read.node, read.index), (NodeId(1), 8));
    let foreign = Consistency::AtLeast {
        group: GroupId(9),
        index: 8,
    };
    let read = cluster.router.read(LEDGER, QUESTION, foreign, soon()).await;
    assert_eq!(read, Err(ReadError::TokenOfOtherGroup(GroupId(9))));
}

#[tokio::test]
async fn what_is_submitted_together_shares_frames() {
    let cluster = Cluster::start(1).await;
    cluster.script(1, |_| decided(1));
    let envelopes: Vec<_> = (0..64).map(|key| envelope(Some(key))).collect();
    let all = envelopes
        .iter()
        .map(|envelope| cluster.router.submit(envelope, soon()));
    for submitted in futures_util::future::join_all(all).await {
        submitted.unwrap();
    }
    let frames = *cluster.nodes[0].frames.lock();
    assert!(frames < 8, "64 commands came in {frames} frames");
}
