//! How long payments stop when a leader is killed.
//!
//! Partners of all groups pay all the while. A group's leader is killed with SIGKILL; what counts
//! is the time until the first payment of that group is acknowledged that was sent afterwards.
//! Then the node is started again, the cluster becomes whole, and it is the next group's turn.

use crate::audit;
use crate::cli::FailoverArgs;
use crate::client::{Connection, Request, Target};
use crate::latency::Latencies;
use crate::load::run_name;
use crate::partners::{CURRENCY, Partner};
use crate::pay::onboard;
use crate::report::Report;
use crate::settled;
use crate::system::{System, topology};
use crate::tally::{Fate, Tally, fate, fate_of_error};
use anyhow::{Context, Result};
use florin_ledger::id::GroupId;
use florin_node::cluster::Cluster;
use florin_node::cluster::process::Restart;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A dead node is started again after this; its groups have other leaders by then.
const DOWN: Duration = Duration::from_millis(1_500);

/// A payment that takes longer counts as of unknown fate.
const DEADLINE: Duration = Duration::from_secs(15);

/// Pause of a payer after a failure.
const PAUSE: Duration = Duration::from_millis(5);

/// How long a group may be without an acknowledged payment, and a cluster not whole.
const PATIENCE: Duration = Duration::from_secs(60);

/// A payer sends so many times a second at most: the machine is to have room for elections.
const EVERY: Duration = Duration::from_millis(5);

/// What the payers share. They run on one thread.
struct Payers {
    api: Target,
    partners: Vec<Partner>,
    name: String,
    tally: RefCell<Tally>,
    stopping: Cell<bool>,
    /// By partner: when the last acknowledged payment was sent, and when it was answered.
    last: Vec<watch::Sender<(Instant, Instant)>>,
}

/// Runs the bench.
pub async fn run(args: &FailoverArgs) -> Result<Report> {
    let system = System::of(topology(&args.own)?, &args.own, Restart::After(DOWN)).await?;
    eprintln!("under load: {}", system.description);
    let result = kill_and_audit(args, &system).await;
    let stopped = system.stop().await;
    let report = result?;
    stopped.context("the cluster did not stop well")?;
    Ok(report)
}

async fn kill_and_audit(args: &FailoverArgs, system: &System) -> Result<Report> {
    let partners = onboard(system, args.partners).await?;
    let now = Instant::now();
    let payers = Rc::new(Payers {
        api: system.doors.api.clone(),
        name: run_name(),
        tally: RefCell::new(Tally::new(partners.len())),
        stopping: Cell::new(false),
        last: partners
            .iter()
            .map(|_| watch::Sender::new((now, now)))
            .collect(),
        partners,
    });
    let mut paying = JoinSet::new();
    for number in 0..payers.partners.len() {
        paying.spawn_local(pay(payers.clone(), number));
    }
    let gaps = kill_in_turn(args, system.cluster()?, &payers).await;
    payers.stopping.set(true);
    while let Some(ended) = paying.join_next().await {
        ended.context("a payer's task panicked")?;
    }
    let (gaps, took) = (gaps?, now.elapsed());
    let tally = payers.tally.borrow().clone();
    let audit = audit::audit(&system.doors.api, &payers.partners, &tally.moved).await?;
    Ok(Report {
        refused: tally.refused,
        errors: tally.errors,
        reasons: tally.reasons.clone(),
        ..Report::counted("failover", tally.acknowledged, took, &gaps)
    }
    .with("kills", gaps.count())
    .audited(audit))
}

/// Kills the leaders of the groups that partners live in, one after the other.
async fn kill_in_turn(
    args: &FailoverArgs,
    cluster: &Cluster,
    payers: &Payers,
) -> Result<Latencies> {
    let mut gaps = Latencies::default();
    let homes = homes(cluster, payers);
    for kill in 0..args.kills as usize {
        settled::wait(cluster, tokio::time::Instant::now() + PATIENCE).await?;
        let (group, members) = &homes[kill % homes.len()];
        let leaders = settled::leaders(cluster).await;
        let leader = *leaders
            .get(group)
            .context("the group has lost its leader")?;
        let killed = Instant::now();
        cluster.kill(leader, false).await?;
        let answered = next_answer(payers, members, killed);
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        let answered = answered
            .with_context(|| format!("no payment of group {} within {PATIENCE:?}", group.0))?;
        let gap = answered - killed;
        gaps.record(gap);
        eprintln!(
            "kill {:>4} of {}: group {} went on after {:>5} ms",
            kill + 1,
            args.kills,
            group.0,
            gap.as_millis()
        );
    }
    // The last one that was killed is down still, and would not end in order.
    settled::wait(cluster, tokio::time::Instant::now() + PATIENCE).await?;
    Ok(gaps)
}

/// The groups, and which partners live in each.
fn homes(cluster: &Cluster, payers: &Payers) -> Vec<(GroupId, Vec<usize>)> {
    let directory = cluster.router().directory();
    let mut homes = std::collections::BTreeMap::<GroupId, Vec<usize>>::new();
    for (number, partner) in payers.partners.iter().enumerate() {
        if let Some(found) = directory.partners.get(&partner.id) {
            homes.entry(found.value.group).or_default().push(number);
        }
    }
    homes.into_iter().collect()
}

/// When the first payment of one of these was answered that was sent after the kill.
async fn next_answer(payers: &Payers, members: &[usize], killed: Instant) -> Instant {
    let answers = members.iter().map(|member| {
        let mut last = payers.last[*member].subscribe();
        Box::pin(async move {
            let after = last.wait_for(|(sent, _)| *sent >= killed).await;
            after.map(|pair| pair.1).unwrap_or_else(|_| Instant::now())
        })
    });
    futures_util::future::select_all(answers).await.0
}

/// A payer's life: a payment every few milliseconds, again with the same key until it is decided.
async fn pay(payers: Rc<Payers>, number: usize) {
    let mut kept = None;
    let mut sequence = 0u64;
    while !payers.stopping.get() {
        sequence += 1;
        let key = format!("{}-{number}-{sequence}", payers.name);
        let began = Instant::now();
        loop {
            let sent = Instant::now();
            let fate = once(&payers, number, &key, &mut kept).await;
            let answered = Instant::now();
            let again = matches!(fate, Fate::Failed | Fate::Unknown);
            if again && !payers.stopping.get() {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            payers
                .tally
                .borrow_mut()
                .count(number, 1, fate, Some(answered - began));
            if fate == Fate::Acknowledged {
                payers.last[number].send_replace((sent, answered));
            }
            break;
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn once(payers: &Payers, number: usize, key: &str, kept: &mut Option<Connection>) -> Fate {
    let partner = &payers.partners[number];
    let body = format!(
        r#"{{"amount":1,"currency":"{CURRENCY}","source":"{}"}}"#,
        partner.wallet
    );
    let request = Request {
        idempotency_key: key,
        body: body.as_bytes(),
        ..Request::post("/v1/payments", &partner.key)
    };
    let connected = match kept.take() {
        Some(connection) => Ok(connection),
        None => payers.api.connect().await,
    };
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(error) => return fate_of_error(&error),
    };
    match connection.send(&request, DEADLINE).await {
        Ok(response) => {
            let fate = fate(response.status, response.body);
            *kept = Some(connection);
            fate
        }
        Err(error) => fate_of_error(&error),
    }
}
