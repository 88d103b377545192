//! The partner's books as the demo and the tests use them: a bank account that money comes in
//! from, and a wallet that pays.

use super::PATIENCE;
use crate::client::{Answer, Client};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The currency of everything here.
pub const CURRENCY: &str = "EUR";
/// How long before something that may be tried again is.
const PAUSE: Duration = Duration::from_millis(50);

/// The accounts of one run.
#[derive(Clone, Debug)]
pub struct Books {
    /// Money comes in here: an asset of the partner's.
    pub bank: String,
    /// A customer's wallet, which can never go below zero.
    pub wallet: String,
    /// What was put into the wallet, minor units.
    pub funded: u64,
}

impl Books {
    /// Opens the accounts and funds the wallet. `run` keeps runs on the same books apart.
    pub async fn open(client: &Client, run: &str, funded: u64) -> Result<Books> {
        let bank = json!({"currency": CURRENCY, "kind": "asset", "constraint": "none"});
        let wallet = json!({"currency": CURRENCY, "kind": "liability", "constraint": "debits_within_credits"});
        let bank = post(client, "/v1/accounts", &format!("{run}-bank"), &bank)
            .await?
            .json()?;
        let wallet = post(client, "/v1/accounts", &format!("{run}-wallet"), &wallet)
            .await?
            .json()?;
        let books = Books {
            bank: text(&bank, "id")?,
            wallet: text(&wallet, "id")?,
            funded,
        };
        let funding = json!({
            "debit_account": books.bank, "credit_account": books.wallet, "amount": funded, "currency": CURRENCY,
        });
        post(client, "/v1/transfers", &format!("{run}-funding"), &funding).await?;
        Ok(books)
    }

    /// A payment from the wallet; the description makes it found again.
    pub fn payment(&self, amount: u64, description: &str) -> Value {
        json!({"amount": amount, "currency": CURRENCY, "source": self.wallet, "description": description})
    }
}

/// Posts until there is an answer, by the same key, and insists that it is a success.
pub async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Result<Answer> {
    let answer = insist(std::slice::from_ref(client), path, key, body).await?;
    if !answer.status.is_success() {
        bail!(
            "POST {path} was answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
    Ok(answer)
}

/// Posts until there is an answer that repeating cannot change, by the same key, at one frontend
/// after the other.
pub async fn insist(clients: &[Client], path: &str, key: &str, body: &Value) -> Result<Answer> {
    let by = Instant::now() + PATIENCE;
    for client in clients.iter().cycle() {
        match client.post(path, Some(key), body).await {
            Ok(answer) if !may_be_repeated(&answer) => return Ok(answer),
            Ok(answer) if Instant::now() > by => return Ok(answer),
            Err(error) if Instant::now() > by => return Err(error.into()),
            Ok(_) | Err(_) => sleep(PAUSE).await,
        }
    }
    bail!("no frontend to ask")
}

/// An answer that says nothing final: nobody could decide, or nobody knows what was decided.
pub fn may_be_repeated(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 429 | 500..)
}

/// Asks until there is an answer, and insists that it is a success.
pub async fn get(client: &Client, path: &str) -> Result<Value> {
    let by = Instant::now() + PATIENCE;
    loop {
        match client.get(path).await {
            Ok(answer) if answer.status.is_success() => return Ok(answer.json()?),
            Ok(answer) if !may_be_repeated(&answer) || Instant::now() > by => {
                bail!(
                    "GET {path} was answered {}: {}",
                    answer.status,
                    String::from_utf8_lossy(&answer.body)
                )
            }
            Err(error) if Instant::now() > by => return Err(error.into()),
            Ok(_) | Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Every object of a list, newest first.
pub async fn list_all(client: &Client, path: &str) -> Result<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let mut page = get(client, &format!("{path}?limit=100{after}")).await?;
        let data = page["data"]
            .as_array_mut()
            .map(std::mem::take)
            .context("a list without `data`")?;
        all.extend(data);
        match all.last() {
            Some(last) if page["has_more"] == true => {
                after = format!("&starting_after={}", text(last, "id")?)
            }
            _ => return Ok(all),
        }
    }
}

/// A field that is text.
pub fn text(value: &Value, field: &str) -> Result<String> {
    let found = value[field].as_str().map(str::to_owned);
    found.with_context(|| format!("no `{field}` in {value}"))
}

/// A field that is a decimal string of minor units, or a number of them.
pub fn minor_units(value: &Value, field: &str) -> Result<i128> {
    let found = match &value[field] {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().map(i128::from),
        _ => None,
    };
    found.with_context(|| format!("no sum `{field}` in {value}"))
}
