//! What stands under load: a cluster of our own, or one that runs already.

use crate::cli::{OwnArgs, SystemArgs};
use crate::client::Target;
use crate::partners::Doors;
use anyhow::{Context, Result, bail};
use florin_node::cluster::process::Restart;
use florin_node::cluster::seat::Seat;
use florin_node::cluster::{Cluster, ClusterOptions, Topology};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A cluster that serves. One that was started for the run ends with [`System::stop`].
pub struct System {
    /// Where to knock.
    pub doors: Doors,
    /// Its regions, to spread partners over; none if unknown.
    pub regions: Vec<String>,
    /// For people.
    pub description: String,
    /// The processes and their folder, if they were started for the run.
    own: Option<(Cluster, TempDir)>,
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
                own: None,
            });
        }
        System::of_own(&args.own).await
    }

    /// Starts a cluster for the run.
    pub async fn of_own(args: &OwnArgs) -> Result<System> {
        let restart = Restart::After(Duration::from_secs(2));
        System::of(topology(args)?, args, restart).await
    }

    /// Starts a cluster of this topology for the run.
    pub async fn of(topology: Topology, args: &OwnArgs, restart: Restart) -> Result<System> {
        System::seated(topology, args, restart, BTreeMap::new()).await
    }

    /// The same, with its processes in these seats, by their names.
    pub async fn seated(
        topology: Topology,
        args: &OwnArgs,
        restart: Restart,
        seats: BTreeMap<String, Seat>,
    ) -> Result<System> {
        started(topology, args, restart, seats).await
    }

    /// Where to knock at one of the frontends of a cluster that was started for the run.
    pub fn doors_at(&self, frontend: usize) -> Result<Doors> {
        doors_of(self.cluster()?, frontend)
    }

    /// The cluster, if it was started for the run.
    pub fn cluster(&self) -> Result<&Cluster> {
        let own = self.own.as_ref().map(|(cluster, _)| cluster);
        own.context("this needs a cluster that was started for the run")
    }

    /// Stops what was started for the run, and removes its data.
    pub async fn stop(self) -> Result<()> {
        let Some((cluster, folder)) = self.own else {
            return Ok(());
        };
        let well = cluster.stop().await;
        folder.close().context("the data could not be removed")?;
        if !well {
            bail!("a process of the cluster did not end well");
        }
        Ok(())
    }
}

/// The topology that was named, or the usual one.
pub fn topology(args: &OwnArgs) -> Result<Topology> {
    Ok(match &args.topology {
        Some(file) => Topology::load(file)?,
        None => Topology::one_machine()?,
    })
}

/// A folder for what a run keeps on disk, gone with it. Not in the system's folder for temporary
/// files, which is often in memory: there an fsync costs nothing, and figures mean nothing.
pub fn folder(data: Option<&Path>) -> Result<TempDir> {
    let beside = std::env::current_exe().context("cannot find the running program")?;
    let beside = beside.parent();
    let beside = beside.context("the running program lies in no folder")?;
    tempfile::Builder::new()
        .prefix("florin-bench-")
        .tempdir_in(data.unwrap_or(beside))
        .context("no folder for the data")
}

async fn started(
    topology: Topology,
    args: &OwnArgs,
    restart: Restart,
    seats: BTreeMap<String, Seat>,
) -> Result<System> {
    let folder = folder(args.data.as_deref())?;
    let options = ClusterOptions::new(folder.path())
        .context("build it with `cargo build --release --bin florin`")?;
    let options = ClusterOptions {
        restart,
        seats,
        ..options
    };
    let name = topology.cluster.name.clone();
    eprintln!("starting the cluster {name} in {}", folder.path().display());
    let cluster = Cluster::start(topology, options).await?;
    let regions = cluster.topology().regions();
    Ok(System {
        doors: doors_of(&cluster, 0)?,
        regions: regions.into_iter().map(str::to_owned).collect(),
        description: format!(
            "the cluster {name} of {} nodes at {}",
            cluster.nodes().len(),
            cluster.urls().join(", ")
        ),
        own: Some((cluster, folder)),
    })
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
        own: None,
    })
}

fn doors_of(cluster: &Cluster, frontend: usize) -> Result<Doors> {
    let url = cluster.urls().into_iter().nth(frontend);
    doors(
        &url.with_context(|| format!("the topology has no frontend {frontend}"))?,
        &cluster.ca(),
        &cluster.admin_url(frontend),
        cluster.admin_token(),
    )
}

fn doors(url: &str, ca: &Path, admin_url: &str, token: &str) -> Result<Doors> {
    Ok(Doors {
        api: Target::new(url, Some(ca))?,
        admin: Target::new(admin_url, Some(ca))?,
        operator: token.into(),
    })
}
