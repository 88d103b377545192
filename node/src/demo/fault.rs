//! The story's fourth chapter: the leader of the partner's group dies while payments are made.

use super::PATIENCE;
use super::books::Books;
use super::burst::{Burst, Outcome, Paid, time_to_recover};
use super::paper::Paper;
use crate::client::Client;
use crate::cluster::process::State;
use crate::cluster::{Cluster, Partner};
use anyhow::{Result, bail};
use florin_ledger::id::{GroupId, NodeId};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Payers of the burst.
const PAYERS: usize = 16;
/// Payments before the leader is killed, and after the payments go on.
const ENOUGH: u64 = 300;

/// Kills it, waits until payments go on and until it is back and has caught up.
pub(super) async fn kill_the_leader(
    paper: &mut Paper,
    cluster: &Cluster,
    partner: &Partner,
    clients: &[Client],
    books: &Books,
    run: &str,
) -> Result<Vec<Paid>> {
    paper.chapter("kill -9 of the leader, under load");
    let by = Instant::now() + PATIENCE;
    let group = cluster.group_of(partner, by).await?;
    let leader = cluster.leader_of(group, by).await?;
    let name = cluster.name_of(leader.0);
    paper.say(&format!(
        "This partner's money lives in group {}, led by {name}.",
        group.0
    ));
    let burst = Burst::start(clients, books, &format!("{run}-burst"), PAYERS);
    let began = Instant::now();
    if !burst.wait_for_more(ENOUGH, PATIENCE).await {
        bail!(
            "the burst did not get going: {} payments in {PATIENCE:?}",
            burst.acknowledged()
        );
    }
    let rate = burst.acknowledged() as f64 / began.elapsed().as_secs_f64();
    paper.say(&format!(
        "{PAYERS} payers pay {rate:.0} times a second, each payment with a key of its own."
    ));
    let mut process = cluster.watch(leader.0)?;
    let fault = Instant::now();
    cluster.kill(leader.0, false).await?;
    paper.say(&format!(
        "{name} got SIGKILL after {} payments.",
        burst.acknowledged()
    ));
    if cluster.nodes().len() == 1 {
        paper.say("It is the only node: payers ask again until its supervisor has started it.");
    }
    let recovered = burst.wait_for_more(ENOUGH, PATIENCE).await;
    restart(cluster, leader, &mut process).await?;
    let caught_up = catch_up(cluster, group, leader, fault).await;
    let paid = burst.finish().await;
    if !recovered {
        bail!("no payments were acknowledged for {PATIENCE:?} after the leader was killed");
    }
    report(paper, &name, &paid, fault, caught_up);
    Ok(paid)
}

/// Waits until the supervisor has started the node; starts it if there is none that would.
async fn restart(
    cluster: &Cluster,
    node: NodeId,
    process: &mut tokio::sync::watch::Receiver<State>,
) -> Result<()> {
    let runs = process.wait_for(|state| matches!(state, State::Running { .. }));
    if tokio::time::timeout(super::RESTART * 2, runs)
        .await
        .is_err()
    {
        cluster.start_node(node.0).await?;
    }
    Ok(())
}

/// Waits until a node follows its group closely again; since when the fault was, in all.
async fn catch_up(
    cluster: &Cluster,
    group: GroupId,
    node: NodeId,
    fault: Instant,
) -> Option<Duration> {
    while fault.elapsed() < PATIENCE {
        let status = cluster.status(false).await;
        let applied = |wanted: Option<NodeId>| {
            let replicas = status
                .iter()
                .filter(|one| wanted.is_none() || one.node == wanted);
            let group = replicas
                .flat_map(|one| &one.groups)
                .filter(|one| one.group == group);
            group.filter_map(|one| one.applied).max()
        };
        // Payments go on, so "caught up" is: not further behind than a status takes to be asked for.
        match (applied(Some(node)), applied(None)) {
            (Some(here), Some(newest)) if newest - here < 100 => return Some(fault.elapsed()),
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
    None
}

fn report(paper: &Paper, name: &str, paid: &[Paid], fault: Instant, caught_up: Option<Duration>) {
    let replayed = paid
        .iter()
        .filter(|paid| matches!(paid.outcome, Outcome::Acknowledged { replayed: true, .. }))
        .count();
    let seconds = |time: Option<Duration>| {
        time.map_or_else(
            || "never".into(),
            |time| format!("{:.2} s", time.as_secs_f64()),
        )
    };
    paper.fact(
        "recovered",
        &format!(
            "{} after the kill, payments were acknowledged again",
            seconds(time_to_recover(paid, fault))
        ),
    );
    let had_been = if replayed == 1 {
        "payment had"
    } else {
        "payments had"
    };
    paper.fact("replayed", &format!("{replayed} {had_been} been made when the kill took the answer; asked again by the same key, it was given"));
    paper.fact(
        "back",
        &format!(
            "{name} was started again and had caught up {} after the kill",
            seconds(caught_up)
        ),
    );
}
