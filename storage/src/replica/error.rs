//! What can go wrong with a node's store, one type per operation.

use std::io;
use std::path::PathBuf;

/// Why the backend (sled, or memory) could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// sled says so.
    #[error("the ledger store failed: {0}")]
    Sled(#[from] sled::Error),
    /// The system says so.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Bytes that do not decode: rot, or another version's.
    #[error("damaged bytes in the ledger store: {0}")]
    Damaged(String),
}

/// Why a node's store did not open. A damaged store is no reason: it is set aside.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// Another process has it.
    #[error("{0} is in use by another process")]
    Locked(PathBuf),
    /// A later version of the program wrote it.
    #[error("the ledger store has format {found}, this program knows up to {known}")]
    Format {
        /// What it holds.
        found: u32,
        /// What is understood.
        known: u32,
    },
    /// The folder cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store itself failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why the ledger of a group did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenReplicaError {
    /// The store could not be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why unwritten changes did not reach the store. They are kept, and the next call tries again.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// There is too little room on the disk. Reads go on, and so does this once there is room.
    #[error("too little room on the disk to write {0} bytes of the ledger")]
    DiskFull(usize),
    /// The store could not be written.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why a snapshot did not come about or broke off.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Nothing has been persisted yet.
    #[error("there is nothing to take a snapshot of yet")]
    Empty,
    /// Another snapshot of this group is being read, or one is being installed.
    #[error("another snapshot of this group is under way")]
    Busy,
    /// Reading took so long that unwritten changes had to be written, or another snapshot was installed.
    #[error("the snapshot was overtaken; take another")]
    Overtaken,
    /// The store could not be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Why a snapshot was not installed. What was there before stays.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A chunk that does not belong here.
    #[error("a malformed snapshot: {0}")]
    Malformed(String),
    /// The bytes are not those that were sent.
    #[error("the snapshot's hash differs from what was sent")]
    Hash,
    /// A later version of the program made it.
    #[error("the snapshot has format {found}, this program knows up to {known}")]
    Format {
        /// What it says.
        found: u32,
        /// What is understood.
        known: u32,
    },
    /// It holds books that do not balance or do not load.
    #[error("the snapshot's books do not hold: {0}")]
    Books(String),
    /// Another snapshot of this group is being installed.
    #[error("another snapshot of this group is being installed")]
    Busy,
    /// There is too little room on the disk. The sender tries again.
    #[error("too little room on the disk to write {0} bytes of a snapshot")]
    DiskFull(usize),
    /// The store could not be written.
    #[error(transparent)]
    Backend(#[from] BackendError),
}
