//! What is left to say after a fault: every acknowledged payment is there once, the books
//! balance, and the replicas agree.

use super::books::{Books, get, list_all, minor_units, text};
use super::burst::{Outcome, Paid};
use crate::client::Client;
use crate::cluster::Cluster;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What an audit found.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Payments that a payer was told of.
    pub acknowledged: usize,
    /// Of these, how many are there, under the identifier that was told.
    pub found: usize,
    /// Keys that made more than one payment.
    pub twice: usize,
    /// Payments that no payer asked for.
    pub unasked: usize,
    /// What the wallet lacks or has too much, minor units.
    pub off_by: i128,
    /// Debits less credits over all accounts, minor units.
    pub imbalance: i128,
    /// Why the replicas do not agree, if they do not.
    pub disagreement: Option<String>,
}

impl Audit {
    /// Whether nothing was lost, nothing happened twice, and the books are in order.
    pub fn held(&self) -> bool {
        self.acknowledged == self.found
            && self.twice == 0
            && self.unasked == 0
            && self.off_by == 0
            && self.imbalance == 0
            && self.disagreement.is_none()
    }
}

/// Reads everything back through the partner's API and compares it with what payers were told.
pub async fn audit(client: &Client, books: &Books, paid: &[Paid]) -> Result<Audit> {
    let mut audit = Audit::default();
    let mut by_key: HashMap<String, Vec<(String, u64)>> = HashMap::new();
    let mut moved: i128 = 0;
    for payment in list_all(client, "/v1/payments").await? {
        if payment["source"] != books.wallet.as_str() {
            continue;
        }
        moved +=
            minor_units(&payment, "amount_captured")? - minor_units(&payment, "amount_refunded")?;
        let key = payment["description"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let amount = payment["amount"].as_u64().unwrap_or_default();
        by_key
            .entry(key)
            .or_default()
            .push((text(&payment, "id")?, amount));
    }
    audit.twice = by_key
        .values()
        .filter(|payments| payments.len() > 1)
        .count();
    for paid in paid {
        let there = by_key.remove(&paid.key).unwrap_or_default();
        if let Outcome::Acknowledged { payment, .. } = &paid.outcome {
            audit.acknowledged += 1;
            audit.found += usize::from(
                there
                    .iter()
                    .any(|(id, amount)| id == payment && *amount == paid.amount),
            );
        }
        // A refused one must not be there; an unknown one may.
        if matches!(paid.outcome, Outcome::Refused(_)) {
            audit.unasked += there.len();
        }
    }
    audit.unasked += by_key.len();
    let wallet = get(client, &format!("/v1/accounts/{}/balance", books.wallet)).await?;
    audit.off_by = minor_units(&wallet, "balance")? - (i128::from(books.funded) - moved);
    audit.imbalance = imbalance(client).await?;
    Ok(audit)
}

/// Debits less credits over all accounts of the ledger: zero, or money was made or lost.
pub async fn imbalance(client: &Client) -> Result<i128> {
    let mut difference = 0;
    for account in list_all(client, "/v1/accounts").await? {
        let balance = get(
            client,
            &format!("/v1/accounts/{}/balance", text(&account, "id")?),
        )
        .await?;
        difference +=
            minor_units(&balance, "debits_posted")? - minor_units(&balance, "credits_posted")?;
    }
    Ok(difference)
}

/// Waits until all replicas of every group have applied as much, and compares their hashes.
/// `None` if they agree, else which do not and how.
pub async fn disagreement(cluster: &Cluster, patience: Duration) -> Option<String> {
    let by = Instant::now() + patience;
    loop {
        let found = compare(cluster).await;
        match found {
            Ok(()) => return None,
            // A difference at the same index will not go away.
            Err(Difference::Hashes(why)) => return Some(why),
            Err(Difference::NotYet(why)) if Instant::now() > by => return Some(why),
            Err(Difference::NotYet(_)) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A replica: its node, how far it is, and the hash of its ledger there.
type Seen = (String, Option<u64>, Option<[u8; 32]>);

enum Difference {
    Hashes(String),
    NotYet(String),
}

async fn compare(cluster: &Cluster) -> Result<(), Difference> {
    let mut first: BTreeMap<u32, Seen> = BTreeMap::new();
    let mut not_yet = None;
    for node in cluster.status(true).await {
        if let Some(error) = node.error {
            not_yet = Some(format!("{} does not answer: {error}", node.name));
        }
        for group in node.groups {
            let number = group.group.0;
            let Some((other, applied, hash)) = first.get(&number) else {
                first.insert(number, (node.name.clone(), group.applied, group.state_hash));
                continue;
            };
            if *applied != group.applied {
                not_yet = Some(format!(
                    "{other} and {} are not equally far in group {number}",
                    node.name
                ));
            } else if *hash != group.state_hash || hash.is_none() {
                let why = format!(
                    "{other} and {} differ in group {number} at entry {applied:?}",
                    node.name
                );
                return Err(Difference::Hashes(why));
            }
        }
    }
    match not_yet {
        Some(why) => Err(Difference::NotYet(why)),
        None if first.is_empty() => Err(Difference::NotYet("no replica answers".into())),
        None => Ok(()),
    }
}
