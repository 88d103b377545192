//! etcd from the system, if it is there.

use crate::cli::PeerArgs;
use crate::report::Report;
use anyhow::{Result, bail};

/// Runs the bench.
pub async fn run(_args: &PeerArgs) -> Result<Vec<Report>> {
    bail!("etcd is not installed on this machine, so there is nothing to compare with");
}
