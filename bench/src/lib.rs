//! The load generator: it starts a cluster, loads it, and counts what came of it.
//!
//! [`cli`] is what may be asked. A file or folder for each bench: [`pay`] for single payments,
//! [`submit`] for the same without HTTPS, [`bulk`] for batches, [`limit`] for the ceilings,
//! [`peers`] for what others do, [`grow`], [`idle`], [`failover`], [`regions`], [`catchup`],
//! [`allocations`].
//!
//! They share: [`system`], what stands under load; [`client`], lean HTTP; [`partners`],
//! who pays, and [`skew`], how often each; [`load`] and [`pace`], streams of payments; [`tally`] and
//! [`latency`], what is counted; [`audit`], whether the books agree; [`settled`], [`proc`] and
//! [`counted`], how the cluster is; [`report`] and [`svg`], how it is told. [`bare`] is for the
//! criterion benches.
//!
//! The generator shares the machine with the system, so each of its requests has to be cheap: one
//! thread, buffers that are used again, nothing parsed that is not needed.

pub mod cli;

pub mod allocations;
pub mod bulk;
pub mod catchup;
pub mod failover;
pub mod grow;
pub mod idle;
pub mod limit;
pub mod pay;
pub mod peers;
pub mod regions;
pub mod submit;

pub mod audit;
pub mod bare;
pub mod client;
pub mod counted;
pub mod latency;
pub mod load;
pub mod pace;
pub mod partners;
pub mod proc;
pub mod report;
pub mod settled;
pub mod skew;
pub mod svg;
pub mod system;
pub mod tally;

use anyhow::Result;
use cli::Bench;
use report::Report;

/// Runs what was asked for. Runs within a [`tokio::task::LocalSet`].
pub async fn run(bench: &Bench) -> Result<Vec<Report>> {
    // Boxed: each holds a whole cluster, and only one of them is run.
    match bench {
        Bench::Pay(args) => Box::pin(pay::run(args)).await,
        Bench::Submit(args) => Ok(vec![Box::pin(submit::run(args)).await?]),
        Bench::Bulk(args) => Ok(vec![Box::pin(bulk::run(args)).await?]),
        Bench::Limit(args) => Box::pin(limit::run(args)).await,
        Bench::Peers { peer } => Box::pin(peers::run(peer)).await,
        Bench::Grow(args) => Box::pin(grow::run(args)).await,
        Bench::Idle(args) => Box::pin(idle::run(args)).await,
        Bench::Failover(args) => Ok(vec![Box::pin(failover::run(args)).await?]),
        Bench::Regions(args) => Box::pin(regions::run(args)).await,
        Bench::Catchup(args) => Box::pin(catchup::run(args)).await,
        Bench::Allocations(args) => Ok(vec![Box::pin(allocations::run(args)).await?]),
    }
}
