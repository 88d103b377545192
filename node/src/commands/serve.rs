//! `florin node` and `florin api`.

use crate::config::{self, FrontendConfig, NodeConfig};
use crate::shutdown::{Shutdown, end_with_parent};
use crate::{frontend, node, telemetry};
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct NodeArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct ApiArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The configuration, TOML; cluster-configs/examples explains each field
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// End when standard input ends, so as not to outlive the process at its other end
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

pub(super) async fn node(args: NodeArgs) -> Result<ExitCode> {
    let config: NodeConfig = config::load(&args.common.config)?;
    telemetry::abort_on_panic();
    node::run(config, begin(&args.common)?).await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn api(args: ApiArgs) -> Result<ExitCode> {
    let config: FrontendConfig = config::load(&args.common.config)?;
    telemetry::log_panics();
    frontend::run(config, begin(&args.common)?).await?;
    Ok(ExitCode::SUCCESS)
}

/// What processes that serve have in common.
fn begin(common: &Common) -> Result<Shutdown> {
    florin_failpoints::start();
    telemetry::start_logs();
    if common.end_with_parent {
        end_with_parent()?;
    }
    Ok(Shutdown::on_signals()?)
}
