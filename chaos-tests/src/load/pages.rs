//! Lists of a partner, read in pages, at whichever frontend answers.

use super::send::Frontend;
use crate::limits::PAUSE;
use anyhow::{Context, Result, bail};
use florin_ledger::id::Timestamp;
use florin_node::demo::books::{may_be_repeated, text};
use futures_util::future::try_join_all;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Parts of a list that are read at once.
const PARTS: u64 = 8;
/// How long a page is insisted on.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer, at one frontend after the other.
pub(super) async fn get(frontends: &[Frontend], path: &str) -> Result<Value> {
    let by = Instant::now() + PATIENCE;
    for frontend in frontends.iter().cycle() {
        match frontend.client.get(path).await {
            Ok(answer) if answer.status.is_success() => return Ok(answer.json()?),
            Ok(answer) if !may_be_repeated(&answer) || Instant::now() > by => {
                let said = String::from_utf8_lossy(&answer.body);
                bail!("GET {path} was answered {}: {said}", answer.status)
            }
            Err(error) if Instant::now() > by => return Err(error.into()),
            Ok(_) | Err(_) => sleep(PAUSE).await,
        }
    }
    bail!("no frontend to ask")
}

/// Every object of a list that was made at `from` or later, in no order. `until` is about when the
/// last was made: the list is cut into parts of equal time, which are read at once.
pub(super) async fn all(
    frontends: &[Frontend],
    path: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Value>> {
    let step = until.0.saturating_sub(from.0) / PARTS + 1;
    let at = |part: u64| Timestamp(from.0 + part * step).rfc3339();
    let parts = (0..PARTS).map(|part| {
        let before = match part + 1 {
            PARTS => String::new(),
            next => format!("&created[lt]={}", at(next)),
        };
        let query = format!("{path}?limit=100&created[gte]={}{before}", at(part));
        pages(frontends, query)
    });
    Ok(try_join_all(parts).await?.into_iter().flatten().collect())
}

async fn pages(frontends: &[Frontend], query: String) -> Result<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let mut page = get(frontends, &format!("{query}{after}")).await?;
        let data = page["data"].as_array_mut().map(std::mem::take);
        all.extend(data.context("a list without `data`")?);
        match all.last() {
            Some(last) if page["has_more"] == true => {
                after = format!("&starting_after={}", text(last, "id")?);
            }
            _ => return Ok(all),
        }
    }
}
