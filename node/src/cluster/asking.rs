//! Asks nodes of any cluster what their replicas hold, as `florin status --hashes` does.

use super::{ATTEMPT, NodeStatus, operator};
use crate::certs::Layout;
use anyhow::{Result, bail};
use florin_shards::{Router, RouterOptions};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How long it may take until the cluster's directory is known.
const KNOWN: Duration = Duration::from_secs(10);

/// Who is asked, and by whom.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The cluster's name.
    pub cluster: String,
    /// `host:port` of some nodes.
    pub nodes: Vec<String>,
    /// The folder with `ca.pem`, `operator.pem` and `operator.key`.
    pub certs: PathBuf,
}

/// What every node of the cluster says, with the hashes of its ledgers.
pub async fn ask(asked: &Asked) -> Result<Vec<NodeStatus>> {
    let router = connect(asked).await?;
    let status = router.status_with_hashes().await;
    router.shutdown().await;
    Ok(status)
}

/// For those who ask more than once.
pub async fn connect(asked: &Asked) -> Result<Router> {
    let connector = operator(&Layout::new(asked.certs.clone()))?.connector();
    let router = Router::connect(RouterOptions {
        seeds: asked.nodes.clone(),
        cluster: asked.cluster.clone(),
        region: String::new(),
        attempt_timeout: ATTEMPT,
        connector,
    })
    .await;
    let known = router.wait_ready(Instant::now() + KNOWN).await;
    if !known {
        router.shutdown().await;
        bail!("no node of cluster `{}` knows its directory", asked.cluster);
    }
    Ok(router)
}
