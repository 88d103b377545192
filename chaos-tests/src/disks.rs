//! The disks of a playground's nodes, and what can be done to them.
//!
//! A plain disk is a folder. A loop disk is an ext4 file system in a file, whose power can be cut:
//! what was not synced is then lost, as on real machines. A small one is the same with little room.
//! Slow and failing disks are made by the failpoints of a build that has them. Files of a node that
//! is stopped can be damaged where something was really written.

pub mod damage;

pub use damage::{Damage, Damaged, How, Part};

use crate::playground::arm::Arm;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a node writes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disks {
    /// A folder.
    #[default]
    Plain,
    /// An ext4 file system of its own, whose power can be cut.
    Loop,
    /// The same with little room, which fills up.
    Small,
}

/// Why something could not be done to a disk.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system did not let us.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What it said.
        why: io::Error,
    },
    /// This kind of disk cannot do it.
    #[error("a {kind:?} disk cannot {what}")]
    Unable {
        /// Which kind.
        kind: Disks,
        /// What was asked for.
        what: &'static str,
    },
    /// There is nothing written that could be damaged.
    #[error("nothing is written in {}", .0.display())]
    Nothing(PathBuf),
}

/// The disk of one node.
#[derive(Debug)]
pub struct Disk {
    kind: Disks,
    data: PathBuf,
    arm: Arc<Arm>,
}

/// The topic of the lines that disks arm.
const TOPIC: &str = "disk";

impl Disk {
    /// A folder.
    pub fn plain(data: PathBuf, arm: Arc<Arm>) -> Disk {
        Disk {
            kind: Disks::Plain,
            data,
            arm,
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> Disks {
        self.kind
    }

    /// The node's data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Makes every sync take this much longer; needs a build with failpoints.
    pub fn slow(&self, by: Duration) -> Result<(), DiskError> {
        self.arm_with(vec![format!("disk.sync=delay({})", by.as_millis())])
    }

    /// Makes the next sync fail; needs a build with failpoints.
    pub fn fail_sync(&self) -> Result<(), DiskError> {
        self.arm_with(vec!["disk.sync=error@1".into()])
    }

    /// Makes syncs as fast and as good as they are.
    pub fn heal(&self) -> Result<(), DiskError> {
        self.arm_with(Vec::new())
    }

    /// Damages files of the node, which must be stopped. What is hit is drawn from the seed.
    pub fn damage(&self, damage: Damage, seed: u64) -> Result<Damaged, DiskError> {
        damage::inflict(&self.data, damage, seed)
    }

    /// Takes everything away from the node, which must be stopped.
    pub fn wipe(&self) -> Result<(), DiskError> {
        match fs::remove_dir_all(&self.data) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(DiskError::System {
                what: format!("wipe {}", self.data.display()),
                why,
            }),
            _ => Ok(()),
        }
    }

    fn arm_with(&self, lines: Vec<String>) -> Result<(), DiskError> {
        let armed = self.arm.set(TOPIC, &lines);
        armed.map_err(|why| DiskError::System {
            what: format!("arm {}", self.arm.folder().display()),
            why,
        })
    }
}
