//! The `florin-bench` binary.

use clap::Parser;
use florin_bench::cli::Cli;
use florin_bench::counted::{self, Counting};
use std::process::ExitCode;
use tokio::task::LocalSet;

/// The same as the product's, for parts of the product run in this process too. It counts in
/// processes of `allocations` alone.
#[global_allocator]
static ALLOCATOR: Counting<mimalloc::MiMalloc> = Counting(mimalloc::MiMalloc);

fn main() -> ExitCode {
    match counted::run_if_asked(std::env::args_os()) {
        Some(code) => code,
        None => measure(&Cli::parse()),
    }
}

// One thread: what the load generator takes, the system under load has not.
#[tokio::main(flavor = "current_thread")]
async fn measure(asked: &Cli) -> ExitCode {
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures say nothing about a release");
    }
    let local = LocalSet::new();
    let ran = tokio::select! {
        ran = local.run_until(florin_bench::run(&asked.bench)) => ran,
        // The run is dropped, and with it the cluster and its data.
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let reports = match ran {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("florin-bench: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for report in &reports {
        match serde_json::to_string(report) {
            Ok(line) if asked.json => println!("{line}"),
            _ => println!("{report}"),
        }
        if let Err(why) = report.held() {
            eprintln!("florin-bench: {why}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
