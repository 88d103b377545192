//! One session: it pays, reads, and insists.

use super::Recorder;
use crate::history::{Answer, Operation, Request};
use crate::limits::{INSIST, PAUSE};
use florin_node::client::{self, Client, ClientError};
use florin_node::demo::books::{CURRENCY, minor_units};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::{Instant, sleep};

/// Every which operation of a session is a read.
const READ_EVERY: u64 = 3;

pub(super) struct Session {
    name: String,
    wallet: String,
    shop: String,
    clients: Vec<Client>,
    recorder: Arc<Recorder>,
    /// Which frontend is asked next.
    at: usize,
}

impl Session {
    pub(super) fn new(
        name: String,
        wallet: String,
        shop: String,
        clients: Vec<Client>,
        recorder: Arc<Recorder>,
    ) -> Session {
        Session {
            name,
            wallet,
            shop,
            clients,
            recorder,
            at: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let mut count = 0;
        while !self.recorder.stop.load(Ordering::Relaxed) {
            count += 1;
            if count % READ_EVERY == 0 {
                self.read().await;
            } else {
                self.pay(&format!("{}-{count}", self.name), 1 + count % 9)
                    .await;
            }
        }
    }

    async fn pay(&mut self, key: &str, amount: u64) {
        let request = Request::Payment {
            source: self.wallet.clone(),
            destination: self.shop.clone(),
            amount,
        };
        let by = Instant::now() + INSIST;
        loop {
            let client = &self.clients[self.at % self.clients.len()];
            let answer = send(&self.recorder, client, &self.name, key, &request).await;
            let may_be_repeated = matches!(answer, Answer::SurelyNot | Answer::Unknown);
            if !may_be_repeated || Instant::now() > by {
                return;
            }
            self.at += 1;
            sleep(PAUSE).await;
        }
    }

    /// One read; an answer that does not come is no evidence, and is asked for again by the next.
    async fn read(&mut self) {
        let client = &self.clients[self.at % self.clients.len()];
        let path = format!("/v1/accounts/{}/balance", self.wallet);
        let invoked = self.recorder.now();
        let read = client.get(&path).await;
        let answer = match read {
            Ok(read) if read.status.is_success() => balance(&read).unwrap_or(Answer::Unknown),
            Ok(_) | Err(_) => Answer::Unknown,
        };
        let failed = answer == Answer::Unknown;
        self.recorder.record(Operation {
            session: self.name.clone(),
            key: None,
            request: Request::Balance {
                account: self.wallet.clone(),
            },
            invoked,
            returned: self.recorder.now(),
            answer,
        });
        if failed {
            self.at += 1;
            sleep(PAUSE).await;
        }
    }
}

/// Sends a payment or transfer once and records what came of it.
pub(super) async fn send(
    recorder: &Recorder,
    client: &Client,
    session: &str,
    key: &str,
    request: &Request,
) -> Answer {
    let metadata = json!({ "key": key });
    let (path, body) = match request {
        Request::Payment {
            source,
            destination,
            amount,
        } => (
            "/v1/payments",
            json!({"amount": amount, "currency": CURRENCY, "source": source,
                "destination": destination, "metadata": metadata}),
        ),
        Request::Transfer {
            debit,
            credit,
            amount,
        } => (
            "/v1/transfers",
            json!({"amount": amount, "currency": CURRENCY, "debit_account": debit,
                "credit_account": credit, "metadata": metadata}),
        ),
        Request::Balance { .. } => return Answer::SurelyNot,
    };
    let invoked = recorder.now();
    let answer = understood(client.post(path, Some(key), &body).await);
    recorder.record(Operation {
        session: session.to_owned(),
        key: Some(key.to_owned()),
        request: request.clone(),
        invoked,
        returned: recorder.now(),
        answer: answer.clone(),
    });
    answer
}

/// What an answer over HTTP means; docs/reliability.md has the table.
fn understood(answer: Result<client::Answer, ClientError>) -> Answer {
    let answer = match answer {
        Ok(answer) => answer,
        Err(ClientError::Connect { .. } | ClientError::Request(_)) => return Answer::SurelyNot,
        Err(_) => return Answer::Unknown,
    };
    let body = answer.json().unwrap_or(Value::Null);
    match answer.status.as_u16() {
        200..300 => match (body["id"].as_str(), body["amount"].as_u64()) {
            (Some(id), Some(amount)) => Answer::Acknowledged {
                id: id.to_owned(),
                amount,
            },
            _ => Answer::Unknown,
        },
        429 | 503 => Answer::SurelyNot,
        400..500 => Answer::Refused {
            code: body["error"]["code"].as_str().unwrap_or("?").to_owned(),
        },
        _ => Answer::Unknown,
    }
}

fn balance(answer: &client::Answer) -> Option<Answer> {
    let body = answer.json().ok()?;
    Some(Answer::Balance {
        balance: minor_units(&body, "balance").ok()?.try_into().ok()?,
        sequence: body["sequence"].as_u64()?,
    })
}
