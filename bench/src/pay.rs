//! One payment per HTTPS request, each with a key of its own, closed loop on each connection.

use crate::audit;
use crate::cli::PayArgs;
use crate::client::{Connection, Request, Target};
use crate::partners::{self, CURRENCY, Partner};
use crate::report::Report;
use crate::skew::{Random, Zipf};
use crate::system::System;
use crate::tally::{Fate, Tally, fate, fate_of_error};
use anyhow::{Context, Result};
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Not counted: caches fill, leaders settle, connections open.
const WARM_UP: Duration = Duration::from_secs(2);

/// A payment that takes longer counts as of unknown fate.
const DEADLINE: Duration = Duration::from_secs(30);

/// Pause of a connection after a failure, so that a system in trouble is not stormed.
const PAUSE: Duration = Duration::from_millis(10);

/// What all connections share. They run on one thread.
struct Load {
    api: Target,
    partners: Vec<Partner>,
    zipf: Zipf,
    tally: RefCell<Tally>,
    /// Distinguishes the keys of this run from those of others.
    run: String,
    measured_from: Instant,
    ends: Instant,
    last_answer: Cell<Instant>,
}

/// Runs the bench; the report says whether the audit held.
pub async fn run(args: &PayArgs) -> Result<Report> {
    let system = System::start(&args.system).await?;
    eprintln!("under load: {}", system.description);
    let result = load_and_audit(args, &system).await;
    let stopped = system.stop().await;
    let report = result?;
    stopped.context("the cluster did not stop well")?;
    Ok(report)
}

async fn load_and_audit(args: &PayArgs, system: &System) -> Result<Report> {
    let count = args.partners as usize;
    let partners = partners::onboard(&system.doors, &system.regions, count, |made| {
        if made % 250 == 0 || made == count {
            eprintln!("onboarding: {made} of {count} partners");
        }
    });
    let partners = partners.await.context("onboarding failed")?;

    let began = Instant::now();
    let load = Rc::new(Load {
        api: system.doors.api.clone(),
        zipf: Zipf::new(partners.len()),
        tally: RefCell::new(Tally::new(partners.len())),
        partners,
        run: run_name(),
        measured_from: began + WARM_UP,
        ends: began + WARM_UP + args.duration,
        last_answer: Cell::new(began),
    });
    let mut connections = JoinSet::new();
    for number in 0..args.connections {
        connections.spawn_local(pay(load.clone(), number));
    }
    let progress = tokio::task::spawn_local(progress(load.clone()));
    while let Some(ended) = connections.join_next().await {
        ended.context("a connection's task panicked")?;
    }
    progress.abort();

    let seconds = load
        .last_answer
        .get()
        .saturating_duration_since(load.measured_from);
    eprintln!("auditing {} wallets", load.partners.len());
    let moved = load.tally.borrow().moved.clone();
    let audit = audit::audit(&system.doors.api, &load.partners, &moved).await?;
    Ok(Report::new("pay", &load.tally.borrow(), seconds, audit))
}

/// One connection's life: a payment, its answer, the next payment.
async fn pay(load: Rc<Load>, number: u32) {
    let mut random = Random::new(u64::from(number));
    let (mut key, mut body) = (String::new(), String::new());
    let mut connection: Option<Connection> = None;
    let mut sequence = 0u64;
    loop {
        let started = Instant::now();
        if started >= load.ends {
            return;
        }
        let payer = load.zipf.choose(&mut random);
        let partner = &load.partners[payer];
        let amount = random.between(1, 9_999);
        sequence += 1;
        key.clear();
        body.clear();
        // Writing to a string cannot fail.
        let _ = write!(key, "{}-{number}-{sequence}", load.run);
        let _ = write!(
            body,
            r#"{{"amount":{amount},"currency":"{CURRENCY}","source":"{}"}}"#,
            partner.wallet
        );
        let request = Request {
            method: "POST",
            path: "/v1/payments",
            token: &partner.key,
            idempotency_key: &key,
            body: &body,
        };
        let fate = send(&load, &mut connection, &request).await;
        let answered = Instant::now();
        let measured = started >= load.measured_from;
        let latency = measured.then(|| answered - started);
        load.tally.borrow_mut().count(payer, amount, fate, latency);
        load.last_answer.set(answered);
        if matches!(fate, Fate::Failed | Fate::Unknown) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Sends one payment, on a new connection if there is none; keeps the connection if it is of use.
async fn send(load: &Load, kept: &mut Option<Connection>, request: &Request<'_>) -> Fate {
    let connected = match kept.take() {
        Some(connection) => Ok(connection),
        None => load.api.connect().await,
    };
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(error) => return failed(load, error.to_string(), fate_of_error(&error)),
    };
    let fate = match connection.send(request, DEADLINE).await {
        Ok(response) => match fate(response.status, response.body) {
            Fate::Acknowledged => Fate::Acknowledged,
            other => failed(load, reason(response.status, response.body), other),
        },
        Err(error) => return failed(load, error.to_string(), fate_of_error(&error)),
    };
    *kept = Some(connection);
    fate
}

fn failed(load: &Load, reason: String, fate: Fate) -> Fate {
    load.tally.borrow_mut().reason(reason);
    fate
}

/// The status and the error's code, which is enough to count by.
fn reason(status: u16, body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let code = parsed
        .as_ref()
        .and_then(|body| body["error"]["code"].as_str());
    format!("{status} {}", code.unwrap_or("without a code"))
}

async fn progress(load: Rc<Load>) {
    let mut before = 0;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await;
    loop {
        every_second.tick().await;
        let now = Instant::now();
        let tally = load.tally.borrow();
        match now.checked_duration_since(load.measured_from) {
            None => eprintln!("warming up"),
            Some(passed) => eprintln!(
                "{:4} s  {:>7}/s  p50 {:.1} ms  p99 {:.1} ms  refused {}  errors {}",
                passed.as_secs(),
                tally.acknowledged - before,
                tally.quantile_ms(0.5),
                tally.quantile_ms(0.99),
                tally.refused,
                tally.errors,
            ),
        }
        before = tally.acknowledged;
    }
}

/// A name that no earlier run had.
fn run_name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("bench-{:x}", now.unwrap_or_default().as_micros())
}
