//! A cluster that cannot do its work says so truthfully.

use crate::support::{PATIENCE, Stage, until};
use florin_node::cluster::process::Restart;
use florin_node::demo::audit::disagreement;
use florin_node::demo::books::{insist, list_all};
use http::Method;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_writes_are_refused_truthfully_and_stale_reads_go_on() {
    let stage = Stage::set(Restart::Never).await;
    let client = &stage.clients[0];
    insist(
        &stage.clients,
        "/v1/payments",
        "before",
        &stage.books.payment(5, "before"),
    )
    .await
    .unwrap();
    let balance = format!("/v1/accounts/{}/balance", stage.books.wallet);
    let fresh = client.get(&balance).await.unwrap().json().unwrap();
    // A follower hears a little later what is committed, and without a quorum nobody tells it.
    assert_eq!(disagreement(&stage.cluster, PATIENCE).await, None);
    let (kept, killed): (Vec<_>, Vec<_>) = stage
        .cluster
        .nodes()
        .into_iter()
        .partition(|node| node.id == 1);
    for node in &killed {
        stage.cluster.kill(node.id, true).await.unwrap();
    }
    assert_eq!(kept.len(), 1);

    let refused = client
        .post(
            "/v1/payments",
            Some("during"),
            &stage.books.payment(7, "during"),
        )
        .await
        .unwrap();
    let code = refused.json().unwrap()["error"]["code"].clone();
    let surely_not = refused.status == 503 && code == "no_leader";
    let perhaps = refused.status == 504 && code == "outcome_unknown";
    assert!(surely_not || perhaps, "{} {code}", refused.status);
    if surely_not {
        assert!(refused.header("retry-after").is_some());
    }
    let stale = client
        .send(
            Method::GET,
            &balance,
            &[("consistency", "stale")],
            "".into(),
        )
        .await
        .unwrap();
    assert_eq!(stale.status, 200, "{stale:?}");
    assert_eq!(
        stale.json().unwrap()["debits_posted"],
        fresh["debits_posted"]
    );

    for node in &killed {
        stage.cluster.start_node(node.id).await.unwrap();
    }
    let payments = until("a quorum again", async || {
        list_all(client, "/v1/payments").await.ok()
    })
    .await;
    let during = payments
        .iter()
        .filter(|payment| payment["description"] == "during")
        .count();
    assert!(
        during == 0 || perhaps,
        "503 means that it was surely not applied"
    );
    let again = insist(
        &stage.clients,
        "/v1/payments",
        "during",
        &stage.books.payment(7, "during"),
    )
    .await
    .unwrap();
    assert_eq!(again.status, 200);
    let payments = list_all(client, "/v1/payments").await.unwrap();
    assert_eq!(payments.len(), 2, "once in all");
}
