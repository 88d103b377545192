//! Connections that pay, closed loop, with the skew that `pay` has.

use super::books::{self, Payment, Prepared, Way};
use super::cluster::Cluster;
use crate::cli::PeerArgs;
use crate::load::{WARM_UP, run_name};
use crate::report::Report;
use crate::skew::{Random, Zipf};
use crate::tally::{Fate, Tally};
use anyhow::{Context, Result, ensure};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// What the connections share. They run on one thread.
struct Flow {
    way: Way,
    wallets: Zipf,
    name: String,
    tally: RefCell<Tally>,
    measured_from: Instant,
    ends: Instant,
    last_answer: Cell<Instant>,
}

pub(super) async fn run(args: &PeerArgs, cluster: &Cluster, way: Way) -> Result<Report> {
    let mut clients = Vec::new();
    for _ in 0..args.connections {
        let client = cluster.client().await?;
        let prepared = Prepared::on(&client).await?;
        clients.push((client, prepared));
    }
    eprintln!("{} over {} connections", way.name(), args.connections);
    let began = Instant::now();
    let flow = Rc::new(Flow {
        way,
        wallets: Zipf::new(args.partners as usize),
        name: run_name(),
        tally: RefCell::new(Tally::new(args.partners as usize)),
        measured_from: began + WARM_UP,
        ends: began + WARM_UP + args.duration,
        last_answer: Cell::new(began),
    });
    let mut connections = JoinSet::new();
    for (number, (client, prepared)) in clients.into_iter().enumerate() {
        connections.spawn_local(pay(flow.clone(), number, client, prepared));
    }
    while let Some(ended) = connections.join_next().await {
        ended.context("a connection's task panicked")?;
    }
    let tally = flow.tally.borrow().clone();
    check(args, cluster, &tally).await?;
    let took = flow
        .last_answer
        .get()
        .saturating_duration_since(flow.measured_from);
    let report = Report::new(way.name(), &tally, took);
    Ok(report
        .with("connections", args.connections)
        .with("partners", args.partners))
}

/// The books must agree with what was acknowledged, as Florin's must.
async fn check(args: &PeerArgs, cluster: &Cluster, tally: &Tally) -> Result<()> {
    let (debited, recorded) = books::moved(&cluster.client().await?, args.partners).await?;
    let surely: u64 = tally.moved.iter().map(|moved| moved.surely).sum();
    let perhaps: u64 = tally.moved.iter().map(|moved| moved.perhaps).sum();
    ensure!(
        debited == recorded && (surely..=surely + perhaps).contains(&(debited as u64)),
        "PostgreSQL's books are wrong: {surely} acknowledged, {debited} debited, {recorded} recorded"
    );
    Ok(())
}

/// One connection's life: a payment, its answer, the next payment.
async fn pay(flow: Rc<Flow>, number: usize, client: Client, prepared: Prepared) {
    let mut random = Random::new(number as u64);
    let mut sequence = 0u64;
    loop {
        let started = Instant::now();
        if started >= flow.ends {
            return;
        }
        let payer = flow.wallets.choose(&mut random);
        let amount = random.between(1, 9_999);
        sequence += 1;
        let key = format!("{}-{number}-{sequence}", flow.name);
        let payment = Payment {
            key: &key,
            wallet: payer as i64 + 1,
            amount: amount as i64,
        };
        let fate = match prepared.pay(&client, flow.way, payment).await {
            Ok(true) => Fate::Acknowledged,
            Ok(false) => Fate::Refused,
            Err(error) => {
                flow.tally.borrow_mut().reason(error.to_string());
                Fate::Unknown
            }
        };
        let answered = Instant::now();
        let latency = (started >= flow.measured_from).then(|| answered - started);
        flow.tally.borrow_mut().count(payer, amount, fate, latency);
        flow.last_answer.set(answered);
        // After an error the connection may be in the middle of a transaction, or gone.
        if fate == Fate::Unknown {
            return;
        }
    }
}
