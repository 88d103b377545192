//! Nodes whose disks forget: they come back by themselves, and nothing acknowledged is lost.

use crate::support::{PATIENCE, Stage, until};
use florin_node::cluster::NodeInfo;
use florin_node::cluster::process::Restart;
use florin_node::demo::burst::{Burst, Paid};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

/// What is done to the folder of a node that does not run.
type Harm = fn(&NodeInfo);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_log_is_damaged_comes_back_by_itself_and_votes() {
    let stage = Stage::set(Restart::After(Duration::from_millis(300))).await;
    let harms: [(&str, Harm); 3] = [
        ("truncated", truncate_the_last_segment),
        ("flipped", flip_a_header),
        ("lost", lose_the_log),
    ];
    let mut paid = Vec::new();
    for (name, harm) in harms {
        paid.extend(check(&stage, name, harm).await);
        stage.assert_in_order(&paid).await;
    }
    // It votes again: with one of the others gone, there is a quorum with it only.
    stage.cluster.kill(1, true).await.unwrap();
    let body = stage.books.payment(4, "vote");
    let paid = florin_node::demo::books::insist(&stage.clients, "/v1/payments", "vote", &body);
    assert_eq!(paid.await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_node_that_may_rejoin_does_so_by_itself() {
    let stage = Stage::set(Restart::After(Duration::from_millis(300))).await;
    let node = stage.cluster.nodes().pop().unwrap();
    let config = stage.cluster.folder().join(format!("{}.toml", node.name));
    let text = fs::read_to_string(&config).unwrap();
    let others = stage.cluster.addresses();
    let rejoin = format!("rejoin = [\"{}\", \"{}\"]\n\n[tls]", others[0], others[1]);
    fs::write(&config, text.replacen("[tls]", &rejoin, 1)).unwrap();
    let wipe: Harm = |node| fs::remove_dir_all(&node.data_dir).unwrap();
    let paid = check(&stage, "wiped", wipe).await;
    stage.assert_in_order(&paid).await;
}

/// Harms a node's folder while it is down and payments go on, and waits until it is back.
async fn check(stage: &Stage, name: &str, harm: Harm) -> Vec<Paid> {
    let node = stage.cluster.nodes().pop().unwrap();
    let before = incarnation(stage, node.id).await;
    let burst = Burst::start(&stage.clients, &stage.books, name, 4);
    stage.cluster.kill(node.id, true).await.unwrap();
    harm(&node);
    stage.cluster.start_node(node.id).await.unwrap();
    until(&format!("{name}: it is back, as another"), async || {
        let now = incarnation(stage, node.id).await?;
        let whole = Some(now) != before && all_follow(stage).await;
        whole.then_some(())
    })
    .await;
    assert!(
        burst.wait_for_more(20, PATIENCE).await,
        "{name}: payments go on"
    );
    burst.finish().await
}

async fn incarnation(stage: &Stage, id: u64) -> Option<u64> {
    let status = stage.cluster.status(false).await;
    let node = status
        .iter()
        .find(|node| node.node.is_some_and(|node| node.0 == id))?;
    node.error.is_none().then_some(node.incarnation)
}

/// Every group has three members again, and each of them a replica.
async fn all_follow(stage: &Stage) -> bool {
    let status = stage.cluster.status(false).await;
    let groups = status
        .iter()
        .map(|node| node.groups.len())
        .max()
        .unwrap_or(0);
    status.iter().all(|node| {
        node.error.is_none()
            && node.groups.len() == groups
            && node.groups.iter().all(|group| group.members.len() == 3)
    })
}

fn segments(node: &NodeInfo) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(node.data_dir.join("log"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    files.sort();
    files
}

fn truncate_the_last_segment(node: &NodeInfo) {
    for file in segments(node) {
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(4_096).unwrap();
    }
}

/// The header of the second round of the first segment.
fn flip_a_header(node: &NodeInfo) {
    let file = segments(node).swap_remove(0);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut sector = [0; 512];
    let mut at = 512;
    file.read_exact_at(&mut sector, at).unwrap();
    while sector.iter().all(|byte| *byte == 0) {
        at += 512;
        file.read_exact_at(&mut sector, at).unwrap();
    }
    sector[8] ^= 0x10;
    file.write_all_at(&sector, at).unwrap();
}

fn lose_the_log(node: &NodeInfo) {
    fs::remove_dir_all(node.data_dir.join("log")).unwrap();
}
