//! etcd from the system: three members on loopback, each syncing its log as etcd does unless told
//! otherwise. A payment is one put under its idempotency key: no balance is checked, and nothing is
//! debited or credited. What is compared is the replicated write below a payment. There is no TLS,
//! which Florin has; and the client is tonic's, heavier than the one that Florin is loaded with.

mod cluster;
mod wire;

use super::load::{self, Payer, Payment};
use crate::cli::PeerArgs;
use crate::report::Report;
use anyhow::Result;
use cluster::Cluster;
use wire::Client;

/// Runs the bench: one report.
pub async fn run(args: &PeerArgs) -> Result<Vec<Report>> {
    let cluster = Cluster::start(args).await?;
    eprintln!("under load: {}", cluster.description());
    let measured = measure(args, &cluster).await;
    cluster.stop().await?;
    Ok(vec![measured?])
}

/// All connections are to the leader: a put elsewhere would take one more step.
async fn measure(args: &PeerArgs, cluster: &Cluster) -> Result<Report> {
    let mut clients = Vec::new();
    for _ in 0..args.connections {
        clients.push(cluster.client().await?);
    }
    let paid = load::run(args, "peers etcd", clients).await?;
    cluster.is_as_it_was().await?;
    paid.held("etcd", recorded(&mut cluster.client().await?).await?)?;
    Ok(paid.report)
}

impl Payer for Client {
    async fn pay(&mut self, payment: Payment<'_>) -> Result<bool> {
        let Payment {
            key,
            wallet,
            amount,
        } = payment;
        let value = [wallet, -wallet, amount].map(i64::to_be_bytes).concat();
        self.put(key.as_bytes(), value).await?;
        Ok(true)
    }
}

/// The sum of all payments.
async fn recorded(client: &mut Client) -> Result<u64> {
    let mut sum = 0;
    client
        .each(|value| {
            if let Some(amount) = value.last_chunk() {
                sum += u64::from_be_bytes(*amount);
            }
        })
        .await?;
    Ok(sum)
}
