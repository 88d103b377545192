//! The ledger of one group on this node: state in memory, written behind into sled.
//!
//! Memory is the state, the log is the durability. [`Replica::apply`] works in memory;
//! [`Replica::persist`] writes what is unwritten about once a second, in one batch;
//! [`Replica::checkpoint`] makes that survive a power cut, and only then may the log be purged.
//! A restart loads what was persisted and applies the log from there.

mod error;

pub use crate::position::LogPosition;
pub use error::{
    BackendError, InstallError, OpenReplicaError, OpenStoreError, PersistError, SnapshotError,
};

use bytes::Bytes;
use florin_ledger::directory::Item;
use florin_ledger::effect::Decision;
use florin_ledger::id::{GroupId, LedgerId, Timestamp};
use florin_ledger::query::{Answer, Query};
use std::path::Path;
use std::sync::Arc;

/// How a node keeps its store.
#[derive(Clone)]
pub struct StoreOptions {
    /// Bytes of sled's page cache for the whole node.
    pub cache_bytes: u64,
    /// Called when a read within apply fails: it must not return in production, because a
    /// replica that guesses diverges. What it does return from is followed by a panic.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Everything a node keeps on disk of its ledgers: one sled database, or memory. Clones share it.
#[derive(Clone)]
pub struct Store;

impl Store {
    /// Opens the store in `dir` (`<data>/store`), made if it is not there. A damaged one is
    /// renamed to `store.damaged-<n>` beside it, and the notices say so: every group then starts
    /// empty and is filled again from its peers.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<(Store, Vec<String>), OpenStoreError> {
        let _ = (dir, options);
        todo!()
    }

    /// A store in memory that behaves like one on disk, for simulation and tests.
    pub fn in_memory() -> Store {
        todo!()
    }

    /// The groups that have something here.
    pub fn groups(&self) -> Vec<GroupId> {
        todo!()
    }
}

/// The ledger of one group. Clones share it.
#[derive(Clone)]
pub struct Replica;

/// Where a replica stands, to be compared with others that have applied as much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateHash {
    /// The last log entry applied.
    pub applied: Option<LogPosition>,
    /// Of the state in memory.
    pub hash: [u8; 32],
    /// Of the last journal record.
    pub chain: [u8; 32],
}

/// What a scrub read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Journal records whose chain was followed.
    pub records: u64,
    /// Accounts compared with their newest entry.
    pub accounts: u64,
    /// Entries read.
    pub entries: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong, for people; empty if nothing is.
    pub problems: Vec<String>,
}

/// What an installed snapshot stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The last log entry in it.
    pub position: LogPosition,
    /// Consensus' membership as of then, and where it was set.
    pub membership: Option<(Option<LogPosition>, Bytes)>,
}

/// A snapshot being read: an iterator of chunks of at most 1 MiB, a header first and a hash last.
/// Until the mutable part is read, nothing is persisted; dropping it lifts that.
pub struct SnapshotReader;

impl SnapshotReader {
    /// The last log entry in it.
    pub fn position(&self) -> LogPosition {
        todo!()
    }

    /// Consensus' membership as of then, and where it was set.
    pub fn membership(&self) -> Option<(Option<LogPosition>, Bytes)> {
        todo!()
    }
}

impl Iterator for SnapshotReader {
    type Item = Result<Bytes, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}

/// A snapshot being installed. Dropping it before [`SnapshotWriter::finish`] leaves all as it was.
pub struct SnapshotWriter;

impl SnapshotWriter {
    /// Takes the next chunk, in order.
    pub fn chunk(&mut self, chunk: Bytes) -> Result<(), InstallError> {
        let _ = chunk;
        todo!()
    }

    /// Checks the whole and switches to it, on disk (durably) and in memory.
    pub fn finish(self) -> Result<Installed, InstallError> {
        todo!()
    }
}

impl Replica {
    /// Loads the group's ledger from the store; an empty one if there is none.
    pub fn open(store: &Store, group: GroupId) -> Result<Replica, OpenReplicaError> {
        let _ = (store, group);
        todo!()
    }

    /// What people should know of the opening: a damaged ledger that was set aside.
    pub fn notices(&self) -> Vec<String> {
        todo!()
    }

    /// The group.
    pub fn group(&self) -> GroupId {
        todo!()
    }

    /// Nothing was ever applied here: it is new, or its store was lost and must be refilled.
    pub fn is_empty(&self) -> bool {
        self.applied().is_none()
    }

    /// The last log entry applied in memory.
    pub fn applied(&self) -> Option<LogPosition> {
        todo!()
    }

    /// The last log entry whose effects the store holds; a restart goes on from there.
    pub fn persisted(&self) -> Option<LogPosition> {
        todo!()
    }

    /// Consensus' membership as last applied, and the entry that set it.
    pub fn membership(&self) -> Option<(Option<LogPosition>, Bytes)> {
        todo!()
    }

    /// Applies one batch, one decision per envelope. Entries come in order, each once.
    pub fn apply(&self, at: LogPosition, batch: &Bytes) -> Vec<Decision> {
        let _ = (at, batch);
        todo!()
    }

    /// Applies an entry without effect.
    pub fn apply_blank(&self, at: LogPosition) {
        let _ = at;
        todo!()
    }

    /// Applies a change of membership.
    pub fn apply_membership(&self, at: LogPosition, membership: Bytes) {
        let _ = (at, membership);
        todo!()
    }

    /// Answers a question from what is applied here.
    pub fn query(&self, ledger: LedgerId, query: &Query) -> Answer {
        let _ = (ledger, query);
        todo!()
    }

    /// The directory's version, and the items that changed after `version`.
    pub fn directory_since(&self, version: u64) -> (u64, Vec<Item>) {
        let _ = version;
        todo!()
    }

    /// The group's time: that of the last batch.
    pub fn time(&self) -> Timestamp {
        todo!()
    }

    /// When the next pending transfer expires; a tick is due from then on.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        todo!()
    }

    /// About how much memory the unwritten changes take.
    pub fn unwritten_bytes(&self) -> usize {
        todo!()
    }

    /// Writes everything unwritten into the store, if all that is applied is durable in the local
    /// log (`durable_index`); otherwise, and while a snapshot needs the store to stand still,
    /// does nothing. Blocking; apply and queries go on meanwhile.
    pub fn persist(&self, durable_index: u64) -> Result<(), PersistError> {
        let _ = durable_index;
        todo!()
    }

    /// Persists, and makes what is persisted survive a power cut. Answers up to where the log
    /// may be purged. Blocking.
    pub fn checkpoint(&self, durable_index: u64) -> Result<Option<LogPosition>, PersistError> {
        let _ = durable_index;
        todo!()
    }

    /// A snapshot of what is persisted (call [`Replica::persist`] first for a fresh one).
    pub fn snapshot(&self) -> Result<SnapshotReader, SnapshotError> {
        todo!()
    }

    /// Receives a snapshot in place of everything the group has here.
    pub fn install(&self) -> Result<SnapshotWriter, InstallError> {
        todo!()
    }

    /// Where this replica stands.
    pub fn state_hash(&self) -> StateHash {
        todo!()
    }

    /// Reads everything again and checks it: the journal's chain, each account against its
    /// newest entry. Payments go on meanwhile.
    pub fn scrub(&self) -> ScrubReport {
        todo!()
    }
}
