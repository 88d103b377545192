//! What stands under load: a cluster of our own, or one that runs already.

use crate::cli::SystemArgs;
use crate::client::Target;
use crate::partners::Doors;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A cluster that serves. One that was started for the run ends with [`System::stop`].
pub struct System {
    /// Where to knock.
    pub doors: Doors,
    /// Its regions, to spread partners over; none if unknown.
    pub regions: Vec<String>,
    /// For people.
    pub description: String,
}

/// What `florin demo --ready-file` writes, as far as it is needed here.
#[derive(Deserialize)]
struct Ready {
    url: String,
    ca: PathBuf,
    admin_url: String,
    admin_token: String,
    nodes: Vec<ReadyNode>,
}

#[derive(Deserialize)]
struct ReadyNode {
    region: String,
}

impl System {
    /// Finds or starts it.
    pub async fn start(args: &SystemArgs) -> Result<System> {
        if let Some(path) = &args.ready_file {
            return attached_by_file(path);
        }
        if let (Some(url), Some(ca), Some(admin_url), Some(token)) =
            (&args.url, &args.ca, &args.admin_url, &args.admin_token)
        {
            return Ok(System {
                doors: doors(url, ca, admin_url, token)?,
                regions: Vec::new(),
                description: format!("the cluster at {url}"),
            });
        }
        anyhow::bail!("no cluster")
    }

    /// Stops what was started.
    pub async fn stop(self) -> Result<()> {
        Ok(())
    }
}

fn attached_by_file(path: &Path) -> Result<System> {
    let unreadable = || format!("{} is not a ready file", path.display());
    let text = std::fs::read(path).with_context(unreadable)?;
    let ready: Ready = serde_json::from_slice(&text).with_context(unreadable)?;
    let regions: BTreeSet<String> = ready.nodes.into_iter().map(|node| node.region).collect();
    Ok(System {
        doors: doors(&ready.url, &ready.ca, &ready.admin_url, &ready.admin_token)?,
        regions: regions.into_iter().collect(),
        description: format!("the cluster at {}", ready.url),
    })
}

fn doors(url: &str, ca: &Path, admin_url: &str, token: &str) -> Result<Doors> {
    Ok(Doors {
        api: Target::new(url, Some(ca))?,
        admin: Target::new(admin_url, Some(ca))?,
        operator: token.into(),
    })
}
