//! Who pays: partners onboarded for the run, each with a key and a funded wallet.

use crate::client::{ClientError, Connection, Request, Target};
use anyhow::{Context, Result, bail};
use florin_ledger::id::{Id, prefix};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What each wallet holds at the start, minor units: no run can empty it.
pub const FUNDS: u64 = 9_000_000_000_000;

/// The currency of all payments.
pub const CURRENCY: &str = "USD";

/// How many are onboarded at the same time.
const AT_ONCE: usize = 32;

/// How long one request of the setting up or the audit may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// How long such a request is tried again while the cluster is not ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// A partner that pays.
#[derive(Clone, Debug)]
pub struct Partner {
    /// Its identifier.
    pub id: Id,
    /// Its secret key, live mode.
    pub key: String,
    /// Where the wallet's money came from; it may owe any amount.
    pub bank: String,
    /// The account that pays.
    pub wallet: String,
}

/// A connection that opens itself again, and a way to ask until there is an answer.
pub struct Caller {
    target: Target,
    connection: Option<Connection>,
}

/// Something that was made.
#[derive(Deserialize)]
pub struct Made {
    /// What it is called.
    pub id: String,
}

#[derive(Deserialize)]
struct MadeKey {
    secret: String,
}

impl Caller {
    /// Connects with the first request.
    pub fn new(target: Target) -> Caller {
        Caller {
            target,
            connection: None,
        }
    }

    /// Asks until there is an answer that more patience will not change, and reads it.
    pub async fn ask<T: DeserializeOwned>(&mut self, request: &Request<'_>) -> Result<T> {
        let began = Instant::now();
        loop {
            let why = match self.once(request).await {
                Ok((200..=299, body)) => {
                    return serde_json::from_slice(&body).with_context(|| {
                        format!("the answer to {} {}", request.method, request.path)
                    });
                }
                // A frontend may not have heard of a new partner yet.
                Ok((401 | 404 | 429 | 500.., body)) => String::from_utf8_lossy(&body).into_owned(),
                Ok((status, body)) => {
                    let body = String::from_utf8_lossy(&body);
                    bail!(
                        "{} {} was answered {status}: {body}",
                        request.method,
                        request.path
                    );
                }
                Err(error) => error.to_string(),
            };
            if began.elapsed() > PATIENCE {
                bail!(
                    "{} {} had no success for {PATIENCE:?}: {why}",
                    request.method,
                    request.path
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn once(&mut self, request: &Request<'_>) -> Result<(u16, Vec<u8>), ClientError> {
        // Taken out, so that a connection that broke is not used again.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.target.connect().await?,
        };
        let response = connection.send(request, REQUEST_DEADLINE).await?;
        let answer = (response.status, response.body.to_vec());
        self.connection = Some(connection);
        Ok(answer)
    }
}

/// Where partners are onboarded.
#[derive(Clone)]
pub struct Doors {
    /// The partner API.
    pub api: Target,
    /// The admin API.
    pub admin: Target,
    /// The operator's token.
    pub operator: Rc<str>,
}

/// Onboards partners, many at a time, spread over the regions; `progress` is told how many there
/// are so far. Runs within a [`tokio::task::LocalSet`].
pub async fn onboard(
    doors: &Doors,
    regions: &[String],
    count: usize,
    progress: impl Fn(usize),
) -> Result<Vec<Partner>> {
    let next = Rc::new(Cell::new(0));
    let mut workers = JoinSet::new();
    let (made, mut arriving) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..AT_ONCE.min(count) {
        let (doors, next, made) = (doors.clone(), next.clone(), made.clone());
        let regions = regions.to_vec();
        workers.spawn_local(async move {
            let (mut api, mut admin) = (Caller::new(doors.api), Caller::new(doors.admin));
            while next.get() < count {
                let index = next.replace(next.get() + 1);
                let region = regions
                    .get(index % regions.len().max(1))
                    .map(String::as_str);
                let name = format!("bench {index}");
                let (id, key) = key(&mut admin, &doors.operator, &name, region).await?;
                let (bank, wallet) = accounts(&mut api, &key).await?;
                let partner = Partner {
                    id,
                    key,
                    bank,
                    wallet,
                };
                // The other end is closed only when nobody waits for the partners any more.
                let _ = made.send((index, partner));
            }
            anyhow::Ok(())
        });
    }
    drop(made);
    let mut partners = BTreeMap::new();
    while let Some((index, partner)) = arriving.recv().await {
        partners.insert(index, partner);
        progress(partners.len());
    }
    while let Some(ended) = workers.join_next().await {
        ended.context("a worker panicked")??;
    }
    Ok(partners.into_values().collect())
}

/// An account's balance, minor units.
pub async fn balance(api: &mut Caller, key: &str, account: &str) -> Result<i128> {
    #[derive(Deserialize)]
    struct Balance {
        balance: String,
    }
    let path = format!("/v1/accounts/{account}/balance");
    let answer: Balance = api.ask(&Request::get(&path, key)).await?;
    let balance = answer.balance.parse();
    balance.with_context(|| format!("{:?} is no balance", answer.balance))
}

async fn key(
    admin: &mut Caller,
    operator: &str,
    name: &str,
    region: Option<&str>,
) -> Result<(Id, String)> {
    let body = serde_json::json!({ "name": name, "home_region": region }).to_string();
    let partner: Made = admin
        .ask(&post("/admin/v1/partners", operator, "", &body))
        .await?;
    let path = format!("/admin/v1/partners/{}/keys", partner.id);
    let scopes = [
        "payments:write",
        "payments:read",
        "ledger:write",
        "ledger:read",
    ];
    let body = serde_json::json!({ "mode": "live", "scopes": scopes }).to_string();
    let key: MadeKey = admin.ask(&post(&path, operator, "", &body)).await?;
    let id = Id::parse(prefix::PARTNER, &partner.id).context("the partner's identifier")?;
    Ok((id, key.secret))
}

/// A wallet, and money in it from an account that stands for the bank.
async fn accounts(api: &mut Caller, key: &str) -> Result<(String, String)> {
    let account = |kind, constraint| {
        serde_json::json!({ "currency": CURRENCY, "kind": kind, "constraint": constraint })
            .to_string()
    };
    let body = account("asset", "none");
    let bank: Made = api.ask(&post("/v1/accounts", key, "bank", &body)).await?;
    let body = account("liability", "debits_within_credits");
    let wallet: Made = api.ask(&post("/v1/accounts", key, "wallet", &body)).await?;
    let body = serde_json::json!({
        "debit_account": bank.id,
        "credit_account": wallet.id,
        "amount": FUNDS,
        "currency": CURRENCY,
    });
    let body = body.to_string();
    let _: Made = api.ask(&post("/v1/transfers", key, "funds", &body)).await?;
    Ok((bank.id, wallet.id))
}

/// A request that makes something.
pub fn post<'a>(
    path: &'a str,
    token: &'a str,
    idempotency_key: &'a str,
    body: &'a str,
) -> Request<'a> {
    Request {
        idempotency_key,
        body: body.as_bytes(),
        ..Request::post(path, token)
    }
}
