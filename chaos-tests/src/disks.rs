//! The disks of a playground's nodes, and what can be done to them.
//!
//! A plain disk is a folder. A loop disk is an ext4 file system in a file, whose power can be cut:
//! what was not synced is then lost, as on real machines. A small one is the same with little room.
//! Slow and failing disks are made by the failpoints of a build that has them, or by [`traced`] in
//! any other. Files of a node that is stopped can be damaged where something was really written.

pub mod damage;
mod image;
pub mod traced;

pub use damage::{Damage, Damaged, How, Part};

use crate::limits::{LOOP_MIB, SMALL_MIB};
use crate::playground::arm::Arm;
use image::Image;
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
    /// A program of the system did not do it.
    #[error("{0}")]
    Tool(String),
    /// There is nothing written that could be damaged.
    #[error("nothing is written in {}", .0.display())]
    Nothing(PathBuf),
}

/// The disk of one node.
#[derive(Debug)]
pub struct Disk {
    kind: Disks,
    image: Option<Image>,
    data: PathBuf,
    arm: Arc<Arm>,
}

/// The bytes that are left on the file system of a folder.
pub fn free_below(folder: &Path) -> Result<u64, DiskError> {
    image::free(folder)
}

/// The topic of the lines that disks arm.
const TOPIC: &str = "disk";

impl Disk {
    /// Makes one for the node of this name: its data in `data`, or on a file system below `images`.
    pub fn make(
        kind: Disks,
        data: PathBuf,
        images: &Path,
        name: &str,
        arm: Arc<Arm>,
    ) -> Result<Disk, DiskError> {
        let image = match kind {
            Disks::Plain => None,
            Disks::Loop => Some(Image::make(images, name, LOOP_MIB)?),
            Disks::Small => Some(Image::make(images, name, SMALL_MIB)?),
        };
        Ok(Disk {
            kind,
            // A file system has things of its own at its root.
            data: image
                .as_ref()
                .map_or(data, |image| image.mounted().join("data")),
            image,
            arm,
        })
    }

    /// Which kind it is.
    pub fn kind(&self) -> Disks {
        self.kind
    }

    /// The node's data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The bytes that are left on it.
    pub fn free(&self) -> Result<u64, DiskError> {
        image::free(self.data.parent().unwrap_or(&self.data))
    }

    /// Takes all the room that is left.
    pub fn fill(&self) -> Result<(), DiskError> {
        self.image("fill up")?.fill()
    }

    /// Gives that room back.
    pub fn make_room(&self) -> Result<(), DiskError> {
        self.image("fill up")?.make_room()
    }

    /// Cuts its power: nothing is written from now on, and what was not synced is lost. The node
    /// must be killed next, and be dead before power comes back.
    pub fn cut_power(&self) -> Result<(), DiskError> {
        self.image("lose its power")?.cut_power()
    }

    /// Brings it back as the cut left it.
    pub fn restore_power(&self) -> Result<(), DiskError> {
        self.image("lose its power")?.restore_power()
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

    fn image(&self, what: &'static str) -> Result<&Image, DiskError> {
        let kind = self.kind;
        self.image.as_ref().ok_or(DiskError::Unable { kind, what })
    }

    fn arm_with(&self, lines: Vec<String>) -> Result<(), DiskError> {
        let armed = self.arm.set(TOPIC, &lines);
        armed.map_err(|why| DiskError::System {
            what: format!("arm {}", self.arm.folder().display()),
            why,
        })
    }
}
