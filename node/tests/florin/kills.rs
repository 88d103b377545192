//! SIGKILL under load, of one and of all.

use crate::support::{PATIENCE, Stage, by};
use florin_node::cluster::process::Restart;
use florin_node::demo::burst::{Burst, Outcome, time_to_recover};
use std::time::Duration;
use tokio::time::Instant;

/// Payments before and after each fault.
const SOME: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn leaders_die_under_load_and_no_payment_is_lost_or_doubled() {
    let stage = Stage::set(Restart::After(Duration::from_millis(200))).await;
    let burst = Burst::start(&stage.clients, &stage.books, "kill", 8);
    let mut faults = Vec::new();
    for _ in 0..2 {
        assert!(
            burst.wait_for_more(SOME, PATIENCE).await,
            "payments before the fault"
        );
        let leader = stage.leader().await;
        faults.push(Instant::now());
        stage.cluster.kill(leader, false).await.unwrap();
        assert!(
            burst.wait_for_more(SOME, PATIENCE).await,
            "payments after the fault"
        );
    }
    let paid = burst.finish().await;
    stage.assert_in_order(&paid).await;
    let recovered = time_to_recover(&paid, faults[0]).unwrap();
    // The bound on a quiet machine is 3 s; this one may be building something beside.
    assert!(recovered < Duration::from_secs(10), "{recovered:?}");
    every_frontend_gives_the_first_answer(&stage, &paid).await;
    assert!(stage.cluster.stop().await, "all ended well");
}

async fn every_frontend_gives_the_first_answer(
    stage: &Stage,
    paid: &[florin_node::demo::burst::Paid],
) {
    for paid in paid.iter().step_by(paid.len() / 20 + 1) {
        let Outcome::Acknowledged { payment, .. } = &paid.outcome else {
            continue;
        };
        let body = stage.books.payment(paid.amount, &paid.key);
        let mut answers = Vec::new();
        for client in &stage.clients {
            let again = client
                .post("/v1/payments", Some(&paid.key), &body)
                .await
                .unwrap();
            assert_eq!(
                again.header("idempotent-replayed"),
                Some("true"),
                "{again:?}"
            );
            assert_eq!(again.json().unwrap()["id"], payment.as_str());
            answers.push((again.status, again.body));
        }
        assert!(
            answers.windows(2).all(|pair| pair[0] == pair[1]),
            "to the byte: {answers:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_die_at_once_and_come_back_with_every_payment() {
    let stage = Stage::set(Restart::After(Duration::from_millis(200))).await;
    let burst = Burst::start(&stage.clients, &stage.books, "all", 8);
    assert!(
        burst.wait_for_more(SOME, PATIENCE).await,
        "payments before the fault"
    );
    let nodes = stage.cluster.nodes();
    let kills = nodes.iter().map(|node| stage.cluster.kill(node.id, false));
    futures_util::future::try_join_all(kills).await.unwrap();
    assert!(
        burst.wait_for_more(SOME, PATIENCE).await,
        "payments after the fault"
    );
    let paid = burst.finish().await;
    stage.assert_in_order(&paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_told_to_stop_hands_over_and_leaves_sound_data() {
    let stage = Stage::set(Restart::Never).await;
    let burst = Burst::start(&stage.clients, &stage.books, "stop", 8);
    assert!(burst.wait_for_more(SOME, PATIENCE).await, "payments before");
    let leader = stage.leader().await;
    let status = stage
        .cluster
        .terminate(leader)
        .await
        .unwrap()
        .expect("it ended");
    assert!(status.success(), "{status}");
    assert!(burst.wait_for_more(SOME, PATIENCE).await, "payments after");
    let folder = stage
        .cluster
        .nodes()
        .into_iter()
        .find(|node| node.id == leader)
        .unwrap()
        .data_dir;
    let checked = crate::support::florin(&["verify", folder.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(
        checked.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    assert!(said.trim_end().ends_with("sound"), "{said}");
    stage.cluster.start_node(leader).await.unwrap();
    let paid = burst.finish().await;
    stage.cluster.wait_ready(by()).await.unwrap();
    stage.assert_in_order(&paid).await;
}
