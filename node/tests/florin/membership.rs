//! A node that is not its former self.

use crate::support::{Stage, until};
use florin_node::cluster::process::{Restart, State};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_folder_was_wiped_does_not_come_back_as_itself() {
    let stage = Stage::set(Restart::Never).await;
    let node = stage.cluster.nodes().pop().unwrap();
    stage.cluster.kill(node.id, true).await.unwrap();
    fs::remove_dir_all(&node.data_dir).unwrap();
    let log = stage.cluster.folder().join(format!("{}.log", node.name));
    fs::remove_file(&log).unwrap();

    let mut state = stage.cluster.watch(node.id).unwrap();
    stage.cluster.start_node(node.id).await.unwrap();
    let ended = state.wait_for(|state| matches!(state, State::Ended { .. }));
    let ended = *tokio::time::timeout(crate::support::PATIENCE, ended)
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
    let said = crate::support::sentence(&fs::read_to_string(&log).unwrap());
    assert!(said.contains("is not the one that node 3 had"), "{said}");
    assert!(
        said.contains("florin replace --node 3"),
        "says how it is brought back: {said}"
    );

    // The others go on without it.
    let paid = stage.clients[0]
        .post("/v1/payments", Some("k"), &stage.books.payment(3, "k"))
        .await
        .unwrap();
    assert_eq!(paid.status, 200);
    until("the others agree", async || {
        let up = stage
            .cluster
            .status(false)
            .await
            .iter()
            .filter(|node| node.error.is_none())
            .count();
        (up == 2).then_some(())
    })
    .await;
}
