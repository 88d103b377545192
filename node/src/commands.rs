//! The command line. One file per command; here is what they share: how they are named and how
//! they fail. A mistake of whoever types is one sentence on stderr and a non-zero exit.

mod certs;
mod demo;
mod init;
mod output;
mod partner;
mod replace;
mod serve;
mod status;
mod verify;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Exit code of a command that was typed wrongly.
const USAGE: u8 = 2;

/// A replicated payment ledger that never loses and never doubles an acknowledged payment.
#[derive(Debug, Parser)]
#[command(
    name = "florin",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Florin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all on this machine: a cluster, payments, a killed leader, an audit.
    Demo(demo::Args),
    /// Run a node, which holds replicas of the ledgers.
    Node(serve::NodeArgs),
    /// Run a frontend, which partners send their HTTPS requests to.
    Api(serve::ApiArgs),
    /// Make a cluster out of running nodes. Again is harmless.
    Init(init::Args),
    /// Make a development authority, the certificates of a cluster and its operators' token.
    Certs(certs::Args),
    /// Onboard partners and make their API keys.
    Partner(partner::Args),
    /// Show nodes, groups, leaders and lag.
    Status(status::Args),
    /// Bring back a node that lost its disk, as a learner first.
    Replace(replace::Args),
    /// Check a stopped node's data: log, journal chain, balances.
    Verify(verify::Args),
}

/// Runs what the process's arguments say.
pub fn main() -> ExitCode {
    match run(std::env::args_os()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("florin: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// Runs what the arguments say; the first is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let florin = match Florin::try_parse_from(arguments) {
        Ok(florin) => florin,
        Err(error) => return Ok(misused(&error)),
    };
    crate::tls::install_provider();
    if !matches!(florin.command, Command::Node(_) | Command::Api(_)) {
        crate::telemetry::start_logs_if_asked();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        match florin.command {
            Command::Demo(args) => demo::run(args).await,
            Command::Node(args) => serve::node(args).await,
            Command::Api(args) => serve::api(args).await,
            Command::Init(args) => init::run(args).await,
            Command::Certs(args) => certs::run(&args),
            Command::Partner(args) => partner::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Replace(args) => replace::run(args).await,
            Command::Verify(args) => verify::run(&args),
        }
    });
    // What was to be made durable is; what is left are watchers that wait for nothing.
    runtime.shutdown_background();
    done
}

/// Help goes to stdout; a mistake becomes one sentence, with the place where help is.
fn misused(error: &clap::Error) -> ExitCode {
    let helps = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if helps {
        let _closed_pipe = error.print();
        return if error.use_stderr() {
            ExitCode::from(USAGE)
        } else {
            ExitCode::SUCCESS
        };
    }
    let text = error.render().to_string();
    let first: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let what = first.join(" ");
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    eprintln!("florin: {what} (`florin help` shows how it is used)");
    ExitCode::from(USAGE)
}

/// An error and its causes, in one line.
fn sentence(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause
            .to_string()
            .lines()
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(", ");
        // Many errors end with their cause's text already.
        if !said.last().is_some_and(|before| before.ends_with(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_fit_together() {
        Florin::command().debug_assert();
    }

    #[test]
    fn an_error_is_one_line_and_says_nothing_twice() {
        let io = std::io::Error::other("no\nway");
        let error = anyhow::Error::new(io).context("cannot listen");
        assert_eq!(sentence(&error), "cannot listen: no, way");
        let error = anyhow::anyhow!("the cause").context("it failed: the cause");
        assert_eq!(sentence(&error), "it failed: the cause");
    }
}
