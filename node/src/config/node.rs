//! What a node's configuration holds.

use super::{Checked, MutualTls, Reach, Timing, check_address, check_distinct, check_name};
use florin_ledger::id::NodeId;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The configuration of `florin node`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The cluster's name: a node never talks to another cluster's.
    pub cluster: String,
    /// The node's number in the cluster, for ever. Not 0.
    pub id: u64,
    /// For people.
    pub name: String,
    /// Where it runs: the replicas of a group are spread over regions.
    pub region: String,
    /// The folder of its data, of no other process.
    pub data_dir: PathBuf,
    /// Where it listens for nodes and frontends (gRPC over mutual TLS).
    pub listen: SocketAddr,
    /// `host:port` by which nodes and frontends reach it.
    pub advertise: String,
    /// Where it listens for operators (plain HTTP: /healthz, /readyz, /metrics). Keep it private.
    pub admin_listen: SocketAddr,
    /// `host:port` of other nodes. With them, a node whose data folder is new but whose number
    /// the cluster knows asks to be taken back; without, `florin replace` brings it back.
    #[serde(default)]
    pub rejoin: Vec<String>,
    /// Who it is to the others.
    pub tls: MutualTls,
    /// How patient it is.
    pub timing: Timing,
    /// How it uses the disk.
    #[serde(default)]
    pub storage: StorageConfig,
    /// How it sends snapshots.
    #[serde(default)]
    pub snapshots: SnapshotConfig,
    /// Nodes that are dialled elsewhere than where they say.
    #[serde(default)]
    pub reach: Reach,
}

/// How a node uses its disk.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// Size of a log file, preallocated: from 8 to 1024.
    pub segment_mib: u64,
    /// Memory for log entries that followers may ask for again.
    pub log_cache_mib: u64,
    /// Memory for sled's pages.
    pub store_cache_mib: u64,
    /// Left free on the disk: new writes are refused when the log could not grow otherwise.
    pub min_free_mib: u64,
    /// How often each group's ledger on disk is read again, slowly, and checked.
    pub scrub_hours: u64,
    /// How often everything is made durable outside the log, after which the log may be purged.
    pub checkpoint_seconds: u64,
    /// For how many checkpoints an entry stays in the log, for followers that lag; one that lags
    /// further is sent a snapshot.
    pub keep_checkpoints: usize,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            segment_mib: 64,
            log_cache_mib: 64,
            store_cache_mib: 128,
            min_free_mib: 256,
            scrub_hours: 24,
            checkpoint_seconds: 30,
            keep_checkpoints: 4,
        }
    }
}

/// How a node sends snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotConfig {
    /// At most this, so that payments go on while a replica is brought back: its disk writes three
    /// times as much.
    pub mib_per_second: u64,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self { mib_per_second: 32 }
    }
}

impl NodeConfig {
    /// The node's number.
    pub fn node_id(&self) -> NodeId {
        NodeId(self.id)
    }
}

impl Checked for NodeConfig {
    fn check(&self) -> Result<(), (&'static str, String)> {
        check_name("cluster", &self.cluster)?;
        check_name("name", &self.name)?;
        check_name("region", &self.region)?;
        if self.id == 0 {
            return Err(("id", "nodes are numbered from 1".into()));
        }
        check_address("advertise", &self.advertise)?;
        for address in &self.rejoin {
            check_address("rejoin", address)?;
        }
        check_distinct("admin_listen", self.admin_listen, self.listen)?;
        self.timing.check()?;
        self.reach.check()?;
        // The largest entry must fit into half of a segment.
        if !(8..=1024).contains(&self.storage.segment_mib) {
            return Err(("storage.segment_mib", "must be from 8 to 1024".into()));
        }
        if !(1..=8_760).contains(&self.storage.scrub_hours) {
            return Err(("storage.scrub_hours", "must be from 1 to 8760".into()));
        }
        if !(1..=3_600).contains(&self.storage.checkpoint_seconds) {
            return Err((
                "storage.checkpoint_seconds",
                "must be from 1 to 3600".into(),
            ));
        }
        if !(1..=1_000).contains(&self.storage.keep_checkpoints) {
            return Err(("storage.keep_checkpoints", "must be from 1 to 1000".into()));
        }
        if self.snapshots.mib_per_second == 0 {
            return Err(("snapshots.mib_per_second", "must be at least 1".into()));
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        self.data_dir = folder.join(&self.data_dir);
        self.tls.resolve(folder);
    }
}
