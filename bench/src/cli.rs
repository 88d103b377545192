//! What may be asked on the command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Measures Florin: puts a cluster under load, counts what came of it, and audits the books.
#[derive(Debug, Parser)]
#[command(name = "florin-bench", version)]
pub struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub bench: Bench,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// One payment per HTTPS request, each with a key of its own.
    Pay(PayArgs),
}

/// The bench of single payments.
#[derive(Debug, Args)]
pub struct PayArgs {
    /// Connections; each sends its next payment when the last one is answered.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// For how long, after a warm-up of 2 s that is not counted: 20s, 500ms, 5m.
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub duration: Duration,
    /// Partners that pay; the n-th pays 1/n as often as the first.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub partners: u32,
    /// Print one line of JSON in place of the table.
    #[arg(long)]
    pub json: bool,
    /// What stands under load.
    #[command(flatten)]
    pub system: SystemArgs,
}

/// What stands under load: a cluster of its own, unless one that runs already is named.
#[derive(Debug, Args)]
pub struct SystemArgs {
    /// The topology of the cluster to start; three nodes in three regions unless told.
    #[arg(long)]
    pub topology: Option<PathBuf>,
    /// Where its data lie while it runs; beside this binary unless told.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// A running cluster instead: what `florin demo --ready-file` wrote.
    #[arg(long, conflicts_with_all = ["url", "topology", "data"])]
    pub ready_file: Option<PathBuf>,
    /// A running cluster instead: its frontend's address.
    #[arg(long, conflicts_with_all = ["topology", "data"], requires_all = ["ca", "admin_url", "admin_token"])]
    pub url: Option<String>,
    /// The certificate authority of that cluster's frontends, a PEM file.
    #[arg(long, requires = "url")]
    pub ca: Option<PathBuf>,
    /// That cluster's admin address.
    #[arg(long, requires = "url")]
    pub admin_url: Option<String>,
    /// That cluster's operator token, to onboard partners with.
    #[arg(long, requires = "url")]
    pub admin_token: Option<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration like 20s, 500ms or 5m");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u32 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        _ => return Err(wrong()),
    };
    match unit * number {
        Duration::ZERO => Err("nothing can be measured in no time".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["", "20", "s", "20 s", "-1s", "1h", "0s", "99999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_needs_its_companions() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("florin-bench pay").is_ok());
        assert!(parse("florin-bench pay --url https://localhost:1").is_err());
        assert!(parse("florin-bench pay --admin-token t").is_err());
        assert!(
            parse(
                "florin-bench pay --url https://a:1 --ca f --admin-url http://a:2 --admin-token t"
            )
            .is_ok()
        );
        assert!(parse("florin-bench pay --connections 0").is_err());
    }
}
