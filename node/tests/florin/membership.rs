//! A node that is not its former self.

use crate::support::{FLORIN, PATIENCE, Stage, florin, sentence, until};
use florin_node::cluster::process::{Restart, State};
use florin_node::demo::audit::disagreement;
use std::fs;
use std::process::Command;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_folder_was_wiped_comes_back_as_another_incarnation_only() {
    let stage = Stage::set(Restart::After(Duration::from_millis(300))).await;
    let node = stage.cluster.nodes().pop().unwrap();
    stage.cluster.kill(node.id, true).await.unwrap();
    check_status_learns(&stage, node.id);
    fs::remove_dir_all(&node.data_dir).unwrap();
    let log = stage.cluster.folder().join(format!("{}.log", node.name));
    fs::remove_file(&log).unwrap();

    let mut state = stage.cluster.watch(node.id).unwrap();
    stage.cluster.start_node(node.id).await.unwrap();
    let ended = state.wait_for(|state| matches!(state, State::Ended { .. }));
    let ended = *tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("it ends")
        .unwrap();
    let State::Ended {
        status: Some(status),
    } = ended
    else {
        panic!("{ended:?}")
    };
    assert_eq!(status.code(), Some(1));
    let said = sentence(&fs::read_to_string(&log).unwrap());
    assert!(said.contains("is not the one that node 3 had"), "{said}");
    assert!(
        said.contains("florin replace --node 3"),
        "says how it is brought back: {said}"
    );

    // The others go on without it.
    let body = stage.books.payment(3, "k");
    let paid = stage.clients[0]
        .post("/v1/payments", Some("k"), &body)
        .await
        .unwrap();
    assert_eq!(paid.status, 200);

    bring_back(&stage, node.id).await;
    until("all three are up", async || {
        let status = stage.cluster.status(false).await;
        status.iter().all(|node| node.error.is_none()).then_some(())
    })
    .await;
    assert_eq!(
        disagreement(&stage.cluster, PATIENCE).await,
        None,
        "it has the others' books"
    );

    // It votes again: without another one there is still a quorum.
    stage.cluster.kill(1, true).await.unwrap();
    let body = stage.books.payment(4, "l");
    let paid = florin_node::demo::books::insist(&stage.clients, "/v1/payments", "l", &body).await;
    assert_eq!(paid.unwrap().status, 200);
}

/// One node leads to the others, and only the one that is down is called so.
fn check_status_learns(stage: &Stage, down: u64) {
    let (certs, topology) = (stage.cluster.certs(), stage.cluster.topology());
    let first = stage.cluster.addresses().swap_remove(0);
    let status = florin(&[
        "status",
        "--cluster",
        &topology.cluster.name,
        "--certs",
        certs.to_str().unwrap(),
        "--nodes",
        &first,
    ]);
    let said = String::from_utf8(status.stdout).unwrap();
    let nodes: Vec<&str> = said.lines().skip(1).take(3).collect();
    for (number, line) in (1..).zip(&nodes) {
        assert_eq!(line.ends_with(" up"), number != down, "{said}");
    }
}

/// As the sentence says; the node's supervisor keeps on starting it meanwhile.
async fn bring_back(stage: &Stage, node: u64) {
    let mut command = Command::new(FLORIN);
    let certs = stage.cluster.certs();
    command.args([
        "replace",
        "--node",
        &node.to_string(),
        "--certs",
        certs.to_str().unwrap(),
    ]);
    command.args([
        "--cluster",
        &stage.cluster.topology().cluster.name,
        "--timeout",
        "60",
    ]);
    command.args(["--nodes", &stage.cluster.addresses().join(",")]);
    let done = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}
