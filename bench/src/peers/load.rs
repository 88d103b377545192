//! Connections that pay, closed loop, with the skew that `pay` has.

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

/// One payment, from a wallet to its merchant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payment<'a> {
    /// No other payment has it.
    pub(super) key: &'a str,
    /// From 1.
    pub(super) wallet: i64,
    /// Minor units.
    pub(super) amount: i64,
}

/// A connection to a peer.
pub(super) trait Payer: 'static {
    /// Makes a payment; says whether the wallet had the money. After an error its fate is unknown.
    async fn pay(&mut self, payment: Payment<'_>) -> Result<bool>;
}

/// What came of a load: the report, and the sum that the peer must hold now, minor units.
pub(super) struct Paid {
    pub(super) report: Report,
    acknowledged: u64,
}

/// What the connections share. They run on one thread.
struct Flow {
    wallets: Zipf,
    name: String,
    tally: RefCell<Tally>,
    measured_from: Instant,
    ends: Instant,
    last_answer: Cell<Instant>,
}

/// Each payer makes its next payment when the last one is answered. With an error it would be another
/// load than Florin's, so that is none.
pub(super) async fn run(args: &PeerArgs, bench: &str, payers: Vec<impl Payer>) -> Result<Paid> {
    eprintln!("{bench} over {} connections", payers.len());
    let began = Instant::now();
    let flow = Rc::new(Flow {
        wallets: Zipf::new(args.partners as usize),
        name: run_name(),
        tally: RefCell::new(Tally::new(args.partners as usize)),
        measured_from: began + WARM_UP,
        ends: began + WARM_UP + args.duration,
        last_answer: Cell::new(began),
    });
    let mut connections = JoinSet::new();
    for (number, payer) in payers.into_iter().enumerate() {
        connections.spawn_local(pay(flow.clone(), number, payer));
    }
    while let Some(ended) = connections.join_next().await {
        ended.context("a connection's task panicked")?;
    }
    let tally = flow.tally.borrow();
    ensure!(
        tally.reasons.is_empty(),
        "{bench} failed: {:?}",
        tally.reasons
    );
    let took = flow
        .last_answer
        .get()
        .saturating_duration_since(flow.measured_from);
    let report = Report::new(bench, &tally, took);
    Ok(Paid {
        report: report
            .with("connections", args.connections)
            .with("partners", args.partners),
        acknowledged: tally.moved.iter().map(|moved| moved.surely).sum(),
    })
}

impl Paid {
    /// The peer's books must agree with what was acknowledged, as Florin's must.
    pub(super) fn held(&self, peer: &str, recorded: u64) -> Result<()> {
        let acknowledged = self.acknowledged;
        ensure!(
            acknowledged == recorded,
            "{peer}'s books are wrong: {acknowledged} acknowledged, {recorded} recorded"
        );
        Ok(())
    }
}

/// One connection's life: a payment, its answer, the next payment.
async fn pay(flow: Rc<Flow>, number: usize, mut connection: impl Payer) {
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
        let fate = match connection.pay(payment).await {
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
        // The connection may be in the middle of a transaction, or gone; the run has failed anyway.
        if fate == Fate::Unknown {
            return;
        }
    }
}
