//! Payments by many payers at once, each with a new key, each insisted on until it is answered.
//!
//! What came of each is remembered, so that an audit can look for it. A payer that hears "no
//! leader" or "unknown", or nothing, asks again with the same key, at the next frontend.

use super::books::{Books, may_be_repeated};
use crate::client::Client;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Before a payer asks again.
const PAUSE: Duration = Duration::from_millis(25);

/// Payments that are being made.
pub struct Burst {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    payers: JoinSet<Vec<Paid>>,
}

/// What came of one key.
#[derive(Clone, Debug)]
pub struct Paid {
    /// Its idempotency key, and the payment's description.
    pub key: String,
    /// Minor units.
    pub amount: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// How often it was sent.
    pub attempts: u32,
    /// When it ended.
    pub at: Instant,
}

/// How a payment ended for its payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A success, with the payment's identifier and whether it was the answer of an earlier attempt.
    Acknowledged {
        /// `pay_…`.
        payment: String,
        /// An earlier attempt had made it.
        replayed: bool,
    },
    /// A final "no".
    Refused(String),
    /// The payer gave up: it may exist or not.
    Unknown(String),
}

impl Burst {
    /// Starts this many payers. Must be called within a tokio runtime.
    pub fn start(clients: &[Client], books: &Books, run: &str, payers: usize) -> Burst {
        let (stop, acknowledged) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut tasks = JoinSet::new();
        for number in 0..payers {
            let payer = Payer {
                clients: clients.to_vec(),
                books: books.clone(),
                name: format!("{run}-{number}"),
                at: number,
                stop: stop.clone(),
                acknowledged: acknowledged.clone(),
            };
            tasks.spawn(payer.pay());
        }
        Burst {
            stop,
            acknowledged,
            payers: tasks,
        }
    }

    /// How many were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until this many more are acknowledged; says whether they were in time.
    pub async fn wait_for_more(&self, more: u64, patience: Duration) -> bool {
        let goal = self.acknowledged() + more;
        let reached = async {
            while self.acknowledged() < goal {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(patience, reached).await.is_ok()
    }

    /// Lets every payer finish the payment it is at, and says what came of all of them.
    pub async fn finish(mut self) -> Vec<Paid> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(paid) = self.payers.join_next().await {
            all.extend(paid.unwrap_or_default());
        }
        all
    }
}

struct Payer {
    clients: Vec<Client>,
    books: Books,
    name: String,
    at: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
}

impl Payer {
    async fn pay(mut self) -> Vec<Paid> {
        let mut all = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let amount = 1 + (all.len() as u64 % 9);
            let paid = self
                .pay_once(format!("{}-{}", self.name, all.len()), amount)
                .await;
            if matches!(paid.outcome, Outcome::Acknowledged { .. }) {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            all.push(paid);
        }
        all
    }

    async fn pay_once(&mut self, key: String, amount: u64) -> Paid {
        let body = self.books.payment(amount, &key);
        let by = Instant::now() + super::PATIENCE;
        let mut attempts = 0;
        let outcome = loop {
            attempts += 1;
            let client = &self.clients[self.at % self.clients.len()];
            let why = match client.post("/v1/payments", Some(&key), &body).await {
                Ok(answer) if answer.status.is_success() => {
                    let replayed = answer.header("idempotent-replayed") == Some("true");
                    let payment = answer
                        .json()
                        .ok()
                        .and_then(|body| body["id"].as_str().map(str::to_owned));
                    break match payment {
                        Some(payment) => Outcome::Acknowledged { payment, replayed },
                        None => Outcome::Unknown("a success without an identifier".into()),
                    };
                }
                Ok(answer) if may_be_repeated(&answer) => format!("answered {}", answer.status),
                Ok(answer) => {
                    break Outcome::Refused(String::from_utf8_lossy(&answer.body).into_owned());
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() > by {
                break Outcome::Unknown(why);
            }
            self.at += 1;
            sleep(PAUSE).await;
        };
        Paid {
            key,
            amount,
            outcome,
            attempts,
            at: Instant::now(),
        }
    }
}

/// How long a fault kept payments from being acknowledged: from the fault to the end of the
/// longest silence after it.
pub fn time_to_recover(paid: &[Paid], fault: Instant) -> Option<Duration> {
    let acknowledged = paid
        .iter()
        .filter(|paid| matches!(paid.outcome, Outcome::Acknowledged { .. }));
    let mut times: Vec<Instant> = acknowledged
        .map(|paid| paid.at)
        .filter(|at| *at > fault)
        .collect();
    times.sort_unstable();
    let before = std::iter::once(&fault).chain(&times);
    let longest = before
        .zip(&times)
        .max_by_key(|(before, after)| **after - **before)?;
    Some(*longest.1 - fault)
}
