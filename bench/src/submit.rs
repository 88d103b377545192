//! One payment per call straight to the shard leaders, without HTTPS: what the frontend's work on
//! HTTP and JSON costs is the difference to `pay`.

use crate::audit;
use crate::cli::SubmitArgs;
use crate::load::WARM_UP;
use crate::partners::{CURRENCY, Partner};
use crate::pay::onboard;
use crate::report::Report;
use crate::skew::{Random, Zipf};
use crate::system::System;
use crate::tally::{Fate, Tally};
use anyhow::{Context, Result};
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::command::{CaptureMethod, Command, Envelope, NewPayment, Once};
use florin_ledger::effect::Effect;
use florin_ledger::id::{Id, LedgerId, Mode, prefix};
use florin_shards::{Router, SubmitError};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A payment that takes longer counts as of unknown fate.
const DEADLINE: Duration = Duration::from_secs(30);

/// Pause of a caller after a failure.
const PAUSE: Duration = Duration::from_millis(10);

/// A partner as the ledger knows it.
struct Payer {
    ledger: LedgerId,
    wallet: Id,
}

/// What all callers share. They run on one thread, as the router's connections do.
struct Calls {
    router: Router,
    payers: Vec<Payer>,
    zipf: Zipf,
    currency: Currency,
    tally: RefCell<Tally>,
    /// Distinguishes the keys of this run from those of others.
    seed: u64,
    measured_from: Instant,
    ends: Instant,
    last_answer: Cell<Instant>,
}

/// Runs the bench.
pub async fn run(args: &SubmitArgs) -> Result<Report> {
    let system = System::of_own(&args.own).await?;
    eprintln!("under load: {}", system.description);
    let result = load_and_audit(args, &system).await;
    let stopped = system.stop().await;
    let report = result?;
    stopped.context("the cluster did not stop well")?;
    Ok(report)
}

async fn load_and_audit(args: &SubmitArgs, system: &System) -> Result<Report> {
    let partners = onboard(system, args.partners).await?;
    let router = system.cluster()?.router().clone();
    let everybody = |directory: &florin_ledger::directory::Directory| {
        directory.partners.len() >= partners.len()
    };
    let by = tokio::time::Instant::now() + DEADLINE;
    anyhow::ensure!(
        router.wait_directory(by, everybody).await,
        "the directory did not arrive"
    );
    let began = Instant::now();
    let calls = Rc::new(Calls {
        router,
        payers: partners.iter().map(payer).collect::<Result<_>>()?,
        zipf: Zipf::new(partners.len()),
        currency: Currency::parse(CURRENCY).context("the currency")?,
        tally: RefCell::new(Tally::new(partners.len())),
        seed: seed(),
        measured_from: began + WARM_UP,
        ends: began + WARM_UP + args.duration,
        last_answer: Cell::new(began),
    });
    let mut callers = JoinSet::new();
    for number in 0..args.callers {
        callers.spawn_local(caller(calls.clone(), number));
    }
    let progress = tokio::task::spawn_local(progress(calls.clone()));
    while let Some(ended) = callers.join_next().await {
        ended.context("a caller's task panicked")?;
    }
    progress.abort();
    let took = calls
        .last_answer
        .get()
        .saturating_duration_since(calls.measured_from);
    let tally = calls.tally.borrow().clone();
    eprintln!("auditing {} wallets", partners.len());
    let audit = audit::audit(&system.doors.api, &partners, &tally.moved).await?;
    let report = Report::new("submit", &tally, took).with("callers", args.callers);
    Ok(report.with("partners", args.partners).audited(audit))
}

fn payer(partner: &Partner) -> Result<Payer> {
    Ok(Payer {
        ledger: LedgerId {
            partner: partner.id,
            mode: Mode::Live,
        },
        wallet: Id::parse(prefix::ACCOUNT, &partner.wallet).context("the wallet")?,
    })
}

/// One caller's life: a payment, its decision, the next payment.
async fn caller(calls: Rc<Calls>, number: u32) {
    let mut random = Random::new(u64::from(number));
    let mut keys = Random::new(calls.seed ^ (u64::from(number) << 32));
    while Instant::now() < calls.ends {
        let payer = calls.zipf.choose(&mut random);
        let minor = random.between(1, 9_999);
        let Ok(amount) = Amount::new(i128::from(minor)) else {
            unreachable!("it is at least 1");
        };
        let envelope = envelope(&calls, payer, amount, &mut keys);
        let sent = Instant::now();
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let fate = match calls.router.submit(&envelope, deadline).await {
            Ok(submitted) => match submitted.decision.effect {
                Effect::PaymentCreated { .. } => Fate::Acknowledged,
                other => failed(&calls, format!("{other:?}"), Fate::Refused),
            },
            Err(error) => {
                let fate = match error {
                    SubmitError::OutcomeUnknown => Fate::Unknown,
                    _ => Fate::Failed,
                };
                failed(&calls, error.to_string(), fate)
            }
        };
        let answered = Instant::now();
        let latency = (sent >= calls.measured_from).then(|| answered - sent);
        calls.tally.borrow_mut().count(payer, minor, fate, latency);
        calls.last_answer.set(answered);
        if matches!(fate, Fate::Failed | Fate::Unknown) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn envelope(calls: &Calls, payer: usize, amount: Amount, keys: &mut Random) -> Envelope {
    let payer = &calls.payers[payer];
    let mut half = || u128::from(keys.draw());
    // A frontend would hash the partner's key and the request: both are spread bytes.
    let key = half() << 64 | half();
    Envelope {
        ledger: payer.ledger,
        once: Some(Once {
            key: key.to_be_bytes(),
            fingerprint: key.to_le_bytes(),
        }),
        command: Command::CreatePayment(NewPayment {
            amount,
            currency: calls.currency,
            source: payer.wallet,
            destination: None,
            capture: CaptureMethod::Automatic,
            reference: None,
            description: None,
            metadata: Vec::new(),
        }),
    }
}

fn failed(calls: &Calls, reason: String, fate: Fate) -> Fate {
    calls.tally.borrow_mut().reason(reason);
    fate
}

async fn progress(calls: Rc<Calls>) {
    let mut before = 0;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await;
    loop {
        every_second.tick().await;
        let tally = calls.tally.borrow();
        eprintln!(
            "{:>8}/s  p50 {:.2} ms  p99 {:.2} ms  errors {}",
            tally.acknowledged - before,
            tally.latencies.quantile_ms(0.5),
            tally.latencies.quantile_ms(0.99),
            tally.errors,
        );
        before = tally.acknowledged;
    }
}

/// Of the clock: keys must differ between runs, no more.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_nanos() as u64
}
