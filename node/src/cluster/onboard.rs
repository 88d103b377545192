//! Partners for demo, bench and tests, made the way an operator makes them.

use super::{Cluster, LOOK};
use crate::client::{Answer, Client};
use anyhow::{Context, Result, bail};
use florin_ledger::id::{GroupId, Id, prefix};
use serde_json::{Value, json};
use std::fmt;
use tokio::time::{Instant, sleep};

/// A partner with its keys.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Partner {
    /// `ptn_…`.
    pub id: String,
    /// Opens its live ledger.
    pub secret_key: String,
    /// Opens its test ledger.
    pub test_key: String,
}

impl Cluster {
    /// Onboards a partner with a live and a test key, and waits until every frontend knows them.
    pub async fn onboard(&self, name: &str, region: Option<&str>, by: Instant) -> Result<Partner> {
        let admin = self.admin_client(0)?;
        let body = json!({"name": name, "home_region": region});
        let made = until_done(by, || admin.post("/admin/v1/partners", None, &body)).await?;
        let id = text(&made, "id")?;
        let path = format!("/admin/v1/partners/{id}/keys");
        let mut keys = Vec::new();
        for mode in ["live", "test"] {
            let scopes = [
                "payments:write",
                "payments:read",
                "ledger:write",
                "ledger:read",
            ];
            let body = json!({"mode": mode, "scopes": scopes});
            let made = until_done(by, || admin.post(&path, None, &body)).await?;
            keys.push(text(&made, "secret")?);
        }
        let (test_key, secret_key) = (
            keys.pop().unwrap_or_default(),
            keys.pop().unwrap_or_default(),
        );
        for frontend in 0..self.urls().len() {
            for key in [&secret_key, &test_key] {
                let client = self.client(frontend, key)?;
                until_done(by, || client.get("/v1/accounts?limit=1")).await?;
            }
        }
        Ok(Partner {
            id,
            secret_key,
            test_key,
        })
    }

    /// The group that holds a partner's money.
    pub async fn group_of(&self, partner: &Partner, by: Instant) -> Result<GroupId> {
        let id = Id::parse(prefix::PARTNER, &partner.id)
            .ok()
            .context("not a partner's identifier")?;
        let directory = self.router().refresh(by).await?;
        let found = directory
            .partners
            .get(&id)
            .map(|partner| partner.value.group);
        found.with_context(|| format!("{} is not in the directory", partner.id))
    }

    /// A client of each frontend, by one key.
    pub fn clients(&self, key: &str) -> Result<Vec<Client>> {
        (0..self.urls().len())
            .map(|frontend| self.client(frontend, key))
            .collect()
    }
}

/// Repeats a request that is harmless to repeat until it succeeds: a cluster that has just begun
/// may have no leader yet, and a frontend may not have heard of a new key.
async fn until_done<F, E>(by: Instant, request: impl Fn() -> F) -> Result<Value>
where
    F: Future<Output = Result<Answer, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    loop {
        let failure = match request().await {
            Ok(answer) if answer.status.is_success() => return Ok(answer.json()?),
            Ok(answer) if answer.status == 401 || answer.status.is_server_error() => {
                anyhow::anyhow!(
                    "{}: {}",
                    answer.status,
                    String::from_utf8_lossy(&answer.body)
                )
            }
            Ok(answer) => bail!(
                "{}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ),
            Err(error) => error.into(),
        };
        if Instant::now() > by {
            return Err(failure.context("the cluster does not do what is asked"));
        }
        sleep(LOOK).await;
    }
}

fn text(value: &Value, field: &str) -> Result<String> {
    let found = value[field].as_str().map(str::to_owned);
    found.with_context(|| format!("an answer without `{field}`"))
}

/// Without the secrets.
impl fmt::Debug for Partner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partner")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
