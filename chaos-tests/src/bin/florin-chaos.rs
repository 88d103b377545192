//! The `florin-chaos` binary.

use clap::Parser;
use florin_chaos::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().run(std::io::stdout().lock()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("florin-chaos: {error:#}");
            // Nothing was judged.
            ExitCode::from(2)
        }
    }
}
