//! A node's data folder: whose it is, and that only one process uses it.
//!
//! `identity.toml` is written once, when the folder is new, and names the cluster, the node and
//! an incarnation: a number that no other folder has. A node whose disk was lost comes back with
//! another incarnation, so nobody mistakes it for its former self, whose votes it has forgotten.
//!
//! A node whose data is damaged becomes another incarnation as well, in the same folder: see
//! [`Folder::begin_anew`].

use florin_ledger::id::NodeId;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How folders with damaged data begin; the incarnation that it belonged to follows.
const ASIDE: &str = "damaged-";

/// A data folder that is ours, locked until this is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Who it belongs to.
    pub identity: Identity,
    /// It was made by this start.
    pub new: bool,
    _lock: File,
}

/// Who a data folder belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The cluster.
    pub cluster: String,
    /// The node's number.
    pub node: u64,
    /// Of no other folder.
    pub incarnation: u64,
    /// The incarnation whose data is still to be set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<u64>,
    /// The node is to come back by itself: its cluster may know it by another incarnation.
    #[serde(default, skip_serializing_if = "is_false")]
    pub joining: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Why a data folder cannot be used. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system does not let us.
    #[error("the data folder {} cannot be used: {why}", path.display())]
    Unusable {
        /// The folder or the file in it.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Another process has it.
    #[error("the data folder {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It belongs to another cluster or node.
    #[error(
        "the data folder {} belongs to node {} of cluster `{}`, not to node {node} of cluster `{cluster}`",
        path.display(), theirs.node, theirs.cluster
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        theirs: Identity,
        /// The cluster that the configuration names.
        cluster: String,
        /// The node that the configuration names.
        node: u64,
    },
    /// Its identity cannot be read, or there is data without one.
    #[error("the data folder {} is not a node's, or damaged: {why}", path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Folder {
    /// Opens the folder of a node, and makes it if there is none.
    pub fn open(path: &Path, cluster: &str, node: NodeId) -> Result<Folder, FolderError> {
        Folder::open_joining(path, cluster, node, false)
    }

    /// As [`Folder::open`]; a new one is of a node that comes back by itself if `joining` says so.
    pub fn open_joining(
        path: &Path,
        cluster: &str,
        node: NodeId,
        joining: bool,
    ) -> Result<Folder, FolderError> {
        fs::create_dir_all(path).map_err(|why| unusable(path, why))?;
        let lock = lock(path)?;
        let found = read_identity(path)?;
        let new = found.is_none();
        let identity = match found {
            Some(identity) => identity,
            None => make_identity(path, cluster, node, joining)?,
        };
        if identity.cluster != cluster || identity.node != node.0 {
            let (path, cluster) = (path.to_owned(), cluster.to_owned());
            return Err(FolderError::NotOurs {
                path,
                theirs: identity,
                cluster,
                node: node.0,
            });
        }
        let mut folder = Folder {
            path: path.to_owned(),
            identity,
            new,
            _lock: lock,
        };
        folder.set_aside()?;
        Ok(folder)
    }

    /// Gives up the data and the incarnation that it belongs to. The data is set aside in the
    /// folder, in place of what an earlier damage left there. A crash in between is made good by
    /// the next start: the old incarnation is never seen without its data.
    pub fn begin_anew(&mut self) -> Result<(), FolderError> {
        let former = self.identity.incarnation;
        let identity = Identity {
            // Greater even if the clock has gone back, or has not moved since.
            incarnation: incarnation()?.max(former.saturating_add(1)),
            former: Some(former),
            joining: true,
            ..self.identity.clone()
        };
        write_identity(&self.path, &identity)?;
        self.identity = identity;
        self.set_aside()
    }

    /// Notes that the cluster knows the node by its incarnation.
    pub fn joined(&mut self) -> Result<(), FolderError> {
        self.identity.joining = false;
        write_identity(&self.path, &self.identity)
    }

    fn set_aside(&mut self) -> Result<(), FolderError> {
        let Some(former) = self.identity.former else {
            return Ok(());
        };
        let aside = self.path.join(format!("{ASIDE}{former:016x}"));
        let moved = self
            .remove_earlier_damage(&aside)
            .and_then(|()| fs::create_dir_all(&aside))
            .and_then(|()| move_into(&aside, &self.log()))
            .and_then(|()| move_into(&aside, &self.store()))
            .and_then(|()| File::open(&aside)?.sync_all())
            .and_then(|()| File::open(&self.path)?.sync_all());
        moved.map_err(|why| unusable(&aside, why))?;
        self.identity.former = None;
        write_identity(&self.path, &self.identity)
    }

    fn remove_earlier_damage(&self, but: &Path) -> io::Result<()> {
        for found in fs::read_dir(&self.path)? {
            let found = found?.path();
            let name = found.file_name().and_then(|name| name.to_str());
            if found != but && name.is_some_and(|name| name.starts_with(ASIDE)) {
                fs::remove_dir_all(found)?;
            }
        }
        Ok(())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log lies.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the ledger store lies.
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }
}

/// Locks a node's folder for a look at its files; an error if a node uses it.
pub fn lock(path: &Path) -> Result<File, FolderError> {
    let file = path.join("lock");
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file);
    let open = open.map_err(|why| unusable(&file, why))?;
    match open.try_lock() {
        Ok(()) => Ok(open),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
        Err(TryLockError::Error(why)) => Err(unusable(&file, why)),
    }
}

/// Whose folder this is; `None` if it is new.
pub fn read_identity(path: &Path) -> Result<Option<Identity>, FolderError> {
    let file = path.join("identity.toml");
    let damaged = |why: String| FolderError::Damaged {
        path: path.to_owned(),
        why,
    };
    match fs::read_to_string(&file) {
        Ok(text) => {
            let parsed = toml::from_str(&text);
            parsed
                .map(Some)
                .map_err(|error| damaged(format!("identity.toml: {}", error.message())))
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            if path.join("log").exists() || path.join("store").exists() {
                return Err(damaged("there is data in it and no identity.toml".into()));
            }
            Ok(None)
        }
        Err(why) => Err(unusable(&file, why)),
    }
}

fn make_identity(
    path: &Path,
    cluster: &str,
    node: NodeId,
    joining: bool,
) -> Result<Identity, FolderError> {
    let identity = Identity {
        cluster: cluster.to_owned(),
        node: node.0,
        incarnation: incarnation()?,
        former: None,
        joining,
    };
    write_identity(path, &identity)?;
    Ok(identity)
}

/// Durable before the first vote: file, name, and the folder itself.
fn write_identity(path: &Path, identity: &Identity) -> Result<(), FolderError> {
    let text = toml::to_string(identity).map_err(|error| FolderError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    let file = path.join("identity.toml");
    let written = write_durably(path, "identity.toml", &text).and_then(|()| {
        match path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    });
    written.map_err(|why| unusable(&file, why))
}

/// Puts a file in place of the one of that name, whole or not at all.
pub(crate) fn write_durably(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut open = File::create(&draft)?;
    open.write_all(text.as_bytes())?;
    open.sync_all()?;
    fs::rename(&draft, folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn move_into(aside: &Path, what: &Path) -> io::Result<()> {
    match what.file_name() {
        Some(name) if what.exists() => fs::rename(what, aside.join(name)),
        _ => Ok(()),
    }
}

/// Milliseconds since 1970 and 20 random bits: greater than that of any earlier folder of the
/// node, and never the same on two machines that are set up at the same moment.
fn incarnation() -> Result<u64, FolderError> {
    let mut random = [0u8; 4];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut random).map_err(|_| {
        let why = io::Error::other("the system gives no random numbers");
        unusable(Path::new("/dev/urandom"), why)
    })?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64;
    Ok((now << 20) | u64::from(u32::from_le_bytes(random) >> 12))
}

fn unusable(path: &Path, why: io::Error) -> FolderError {
    FolderError::Unusable {
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, cluster: &str, node: u64) -> Result<Folder, String> {
        Folder::open(path, cluster, NodeId(node)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_folder_belongs_to_one_node_of_one_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let first = open(&path, "payments", 1).unwrap();
        assert!(first.new);
        let said = open(&path, "payments", 1).unwrap_err();
        assert!(said.ends_with("is in use by another process"), "{said}");
        let identity = first.identity.clone();
        drop(first);
        let again = open(&path, "payments", 1).unwrap();
        assert!(!again.new && again.identity == identity);
        drop(again);
        let said = open(&path, "payments", 2).unwrap_err();
        assert!(
            said.ends_with(
                "belongs to node 1 of cluster `payments`, not to node 2 of cluster `payments`"
            ),
            "{said}"
        );
        assert!(open(&path, "other", 1).is_err());
    }

    #[test]
    fn data_without_an_identity_is_not_adopted() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        let said = open(dir.path(), "payments", 1).unwrap_err();
        assert!(
            said.ends_with("there is data in it and no identity.toml"),
            "{said}"
        );
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let said = open(&file, "payments", 1).unwrap_err();
        assert!(said.contains("cannot be used: "), "{said}");
    }

    #[test]
    fn a_folder_that_begins_anew_is_another_incarnation_without_data() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = open(dir.path(), "payments", 1).unwrap();
        // It was made while the clock was twelve days ahead.
        folder.identity.incarnation += 1 << 40;
        let first = folder.identity.incarnation;
        let fill = |folder: &Folder, text: &str| {
            fs::create_dir_all(folder.log()).unwrap();
            fs::write(folder.log().join("1.log"), text).unwrap();
            fs::create_dir_all(folder.store()).unwrap();
        };
        let aside = |incarnation| dir.path().join(format!("{ASIDE}{incarnation:016x}"));
        fill(&folder, "first");
        folder.begin_anew().unwrap();
        let second = folder.identity.incarnation;
        assert!(second > first && folder.identity.joining);
        assert!(!folder.log().exists() && !folder.store().exists());
        assert_eq!(fs::read(aside(first).join("log/1.log")).unwrap(), b"first");
        fill(&folder, "second");
        folder.begin_anew().unwrap();
        assert!(!aside(first).exists(), "the older damage is gone");
        assert!(aside(second).join("store").exists());
        folder.joined().unwrap();
        drop(folder);
        let folder = open(dir.path(), "payments", 1).unwrap();
        assert!(!folder.identity.joining && !folder.new);
    }

    #[test]
    fn a_crash_while_data_is_set_aside_is_made_good() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path(), "payments", 1).unwrap();
        let first = folder.identity.incarnation;
        // As a crash leaves it: the log has gone, the store has not.
        let identity = Identity {
            incarnation: first + 1,
            former: Some(first),
            joining: true,
            ..folder.identity.clone()
        };
        write_identity(dir.path(), &identity).unwrap();
        let aside = dir.path().join(format!("{ASIDE}{first:016x}"));
        fs::create_dir_all(aside.join("log")).unwrap();
        fs::create_dir_all(folder.store()).unwrap();
        drop(folder);
        let folder = open(dir.path(), "payments", 1).unwrap();
        assert_eq!(folder.identity.former, None);
        assert!(folder.identity.joining);
        assert!(!folder.store().exists() && aside.join("store").exists());
        assert!(aside.join("log").exists());
    }

    #[test]
    fn incarnations_differ_and_grow() {
        let (one, other) = (incarnation().unwrap(), incarnation().unwrap());
        assert_ne!(one, other);
        assert!(one >> 20 <= other >> 20);
    }
}
