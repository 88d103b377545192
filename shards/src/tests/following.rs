//! How the copy of the directory keeps up.

use super::fake::{Act, Cluster, failed, partner, soon};
use crate::items::page;
use crate::wire::proto::Failure;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use florin_ledger::directory::Directory;
use florin_ledger::id::{DIRECTORY, Id};

fn with_partner(directory: &Directory, id: u128, version: u64) -> Directory {
    let mut directory = directory.clone();
    directory.put(partner(Id(id), version));
    directory
}

#[tokio::test]
async fn changes_come_by_themselves_and_from_whoever_is_left() {
    let cluster = Cluster::start(2).await;
    let first = with_partner(&cluster.router.directory(), 500, 20);
    for node in &cluster.nodes {
        node.directory.send_replace(Some(first.clone()));
    }
    assert!(
        cluster
            .router
            .wait_directory(soon(), |copy| copy.version == 20)
            .await
    );
    assert!(cluster.router.directory().partners.contains_key(&Id(500)));

    cluster.nodes[0].directory.send_replace(None);
    cluster.nodes[1]
        .directory
        .send_replace(Some(with_partner(&first, 501, 21)));
    assert!(
        cluster
            .router
            .wait_directory(soon(), |copy| copy.version == 21)
            .await
    );

    cluster.nodes[0]
        .directory
        .send_replace(Some(with_partner(&first, 502, 22)));
    cluster.nodes[1].directory.send_replace(None);
    assert!(
        cluster
            .router
            .wait_directory(soon(), |copy| copy.version == 22)
            .await
    );
}

#[tokio::test]
async fn a_refresh_asks_the_leader() {
    let cluster = Cluster::start(2).await;
    let newer = with_partner(&cluster.router.directory(), 600, 30);
    cluster.script(1, |_| failed(Failure::NotLeader, 2));
    cluster.script(2, move |ask| match ask.what {
        What::Directory(since) if ask.group == DIRECTORY.0 => Act::Answer(Outcome::Directory(
            page(newer.version, newer.since(since), true),
        )),
        _ => Act::Silence,
    });
    let callers = (0..20).map(|_| cluster.router.refresh(soon()));
    for refreshed in futures_util::future::join_all(callers).await {
        assert!(refreshed.unwrap().partners.contains_key(&Id(600)));
    }
    assert!(cluster.asked().len() <= 4, "callers share a question");
}
