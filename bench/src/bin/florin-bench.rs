//! The `florin-bench` binary.

use clap::Parser;
use florin_bench::cli::{Bench, Cli};
use florin_bench::pay;
use std::process::ExitCode;
use tokio::task::LocalSet;

// One thread: what the load generator takes, the system under load has not.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Bench::Pay(args) = Cli::parse().bench;
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures say nothing about a release");
    }
    let local = LocalSet::new();
    let ran = tokio::select! {
        ran = local.run_until(pay::run(&args)) => ran,
        // The run is dropped, and with it the cluster and its data.
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let report = match ran {
        Ok(report) => report,
        Err(error) => {
            eprintln!("florin-bench: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    match serde_json::to_string(&report) {
        Ok(line) if args.json => println!("{line}"),
        _ => println!("{report}"),
    }
    if !report.audit.held() {
        eprintln!(
            "florin-bench: {} wallets are wrong",
            report.audit.wrong.len()
        );
        return ExitCode::FAILURE;
    }
    if report.acknowledged == 0 {
        eprintln!("florin-bench: no payment was acknowledged");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
