//! Whoever should not be there, or does not speak the language, harms nobody but their own connection.

use crate::support::{PATIENCE, Stage};
use florin_ledger::id::NodeId;
use florin_node::certs::{Kind, Layout, make};
use florin_node::cluster::process::Restart;
use florin_node::config::MutualTls;
use florin_node::tls::{Dialer, FRONTEND_NAME, OPERATOR_NAME};
use florin_shards::{ReplaceError, ReplaceOptions, replace};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

fn dialer(certs: &Path, kind: &Kind, name: &str) -> Dialer {
    let layout = Layout::new(certs);
    let tls = MutualTls {
        ca: layout.ca(),
        cert: layout.cert(kind),
        key: layout.key(kind),
    };
    Dialer::new(&tls, name).unwrap()
}

/// Sends bytes and waits until the other side closes.
async fn is_cut_off(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, bytes: &[u8]) {
    let talk = async {
        // The other side may be gone before all is written.
        let _gone = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
    };
    timeout(PATIENCE, talk)
        .await
        .expect("the connection is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_nonsense_are_turned_away() {
    let stage = Stage::set(Restart::Never).await;
    let nodes = stage.cluster.addresses();
    let public = stage.cluster.urls()[0]
        .trim_start_matches("https://")
        .to_owned();
    let pids = || -> Vec<u32> { stage.cluster.nodes().iter().map(|node| node.pid).collect() };
    let before = pids();

    let nonsense: [&[u8]; 3] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x16, 3, 3, 0xff, 0xff, 1, 2, 3],
        &[0; 64],
    ];
    for address in [&nodes[0], &public] {
        for bytes in nonsense {
            is_cut_off(TcpStream::connect(address).await.unwrap(), bytes).await;
        }
    }
    // Past TLS, and then no HTTP/2.
    let frontend = dialer(&stage.cluster.certs(), &Kind::Frontend, FRONTEND_NAME);
    is_cut_off(
        frontend.dial(&nodes[0]).await.unwrap(),
        b"EHLO florin\r\n\r\n and more of it\r\n",
    )
    .await;

    // A certificate of another authority.
    let elsewhere = tempfile::tempdir().unwrap();
    make(elsewhere.path(), 1, &[]).unwrap();
    let stranger = dialer(elsewhere.path(), &Kind::Operator, OPERATOR_NAME);
    assert!(
        stranger.dial(&nodes[0]).await.is_err(),
        "they do not trust our nodes"
    );

    let body = stage.books.payment(1, "after");
    let paid = stage.clients[0]
        .post("/v1/payments", Some("after"), &body)
        .await
        .unwrap();
    assert_eq!(paid.status, 200);
    assert_eq!(pids(), before, "nobody died of it");
    may_not_change_members(&stage, frontend).await;
}

/// A frontend's certificate does not make an operator.
async fn may_not_change_members(stage: &Stage, frontend: Dialer) {
    stage.cluster.kill(3, true).await.unwrap();
    let refused = replace(ReplaceOptions {
        cluster: stage.cluster.topology().cluster.name.clone(),
        seeds: stage.cluster.addresses(),
        node: NodeId(3),
        connector: frontend.connector(),
        timeout: Duration::from_secs(10),
    })
    .await;
    let Err(ReplaceError::Refused { reason, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(reason.contains("frontend.florin.internal"), "{reason}");
    stage.cluster.start_node(3).await.unwrap();
}
