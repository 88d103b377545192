//! The ceilings: what the HTTPS stack answers with no ledger behind it, and what the bare log
//! writes. What a bench is compared with these shows what is left to be gained.

pub mod counting;
pub mod fixed;
pub mod https;
pub mod log;

use crate::cli::LimitArgs;
use crate::report::Report;
use anyhow::Result;

/// Runs the bench: one report of HTTPS, and one of the log for each size of entry.
pub async fn run(args: &LimitArgs) -> Result<Vec<Report>> {
    let mut reports = vec![https::run(args).await?];
    let (data, duration) = (args.data.clone(), args.duration);
    let of_log = move || log::run(data.as_deref(), duration);
    reports.extend(tokio::task::spawn_blocking(of_log).await??);
    Ok(reports)
}
