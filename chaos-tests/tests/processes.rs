//! Real processes: a leader is killed under load, and checkers judge what clients saw.

mod support;

use florin_chaos::check;
use florin_chaos::history::Fault;
use florin_chaos::load::{Load, LoadOptions, PartnerKey};
use florin_node::cluster::process::{Restart, State};
use florin_node::cluster::{Cluster, ClusterOptions, Topology};
use std::path::Path;
use std::time::Duration;
use support::{florin, turn};
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);
/// Payments before, during and after the fault.
const SOME: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_is_killed_and_every_checker_holds() {
    let _turn = tokio::task::spawn_blocking(turn).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = florin();
    let options = ClusterOptions {
        program,
        restart: Restart::Never,
        ..ClusterOptions::new(folder.path()).unwrap()
    };
    let config =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../cluster-configs/three-regions.toml");
    let topology = Topology::load(&config).unwrap();
    let by = Instant::now() + PATIENCE;
    let cluster = Cluster::start(topology, options).await.unwrap();
    let partner = cluster.onboard("Chaos", None, by).await.unwrap();
    let group = cluster.group_of(&partner, by).await.unwrap();
    let key = PartnerKey {
        name: "chaos".into(),
        secret: partner.secret_key.clone(),
        group: Some(group.0.into()),
    };
    let options = LoadOptions::new(cluster.urls(), Some(cluster.ca()), vec![key]);
    let load = Load::start(options).await.unwrap();
    assert!(load.wait_for_more(SOME, PATIENCE).await, "before");
    let leader = cluster.leader_of(group, by).await.unwrap().0;
    cluster.kill(leader, true).await.unwrap();
    let began = load.now();
    let state = *cluster.watch(leader).unwrap().borrow();
    assert!(load.wait_for_more(SOME, PATIENCE).await, "during");
    let ended = Some(load.now());
    cluster.start_node(leader).await.unwrap();
    assert!(load.wait_for_more(SOME, PATIENCE).await, "after");
    let fault = Fault {
        what: format!("SIGKILL of {}", cluster.name_of(leader)),
        class: "kill".into(),
        targets: vec![cluster.name_of(leader)],
        began,
        ended,
        evidence: matches!(state, State::Ended { .. }).then(|| format!("{state:?}")),
        ..Fault::default()
    };
    let history = load.finish("leader killed", vec![fault]).await.unwrap();
    let verdicts = check::all(&history);
    let table: Vec<String> = verdicts.iter().map(ToString::to_string).collect();
    println!("{}", table.join("\n"));
    // Nothing here looks at leaders and replicas, or says what is allowed.
    let silent = ["agreement", "raft", "liveness", "recovery"];
    for verdict in &verdicts {
        let expected = silent.contains(&verdict.checker) || verdict.passed();
        assert!(expected && !verdict.failed(), "{verdict}");
    }
    cluster.stop().await;
}
