//! Clusters of real processes in a network that can be broken.

mod support;

use florin_chaos::check;
use florin_chaos::disks::Disks;
use florin_chaos::fabric::{Host, Link};
use florin_chaos::history::Fault;
use florin_chaos::load::{Load, LoadOptions, PartnerKey};
use florin_chaos::playground::{FabricChoice, Playground, PlaygroundSpec, Shape};
use florin_chaos::verdict::exit_code;
use florin_ledger::id::GroupId;
use florin_node::client::Client;
use std::io::Write;
use std::time::Duration;
use support::{florin, turn};
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);
/// Payments before, during and after a fault.
const SOME: u64 = 60;

/// Past the test harness, which keeps what a test that passes prints to itself.
fn say(what: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "playground: {what}");
}

fn by() -> Instant {
    Instant::now() + PATIENCE
}

/// Cuts the leader of a group off from everybody else, sees another one elected and a request
/// served, heals, and sees the cluster whole.
async fn a_leader_is_cut_off(choice: FabricChoice) {
    let _turn = tokio::task::spawn_blocking(turn).await.unwrap();
    let mut spec = PlaygroundSpec::new(Shape::Three);
    spec.program = Some(florin());
    spec.fabric = choice;
    let ground = match Playground::start(spec).await {
        Ok(ground) => ground,
        Err(why) if choice == FabricChoice::Tun => return say(&format!("tun: skipped: {why:#}")),
        Err(why) => panic!("{why:#}"),
    };
    let cluster = ground.cluster();
    let partner = cluster.onboard("Test Store", None, by()).await.unwrap();
    let clients = cluster.clients(&partner.secret_key).unwrap();
    let group = cluster.group_of(&partner, by()).await.unwrap();
    let fabric = ground.fabric().unwrap();
    let leader = cluster.leader_of(group, by()).await.unwrap();
    let cut_off = Host::Node(leader.0);
    for other in fabric.hosts() {
        if other != cut_off {
            fabric.set(cut_off, other, Link::cut(), "a test").unwrap();
            fabric.set(other, cut_off, Link::cut(), "a test").unwrap();
        }
    }
    let next = another_leader(&ground, group, leader.0).await;
    say(&format!(
        "{}: node {next} follows node {}",
        fabric.kind(),
        leader.0
    ));
    until_served(&clients).await;
    let dropped = |one: &Host| {
        fabric
            .counters(cut_off, *one)
            .map(|counters| counters.dropped)
    };
    let dropped: u64 = fabric.hosts().iter().flat_map(dropped).sum();
    assert!(dropped > 0, "the cut was felt");
    fabric.heal_all("a test");
    until_whole(&ground, group).await;
    assert!(ground.stop().await, "everybody ended well");
}

/// Another node that says it leads the group; the one that is cut off cannot be asked.
async fn another_leader(ground: &Playground, group: GroupId, not: u64) -> u64 {
    let by = by();
    loop {
        let leader = ground.cluster().leader_of(group, by).await.unwrap().0;
        if leader != not {
            return leader;
        }
        assert!(Instant::now() < by, "node {leader} leads still");
    }
}

async fn until_served(clients: &[Client]) {
    let by = by();
    loop {
        for client in clients {
            let answer = client.get("/v1/accounts?limit=1").await;
            if answer.is_ok_and(|answer| answer.status.is_success()) {
                return;
            }
        }
        assert!(Instant::now() < by, "nobody is served");
    }
}

/// Every node answers, and all have applied as much of the group as another.
async fn until_whole(ground: &Playground, group: GroupId) {
    let by = by();
    loop {
        let status = ground.cluster().status(false).await;
        let groups = status.iter().flat_map(|node| &node.groups);
        let applied: Vec<_> = groups
            .filter(|one| one.group == group)
            .map(|one| one.applied)
            .collect();
        let alike = applied
            .iter()
            .all(|one| one.is_some() && Some(one) == applied.first());
        if applied.len() == ground.cluster().nodes().len() && alike {
            return;
        }
        assert!(Instant::now() < by, "{applied:?}");
    }
}

/// Load on the books of a new partner.
async fn pay(ground: &Playground) -> Load {
    let cluster = ground.cluster();
    let partner = cluster.onboard("Test Store", None, by()).await.unwrap();
    let key = PartnerKey {
        name: "store".into(),
        secret: partner.secret_key.clone(),
        group: None,
    };
    let options = LoadOptions::new(cluster.urls(), Some(cluster.ca()), vec![key]);
    let load = Load::start(options).await.unwrap();
    assert!(load.wait_for_more(SOME, PATIENCE).await, "before");
    load
}

/// All nodes lose power at the same time, under load; and then one of them loses its disk.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_power_is_and_a_lost_disk_comes_back() {
    let _turn = tokio::task::spawn_blocking(turn).await.unwrap();
    let mut spec = PlaygroundSpec::new(Shape::Three);
    spec.program = Some(florin());
    spec.disks = Disks::Loop;
    let ground = match Playground::start(spec).await {
        Ok(ground) => ground,
        Err(why) => return say(&format!("loop disks: skipped: {why:#}")),
    };
    let load = pay(&ground).await;
    let mut fault = Fault {
        what: "power cut of all nodes".into(),
        class: "power-cut".into(),
        began: load.now(),
        ..Fault::default()
    };
    let nodes: Vec<u64> = ground
        .cluster()
        .nodes()
        .iter()
        .map(|node| node.id)
        .collect();
    for node in &nodes {
        ground.disk(*node).unwrap().cut_power().unwrap();
    }
    for node in &nodes {
        ground.kill(Host::Node(*node)).await.unwrap();
        ground.disk(*node).unwrap().restore_power().unwrap();
    }
    for node in &nodes {
        ground.start_again(Host::Node(*node)).await.unwrap();
    }
    assert!(load.wait_for_more(SOME, PATIENCE).await, "after the cut");
    fault.ended = Some(load.now());
    fault.evidence = Some(format!("{} file systems were shut down", nodes.len()));
    ground.replace_disk(2).await.unwrap();
    assert!(load.wait_for_more(SOME, PATIENCE).await, "after the disk");
    let history = load.finish("power cut", vec![fault]).await.unwrap();
    let verdicts = check::all(&history);
    let table: Vec<String> = verdicts.iter().map(ToString::to_string).collect();
    assert_ne!(exit_code(&verdicts), 1, "{}", table.join("\n"));
    say(&format!(
        "{} operations, {}",
        history.operations.len(),
        table.join("; ")
    ));
    assert!(ground.stop().await, "everybody ended well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_is_cut_off_by_namespaces() {
    a_leader_is_cut_off(FabricChoice::Tun).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_is_cut_off_by_proxies() {
    a_leader_is_cut_off(FabricChoice::Proxy).await;
}
