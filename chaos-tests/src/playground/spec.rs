//! What a playground is made of.

use crate::disks::Disks;
use anyhow::Result;
use florin_node::cluster::Topology;
use florin_node::cluster::process::Restart;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What to start.
#[derive(Clone, Debug)]
pub struct PlaygroundSpec {
    /// Which nodes, frontends and groups.
    pub shape: Shape,
    /// What lies between them.
    pub fabric: FabricChoice,
    /// What the nodes write to.
    pub disks: Disks,
    /// The `florin` binary; nothing: the one beside the program that runs.
    pub program: Option<PathBuf>,
    /// Where configurations, logs and (on plain disks) data lie, and stay; nothing: a folder that
    /// is taken away in the end.
    pub folder: Option<PathBuf>,
    /// What the environment of every process has beside this one's own.
    pub environment: BTreeMap<String, String>,
    /// Whether wall clocks can be shifted in any build, by libfaketime.
    pub faketime: bool,
    /// From which the fabric and the disks draw.
    pub seed: u64,
    /// What happens to a process that died.
    pub restart: Restart,
    /// How long starting may take.
    pub patience: Duration,
}

/// Which nodes, frontends and groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Three nodes in three regions, two frontends.
    Three,
    /// Five nodes in three regions, two frontends.
    Five,
    /// As this file says, written like those of `cluster-configs/`.
    File(PathBuf),
}

/// What lies between the processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FabricChoice {
    /// The best that this machine can do.
    #[default]
    Auto,
    /// Network namespaces and TUN devices; needs root.
    Tun,
    /// Proxies on the loopback.
    Proxy,
    /// Nothing: the loopback itself.
    None,
}

impl PlaygroundSpec {
    /// The best fabric, plain disks, the binary beside this one; what dies stays dead.
    pub fn new(shape: Shape) -> PlaygroundSpec {
        PlaygroundSpec {
            shape,
            fabric: FabricChoice::Auto,
            disks: Disks::Plain,
            program: None,
            folder: None,
            environment: BTreeMap::new(),
            faketime: false,
            seed: 1,
            restart: Restart::Never,
            patience: Duration::from_secs(60),
        }
    }
}

impl Shape {
    /// Reads it.
    pub fn topology(&self) -> Result<Topology> {
        Ok(match self {
            Shape::Three => Topology::three_regions()?,
            Shape::Five => Topology::five_nodes()?,
            Shape::File(file) => Topology::load(file)?,
        })
    }
}
