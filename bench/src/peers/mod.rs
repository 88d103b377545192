//! Other systems doing the same payment, and Florin beside them in the same run: only ratios
//! within one run say something.

pub mod etcd;
pub mod postgres;

mod guest;
mod load;

use crate::cli::{Peer, PeerArgs};
use crate::pay;
use crate::report::Report;
use anyhow::Result;

/// Runs the bench: the peer's reports, then Florin's with its ratio to each of them.
pub async fn run(peer: &Peer) -> Result<Vec<Report>> {
    let (args, mut reports) = match peer {
        Peer::Postgres(args) => (args, postgres::run(args).await?),
        Peer::Etcd(args) => (args, etcd::run(args).await?),
    };
    let mut florin = florin(args).await?;
    for peer in &reports {
        let name = peer.bench.trim_start_matches("peers ").replace(' ', "_");
        let ratio = florin.per_second / peer.per_second.max(0.001);
        florin = florin.with_number(&format!("ratio_to_{name}"), ratio);
    }
    reports.push(florin);
    Ok(reports)
}

async fn florin(args: &PeerArgs) -> Result<Report> {
    pay::alone(&args.system, args.connections, args.partners, args.duration).await
}
