//! One sending of one request, and what its answer means.

use super::recorder::Recorder;
use crate::history::{Answer, Decided, Name, Operation, Request};
use florin_ledger::id::Id;
use florin_node::client::{self, Client, ClientError};
use florin_node::demo::books::{CURRENCY, minor_units};
use serde_json::{Value, json};
use std::time::Duration;

/// A frontend as one partner asks it.
#[derive(Clone)]
pub(super) struct Frontend {
    pub(super) name: Name,
    pub(super) client: Client,
}

/// Who sends, and for how long it waits.
pub(super) struct Sender<'a> {
    pub(super) recorder: &'a Recorder,
    pub(super) lane: usize,
    pub(super) session: &'a Name,
    pub(super) attempt: Duration,
}

/// An answer as HTTP gave it.
struct Heard {
    answer: Answer,
    said: Option<Name>,
    group: Option<u64>,
    token: Option<u64>,
    decided: Option<Decided>,
    replayed: bool,
}

impl Sender<'_> {
    /// Sends a request once and records what came of it.
    pub(super) async fn send(
        &self,
        frontend: &Frontend,
        key: Option<&Name>,
        request: &Request,
        chance: u64,
    ) -> Answer {
        let client = &frontend.client;
        let invoked = self.recorder.clock.now();
        let heard = match body(key, request) {
            Asked::Get(path) => self.wait(client.get(&path)).await,
            Asked::Post(path, body) => {
                self.wait(client.post(path, key.map(|key| &**key), &body))
                    .await
            }
        };
        let heard = understood(request, heard);
        let answer = heard.answer.clone();
        let operation = Operation {
            session: self.session.clone(),
            key: key.cloned(),
            request: request.clone(),
            invoked,
            returned: self.recorder.clock.now(),
            answer: heard.answer,
            group: heard.group,
            token: heard.token,
            decided: heard.decided,
            replayed: heard.replayed,
            frontend: Some(frontend.name.clone()),
            said: heard.said,
        };
        self.recorder.record(self.lane, operation, chance);
        answer
    }

    async fn wait(
        &self,
        asked: impl Future<Output = Result<client::Answer, ClientError>>,
    ) -> Result<client::Answer, Option<ClientError>> {
        match tokio::time::timeout(self.attempt, asked).await {
            Ok(answer) => answer.map_err(Some),
            Err(_elapsed) => Err(None),
        }
    }
}

enum Asked {
    Get(String),
    Post(&'static str, Value),
}

fn body(key: Option<&Name>, request: &Request) -> Asked {
    // The final books name the key by it.
    let metadata = json!({ "key": key.map(|key| &**key) });
    match request {
        Request::Balance { account } => Asked::Get(format!("/v1/accounts/{account}/balance")),
        Request::Payment {
            source,
            destination,
            amount,
        } => Asked::Post(
            "/v1/payments",
            json!({"amount": amount, "currency": CURRENCY, "source": &**source,
                "destination": &**destination, "metadata": metadata}),
        ),
        Request::Transfer {
            debit,
            credit,
            amount,
        } => Asked::Post(
            "/v1/transfers",
            json!({"amount": amount, "currency": CURRENCY, "debit_account": &**debit,
                "credit_account": &**credit, "metadata": metadata}),
        ),
    }
}

/// What an answer over HTTP means; docs/reliability has the table.
fn understood(request: &Request, answer: Result<client::Answer, Option<ClientError>>) -> Heard {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return unheard(error),
    };
    let body = answer.json().unwrap_or(Value::Null);
    let code = body["error"]["code"].as_str();
    let status = answer.status.as_u16();
    let said = match code {
        Some(code) => Some(format!("{status} {code}").into()),
        None if answer.status.is_success() => None,
        None => Some(status.to_string().into()),
    };
    let meant = match (status, request) {
        (200..300, Request::Balance { .. }) => balance(&body),
        (200..300, _) => acknowledged(&body),
        _ => refused(status, code),
    };
    let (group, token) = token(&answer).unzip();
    let replayed = answer.header("idempotent-replayed") == Some("true");
    let decides = matches!(meant, Answer::Acknowledged { .. } | Answer::Refused { .. });
    Heard {
        decided: decided(&answer).filter(|_| decides && token.is_some()),
        answer: meant,
        said,
        group,
        token,
        replayed,
    }
}

fn unheard(error: Option<ClientError>) -> Heard {
    let (answer, said) = match error {
        None => (Answer::Unknown, "no answer in time".into()),
        Some(error @ (ClientError::Connect { .. } | ClientError::Request(_))) => {
            (Answer::SurelyNot, error.to_string().into())
        }
        Some(error) => (Answer::Unknown, error.to_string().into()),
    };
    Heard {
        answer,
        said: Some(said),
        group: None,
        token: None,
        decided: None,
        replayed: false,
    }
}

fn acknowledged(body: &Value) -> Answer {
    match (body["id"].as_str(), body["amount"].as_u64()) {
        (Some(id), Some(amount)) => Answer::Acknowledged {
            id: id.into(),
            amount,
        },
        _ => Answer::Unknown,
    }
}

fn balance(body: &Value) -> Answer {
    let balance = minor_units(body, "balance").ok();
    let balance = balance.and_then(|balance| i64::try_from(balance).ok());
    match (balance, body["sequence"].as_u64()) {
        (Some(balance), Some(sequence)) => Answer::Balance { balance, sequence },
        _ => Answer::Unknown,
    }
}

/// What the ledger decides is a refusal; what never reached it surely did not happen.
fn refused(status: u16, code: Option<&str>) -> Answer {
    match (status, code) {
        (400 | 402 | 404 | 409 | 422, Some(code)) if by_the_ledger(code) => {
            Answer::Refused { code: code.into() }
        }
        (400..500 | 500 | 503, _) => Answer::SurelyNot,
        _ => Answer::Unknown,
    }
}

fn by_the_ledger(code: &str) -> bool {
    matches!(
        code,
        "insufficient_funds"
            | "invalid_state"
            | "reference_taken"
            | "account_not_found"
            | "payment_not_found"
            | "transfer_not_found"
            | "same_account"
            | "currency_mismatch"
            | "amount_too_large"
            | "balance_overflow"
            | "idempotency_key_reused"
    )
}

fn token(answer: &client::Answer) -> Option<(u64, u64)> {
    let (group, index) = answer.header("consistency-token")?.split_once('-')?;
    Some((group.parse().ok()?, index.parse().ok()?))
}

fn decided(answer: &client::Answer) -> Option<Decided> {
    let id = Id::parse("req_", answer.header("request-id")?);
    id.ok().map(Decided::of)
}
