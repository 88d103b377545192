//! Streams of single payments over HTTPS: who pays, how often, over how many connections.

use crate::client::{ClientError, Connection, Http2, Request, Target};
use crate::pace::Pace;
use crate::partners::{CURRENCY, Partner};
use crate::skew::{Random, Zipf};
use crate::tally::{Fate, Tally, fate, fate_of_error};
use anyhow::{Context, Result};
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Not counted: caches fill, leaders settle, connections open.
pub const WARM_UP: Duration = Duration::from_secs(2);

/// A payment that takes longer counts as of unknown fate.
const DEADLINE: Duration = Duration::from_secs(30);

/// Pause of a connection after a failure, so that a system in trouble is not stormed.
const PAUSE: Duration = Duration::from_millis(10);

/// What an open loop still owes this long after its end is not sent any more.
const GRACE: Duration = Duration::from_secs(5);

/// Payments of one kind.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Who pays how often.
    pub payers: Zipf,
    /// How many connections share it.
    pub connections: u32,
    /// Over HTTP/2, with so many requests at once on each of them; unless given over HTTP/1.1,
    /// one at a time.
    pub http2: Option<u32>,
    /// Payments a second; unless given, the next one is sent when one is answered.
    pub rate: Option<f64>,
}

/// Where streams go and what they count from.
#[derive(Clone)]
pub struct Load {
    /// The partner API.
    pub api: Target,
    /// Everybody who may pay.
    pub partners: Rc<[Partner]>,
    /// How long is measured, after the warm-up.
    pub duration: Duration,
}

/// What came of a stream.
#[derive(Debug)]
pub struct Streamed {
    /// What was counted.
    pub tally: Tally,
    /// From the end of the warm-up to the last answer.
    pub took: Duration,
}

/// What the connections of a stream share. They run on one thread.
struct Flow {
    load: Load,
    stream: Stream,
    /// Its HTTP/2 connections. Who finds one broken opens it again, and the others wait for that.
    shared: Vec<Mutex<Option<Http2>>>,
    pace: Option<Pace>,
    /// Distinguishes the keys of this stream from those of others.
    name: String,
    tally: RefCell<Tally>,
    measured_from: Instant,
    /// Sooner than planned, if what the streams are to accompany is over.
    ends: Cell<Instant>,
    last_answer: Cell<Instant>,
}

impl Load {
    /// Lets streams flow together, and tells how it goes every second. Runs within a
    /// [`tokio::task::LocalSet`].
    pub async fn run(&self, streams: &[Stream]) -> Result<Vec<Streamed>> {
        self.run_beside(streams, std::future::pending()).await
    }

    /// The same, but no longer than until something else is over.
    pub async fn run_beside(
        &self,
        streams: &[Stream],
        other: impl Future<Output = ()>,
    ) -> Result<Vec<Streamed>> {
        let began = Instant::now();
        let (measured_from, ends) = (began + WARM_UP, began + WARM_UP + self.duration);
        let run = run_name();
        let flows: Vec<Rc<Flow>> = streams
            .iter()
            .enumerate()
            .map(|(at, stream)| {
                Rc::new(Flow {
                    load: self.clone(),
                    stream: stream.clone(),
                    shared: stream.shared(),
                    pace: stream.rate.map(|rate| Pace::start(rate, began, ends)),
                    name: format!("{run}-{at}"),
                    tally: RefCell::new(Tally::new(self.partners.len())),
                    measured_from,
                    ends: Cell::new(ends),
                    last_answer: Cell::new(began),
                })
            })
            .collect();
        let mut payments = JoinSet::new();
        for flow in &flows {
            for number in 0..flow.stream.payments_at_once() {
                payments.spawn_local(pay(flow.clone(), number));
            }
        }
        let progress = tokio::task::spawn_local(progress(flows.clone()));
        let (mut other, mut over) = (pin!(other), false);
        loop {
            tokio::select! {
                ended = payments.join_next() => match ended {
                    Some(ended) => ended.context("a payment's task panicked")?,
                    None => break,
                },
                () = &mut other, if !over => {
                    over = true;
                    let now = Instant::now();
                    flows.iter().for_each(|flow| flow.ends.set(ends.min(now)));
                }
            }
        }
        progress.abort();
        Ok(flows.iter().map(|flow| flow.streamed()).collect())
    }
}

impl Stream {
    fn payments_at_once(&self) -> u32 {
        self.connections * self.http2.unwrap_or(1)
    }

    fn shared(&self) -> Vec<Mutex<Option<Http2>>> {
        let shared = self.http2.map_or(0, |_| self.connections);
        (0..shared).map(|_| Mutex::default()).collect()
    }
}

impl Flow {
    /// A connection for one of the payments at once.
    async fn connect(&self, number: u32) -> Result<Connection, ClientError> {
        let Some(at_once) = self.stream.http2 else {
            return self.load.api.connect().await;
        };
        let mut shared = self.shared[(number / at_once) as usize].lock().await;
        let open = match shared.take().filter(Http2::is_open) {
            Some(open) => open,
            None => self.load.api.connect_http2().await?,
        };
        *shared = Some(open.clone());
        Ok(Connection::Http2(open))
    }

    /// Who comes next opens another one: nothing says that this one still answers.
    async fn forget(&self, number: u32) {
        if let Some(at_once) = self.stream.http2 {
            *self.shared[(number / at_once) as usize].lock().await = None;
        }
    }

    fn streamed(&self) -> Streamed {
        let last = self.last_answer.get();
        Streamed {
            tally: self.tally.borrow().clone(),
            took: last.saturating_duration_since(self.measured_from),
        }
    }

    /// When the next payment is meant to be sent; nothing at the end.
    async fn next(&self) -> Option<Instant> {
        let next = match &self.pace {
            Some(pace) => pace.next().await,
            None => Some(Instant::now()),
        };
        next.filter(|next| *next < self.ends.get())
    }

    /// An open loop that cannot keep up must end all the same.
    fn is_hopeless(&self) -> bool {
        self.pace.is_some() && Instant::now() > self.ends.get() + GRACE
    }

    fn failed(&self, reason: String, fate: Fate) -> Fate {
        self.tally.borrow_mut().reason(reason);
        fate
    }
}

/// A payment, its answer, the next payment.
async fn pay(flow: Rc<Flow>, number: u32) {
    let mut random = Random::new(u64::from(number));
    let (mut key, mut body) = (String::new(), String::new());
    let mut kept: Option<Connection> = None;
    let mut sequence = 0u64;
    while let Some(intended) = flow.next().await {
        let payer = flow.stream.payers.choose(&mut random);
        let partner = &flow.load.partners[payer];
        let amount = random.between(1, 9_999);
        sequence += 1;
        key.clear();
        body.clear();
        // Writing to a string cannot fail.
        let _ = write!(key, "{}-{number}-{sequence}", flow.name);
        let _ = write!(
            body,
            r#"{{"amount":{amount},"currency":"{CURRENCY}","source":"{}"}}"#,
            partner.wallet
        );
        let request = Request {
            idempotency_key: &key,
            body: body.as_bytes(),
            ..Request::post("/v1/payments", &partner.key)
        };
        let fate = match flow.is_hopeless() {
            true => flow.failed("not sent in time".to_owned(), Fate::Failed),
            false => send(&flow, number, &mut kept, &request).await,
        };
        let answered = Instant::now();
        let measured = intended >= flow.measured_from;
        let latency = measured.then(|| answered - intended);
        flow.tally.borrow_mut().count(payer, amount, fate, latency);
        flow.last_answer.set(answered);
        if matches!(fate, Fate::Failed | Fate::Unknown) && !flow.is_hopeless() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Sends one payment, on a new connection if there is none; keeps the connection if it is of use.
async fn send(
    flow: &Flow,
    number: u32,
    kept: &mut Option<Connection>,
    request: &Request<'_>,
) -> Fate {
    let connected = match kept.take() {
        Some(connection) => Ok(connection),
        None => flow.connect(number).await,
    };
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(error) => return flow.failed(error.to_string(), fate_of_error(&error)),
    };
    let fate = match connection.send(request, DEADLINE).await {
        Ok(response) => match fate(response.status, response.body) {
            Fate::Acknowledged => Fate::Acknowledged,
            other => flow.failed(reason(response.status, response.body), other),
        },
        Err(error) => {
            flow.forget(number).await;
            return flow.failed(error.to_string(), fate_of_error(&error));
        }
    };
    *kept = Some(connection);
    fate
}

/// The status and the error's code, which is enough to count by.
pub fn reason(status: u16, body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let code = parsed
        .as_ref()
        .and_then(|body| body["error"]["code"].as_str());
    format!("{status} {}", code.unwrap_or("without a code"))
}

async fn progress(flows: Vec<Rc<Flow>>) {
    let mut before = 0;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    every_second.tick().await;
    loop {
        every_second.tick().await;
        let (mut acknowledged, mut refused, mut errors) = (0, 0, 0);
        for flow in &flows {
            let tally = flow.tally.borrow();
            acknowledged += tally.acknowledged;
            refused += tally.refused;
            errors += tally.errors;
        }
        let Some(first) = flows.first() else { return };
        match Instant::now().checked_duration_since(first.measured_from) {
            None => eprintln!("warming up"),
            Some(passed) => eprintln!(
                "{:4} s  {:>7}/s  p50 {:.1} ms  p99 {:.1} ms  refused {refused}  errors {errors}",
                passed.as_secs(),
                acknowledged - before,
                first.tally.borrow().latencies.quantile_ms(0.5),
                first.tally.borrow().latencies.quantile_ms(0.99),
            ),
        }
        before = acknowledged;
    }
}

/// A name that no earlier run had.
pub fn run_name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("bench-{:x}", now.unwrap_or_default().as_micros())
}
