//! The file for drivers in other languages: how to reach the cluster, and which processes it has.

use crate::cluster::{Cluster, NodeInfo, Partner};
use crate::shutdown::Shutdown;
use anyhow::{Context, Result};
use futures_util::future::select_all;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What the file holds.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    ca: PathBuf,
    secret_key: &'a str,
    test_key: &'a str,
    admin_url: &'a str,
    admin_token: &'a str,
    nodes: Vec<NodeInfo>,
}

/// Writes the file, again with every process that comes or goes, until the demo is to stop.
pub async fn keep(
    cluster: &Cluster,
    partner: &Partner,
    file: &Path,
    shutdown: &Shutdown,
) -> Result<()> {
    let mut changes = cluster.watch_all();
    loop {
        for change in &mut changes {
            change.mark_unchanged();
        }
        // A node that is down keeps its last entry until it is back, so that a driver never
        // sees a process that is not there as a new one.
        if cluster.nodes().iter().all(|node| node.pid != 0) {
            write(cluster, partner, file)?;
        }
        let next = select_all(changes.iter_mut().map(|change| Box::pin(change.changed())));
        tokio::select! {
            (changed, ..) = next => changed.context("a supervisor ended")?,
            () = shutdown.requested() => break,
        }
    }
    // It names processes that are about to end.
    let _gone_already = fs::remove_file(file);
    Ok(())
}

fn write(cluster: &Cluster, partner: &Partner, file: &Path) -> Result<()> {
    let urls = cluster.urls();
    let ready = Ready {
        url: urls.first().map(String::as_str).unwrap_or_default(),
        ca: cluster.ca().canonicalize()?,
        secret_key: &partner.secret_key,
        test_key: &partner.test_key,
        admin_url: &cluster.admin_url(0),
        admin_token: cluster.admin_token(),
        nodes: cluster.nodes(),
    };
    let text = serde_json::to_string_pretty(&ready)?;
    replace(file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))
}

/// Whole or not at all, for whoever reads at the same moment; readable by this user only.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let _left_by_a_crash = fs::remove_file(&draft);
    let mut open: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    open.write_all(bytes)?;
    drop(open);
    fs::rename(&draft, file)
}
