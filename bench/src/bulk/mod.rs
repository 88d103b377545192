//! Transfers in batches over HTTPS, as JSON or as protobuf.

pub mod answer;
pub mod book;
pub mod request;

use crate::audit::Audit;
use crate::cli::{BulkArgs, Format};
use crate::client::{Connection, Request, Target};
use crate::latency::Latencies;
use crate::load::{WARM_UP, reason, run_name};
use crate::report::Report;
use crate::skew::Random;
use crate::system::System;
use crate::tally::{Fate, Moved, fate_of_error};
use anyhow::{Context, Result, bail};
use book::Book;
use request::{Transfer, Writer};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A batch that takes longer counts as of unknown fate.
const DEADLINE: Duration = Duration::from_secs(30);

/// Pause of a connection after a failure.
const PAUSE: Duration = Duration::from_millis(20);

/// Batches to be sent.
#[derive(Clone)]
pub struct Plan {
    /// Where to.
    pub api: Target,
    /// Whose books, in turn.
    pub books: Rc<[Book]>,
    /// Transfers in each.
    pub batch: usize,
    /// How they are written.
    pub format: Format,
    /// How many are under way at once.
    pub connections: u32,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// At this moment.
    Moment(Instant),
    /// When so many transfers were sent.
    Sent(u64),
}

/// What came of batches.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Transfers that were made, of batches sent since what is measured began.
    pub made: u64,
    /// Transfers that the ledger refused, likewise.
    pub refused: u64,
    /// Batches that failed or whose fate is unknown, likewise.
    pub errors: u64,
    /// Of answered batches, likewise.
    pub latencies: Latencies,
    /// What went wrong, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// By book, all the time.
    pub moved: Vec<Moved>,
}

/// What the connections share. They run on one thread.
struct Flow {
    plan: Plan,
    name: String,
    until: Until,
    measured_from: Instant,
    sent: Cell<u64>,
    next_book: Cell<usize>,
    counted: RefCell<Counted>,
    last_answer: Cell<Instant>,
}

/// Runs the bench.
pub async fn run(args: &BulkArgs) -> Result<Report> {
    let system = System::start(&args.system).await?;
    eprintln!("under load: {}", system.description);
    let result = load_and_audit(args, &system).await;
    let stopped = system.stop().await;
    let report = result?;
    stopped.context("the cluster did not stop well")?;
    Ok(report)
}

async fn load_and_audit(args: &BulkArgs, system: &System) -> Result<Report> {
    let books = book::open(system, args.partners, args.accounts).await?;
    let plan = Plan {
        api: system.doors.api.clone(),
        books: books.into(),
        batch: args.batch as usize,
        format: args.format,
        connections: args.connections,
    };
    let measured_from = Instant::now() + WARM_UP;
    let ends = measured_from + args.duration;
    let (counted, took) = send(&plan, measured_from, Until::Moment(ends)).await?;
    eprintln!("auditing the books of {} partners", plan.books.len());
    let audit = audit(&plan, &counted.moved).await?;
    let name = match args.format {
        Format::Json => "bulk json",
        Format::Binary => "bulk binary",
    };
    let report = Report {
        refused: counted.refused,
        errors: counted.errors,
        reasons: counted.reasons.clone(),
        ..Report::counted(name, counted.made, took, &counted.latencies)
    };
    Ok(report
        .with("batch", args.batch)
        .with("connections", args.connections)
        .with("batches", counted.latencies.count())
        .audited(audit))
}

/// Sends batches until it is enough, and says what came of them and how long it took from the
/// moment at which measuring begins. Runs within a [`tokio::task::LocalSet`].
pub async fn send(
    plan: &Plan,
    measured_from: Instant,
    until: Until,
) -> Result<(Counted, Duration)> {
    let counted = Counted {
        moved: vec![Moved::default(); plan.books.len()],
        ..Counted::default()
    };
    let flow = Rc::new(Flow {
        plan: plan.clone(),
        name: run_name(),
        until,
        measured_from,
        sent: Cell::new(0),
        next_book: Cell::new(0),
        counted: RefCell::new(counted),
        last_answer: Cell::new(measured_from),
    });
    let mut connections = JoinSet::new();
    for number in 0..plan.connections {
        connections.spawn_local(connection(flow.clone(), number));
    }
    let progress = tokio::task::spawn_local(progress(flow.clone()));
    while let Some(ended) = connections.join_next().await {
        ended.context("a connection's task panicked")?;
    }
    progress.abort();
    let took = flow
        .last_answer
        .get()
        .saturating_duration_since(measured_from);
    let counted = flow.counted.borrow().clone();
    Ok((counted, took))
}

/// Compares what was credited to each book's accounts since it was opened with what was
/// acknowledged.
pub async fn audit(plan: &Plan, moved: &[Moved]) -> Result<Audit> {
    let mut audit = Audit::default();
    for (book, moved) in plan.books.iter().zip(moved) {
        let found = book.credited(&plan.api).await? - book.credited_before;
        audit.add(&format!("partner {}", book.partner), *moved, found);
    }
    Ok(audit)
}

impl Flow {
    /// Whether there is another batch to be sent, which is then taken as sent.
    fn take(&self) -> bool {
        let more = match self.until {
            Until::Moment(ends) => Instant::now() < ends,
            Until::Sent(enough) => self.sent.get() < enough,
        };
        if more {
            self.sent.set(self.sent.get() + self.plan.batch as u64);
        }
        more
    }

    fn count(
        &self,
        book: usize,
        batch: &[Transfer],
        came: Result<Vec<bool>, Fate>,
        began: Instant,
    ) {
        let now = Instant::now();
        self.last_answer.set(now);
        let measured = began >= self.measured_from;
        let counted = &mut *self.counted.borrow_mut();
        let moved = &mut counted.moved[book];
        let results = match came {
            Ok(results) => results,
            Err(fate) => {
                counted.errors += u64::from(measured);
                if fate == Fate::Unknown {
                    moved.perhaps += batch.iter().map(|one| one.amount).sum::<u64>();
                }
                return;
            }
        };
        let (mut made, mut refused) = (0, 0);
        for (transfer, was_made) in batch.iter().zip(results) {
            match was_made {
                true => {
                    made += 1;
                    moved.surely += transfer.amount;
                }
                false => refused += 1,
            }
        }
        if measured {
            counted.made += made;
            counted.refused += refused;
            counted.latencies.record(now - began);
        }
    }
}

/// One connection's life: a batch, its answers, the next batch.
async fn connection(flow: Rc<Flow>, number: u32) {
    let mut random = Random::new(u64::from(number));
    let mut writer = Writer::new(flow.plan.format);
    let mut kept: Option<Connection> = None;
    let mut batch = Vec::new();
    let mut sequence = 0u64;
    while flow.take() {
        let at = flow.next_book.get();
        flow.next_book.set((at + 1) % flow.plan.books.len());
        let book = &flow.plan.books[at];
        request::draw(
            &mut batch,
            flow.plan.batch,
            book.accounts.len(),
            &mut random,
        );
        writer.write(book, &batch);
        sequence += 1;
        let key = format!("{}-{number}-{sequence}", flow.name);
        let request = Request {
            idempotency_key: &key,
            content_type: writer.content_type(),
            body: writer.bytes(),
            ..Request::post("/v1/transfers/batch", &book.key)
        };
        let began = Instant::now();
        let came = exchange(&flow, &mut kept, &request, batch.len()).await;
        let failed = came.is_err();
        flow.count(at, &batch, came, began);
        if failed {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn exchange(
    flow: &Flow,
    kept: &mut Option<Connection>,
    request: &Request<'_>,
    expected: usize,
) -> Result<Vec<bool>, Fate> {
    let failed = |reason: String, fate: Fate| {
        *flow.counted.borrow_mut().reasons.entry(reason).or_default() += 1;
        fate
    };
    let connected = match kept.take() {
        Some(connection) => Ok(connection),
        None => flow.plan.api.connect().await,
    };
    let by = |error: &crate::client::ClientError| fate_of_error(error);
    let mut connection = connected.map_err(|error| failed(error.to_string(), by(&error)))?;
    let response = connection.send(request, DEADLINE).await;
    let response = response.map_err(|error| failed(error.to_string(), by(&error)))?;
    let results = match response.status {
        200 => answer::results(flow.plan.format, response.body),
        // These answers promise that nothing happened.
        400..=499 | 503 => {
            let reason = reason(response.status, response.body);
            return Err(failed(reason, Fate::Failed));
        }
        _ => {
            let reason = reason(response.status, response.body);
            return Err(failed(reason, Fate::Unknown));
        }
    };
    *kept = Some(connection);
    match results {
        Some(results) if results.len() == expected => Ok(results),
        _ => Err(failed(
            "an answer that could not be read".to_owned(),
            Fate::Unknown,
        )),
    }
}

async fn progress(flow: Rc<Flow>) {
    let (mut before, mut every_second) = (0, tokio::time::interval(Duration::from_secs(1)));
    every_second.tick().await;
    loop {
        every_second.tick().await;
        let counted = flow.counted.borrow();
        eprintln!(
            "{:>9} transfers/s  p50 {:.1} ms  p99 {:.1} ms  refused {}  errors {}",
            counted.made - before,
            counted.latencies.quantile_ms(0.5),
            counted.latencies.quantile_ms(0.99),
            counted.refused,
            counted.errors,
        );
        before = counted.made;
    }
}

/// Sends so many transfers and sees to it that all of them were made.
pub async fn fill(plan: &Plan, transfers: u64) -> Result<Counted> {
    let (counted, _) = send(plan, Instant::now(), Until::Sent(transfers)).await?;
    if counted.made < transfers {
        let missing = transfers - counted.made;
        bail!("{missing} transfers were not made: {:?}", counted.reasons);
    }
    Ok(counted)
}
