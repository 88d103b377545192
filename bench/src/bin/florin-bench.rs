//! The `florin-bench` binary.

use clap::Parser;
use florin_bench::cli::{Bench, Cli};
use florin_bench::pay;
use std::process::ExitCode;

// One thread: what the load generator takes, the system under load has not.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Bench::Pay(args) = Cli::parse().bench;
    let local = tokio::task::LocalSet::new();
    match local.run_until(pay::run(&args)).await {
        Ok(report) => {
            match serde_json::to_string(&report) {
                Ok(line) if args.json => println!("{line}"),
                _ => println!("{report}"),
            }
            if report.audit.held() && report.acknowledged > 0 {
                return ExitCode::SUCCESS;
            }
            eprintln!(
                "florin-bench: {} wallets are wrong, {} payments acknowledged",
                report.audit.wrong.len(),
                report.acknowledged
            );
        }
        Err(error) => eprintln!("florin-bench: {error:#}"),
    }
    ExitCode::FAILURE
}
