//! PostgreSQL from the system, doing the payment that Florin does: a unique idempotency key, a
//! balance check, a debit, a credit and a payment row; durable on a primary and one of two
//! replicas. Once as one function call, once statement by statement in a transaction, both
//! prepared, with no HTTP in front.

mod books;
mod cluster;

use crate::cli::PeerArgs;
use crate::peers::load;
use crate::report::Report;
use anyhow::Result;
use books::{Connection, Way};
use cluster::Cluster;

/// Runs the bench: one report for each way.
pub async fn run(args: &PeerArgs) -> Result<Vec<Report>> {
    let cluster = Cluster::start(args).await?;
    eprintln!("under load: {}", cluster.description());
    let measured = measure(args, &cluster).await;
    cluster.stop().await?;
    measured
}

async fn measure(args: &PeerArgs, cluster: &Cluster) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for way in [Way::Function, Way::Statements] {
        books::prepare(cluster, args.partners).await?;
        let mut connections = Vec::new();
        for _ in 0..args.connections {
            connections.push(Connection::to(cluster, way).await?);
        }
        let paid = load::run(args, way.name(), connections).await?;
        let client = cluster.client().await?;
        paid.held("PostgreSQL", books::recorded(&client, args.partners).await?)?;
        reports.push(paid.report);
    }
    Ok(reports)
}
