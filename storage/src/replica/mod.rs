//! The ledger of one group on this node: state in memory, written behind into sled.
//!
//! Memory is the state, the log is the durability. [`Replica::apply`] works in memory;
//! [`Replica::persist`] writes what is unwritten now and then;
//! [`Replica::checkpoint`] makes that survive a power cut, and only then may the log be purged.
//! A restart loads what was persisted and applies the log from there.
//!
//! ```text
//! apply -> State + front overlay --persist--> frozen overlay --one batch--> the group's tree
//! query -> front, then frozen, then tree, then the journal record that an identifier names
//! ```
//!
//! Read on in `key` (what the tree holds), `view` (how it is read), `persist`, `snapshot`.

mod backend;
mod chunk;
mod core;
mod error;
mod frame;
mod install;
mod journal;
mod key;
mod limits;
mod load;
#[cfg(feature = "faults")]
mod mistakes;
mod numbers;
mod object;
mod overlay;
mod persist;
mod scrub;
mod snapshot;
mod store;
pub mod verify;
mod view;
mod written;

#[cfg(test)]
mod tests;

pub use crate::position::LogPosition;
pub use error::{
    BackendError, InstallError, OpenReplicaError, OpenStoreError, PersistError, SnapshotError,
};
pub use install::{Installed, SnapshotWriter};
pub use scrub::ScrubReport;
pub use snapshot::SnapshotReader;
pub use store::{Store, StoreOptions};

use self::core::Shared;
use self::load::Membership;
#[cfg(feature = "faults")]
use self::mistakes::apply_batch;
use bytes::Bytes;
#[cfg(not(feature = "faults"))]
use florin_ledger::apply::apply_batch;
use florin_ledger::directory::Item;
use florin_ledger::effect::Decision;
use florin_ledger::id::{GroupId, LedgerId, Timestamp};
use florin_ledger::query::{Answer, Query, Reading};
use std::sync::Arc;

/// The ledger of one group. Clones share it.
#[derive(Clone)]
pub struct Replica {
    shared: Arc<Shared>,
}

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

impl Replica {
    /// Loads the group's ledger from the store; an empty one if there is none. One that is damaged
    /// is set aside within the store, and an empty one takes its place: see [`Replica::notices`].
    pub fn open(store: &Store, group: GroupId) -> Result<Replica, OpenReplicaError> {
        let shared = Arc::new(Shared::open(store, group)?);
        Ok(Replica { shared })
    }

    /// What people should know of the opening: that a damaged ledger was set aside.
    pub fn notices(&self) -> Vec<String> {
        self.shared.notices.clone()
    }

    /// The group.
    pub fn group(&self) -> GroupId {
        self.shared.group
    }

    /// Nothing was ever applied here: it is new, or its store was lost and must be refilled.
    pub fn is_empty(&self) -> bool {
        self.applied().is_none()
    }

    /// The last log entry applied in memory.
    pub fn applied(&self) -> Option<LogPosition> {
        self.shared.core.read().applied
    }

    /// The last log entry whose effects the store holds; a restart goes on from there.
    pub fn persisted(&self) -> Option<LogPosition> {
        self.shared.core.read().persisted
    }

    /// Consensus' membership as last applied, and the entry that set it.
    pub fn membership(&self) -> Option<(Option<LogPosition>, Bytes)> {
        let core = self.shared.core.read();
        let membership = core.membership.as_ref()?;
        Some((membership.at, Bytes::copy_from_slice(&membership.bytes)))
    }

    /// Applies one batch, one decision per envelope. Entries come in order, each once: a position
    /// that is not after the last one is a broken invariant of consensus, and panics.
    pub fn apply(&self, at: LogPosition, batch: &Bytes) -> Vec<Decision> {
        let mut core = self.shared.core.write();
        core.advance(at);
        let (state, mut writer) = core.parts(&self.shared);
        apply_batch(state, &mut writer, batch).decisions
    }

    /// Applies an entry without effect.
    pub fn apply_blank(&self, at: LogPosition) {
        self.shared.core.write().advance(at);
    }

    /// Applies a change of membership.
    pub fn apply_membership(&self, at: LogPosition, membership: Bytes) {
        let mut core = self.shared.core.write();
        core.advance(at);
        core.membership = Some(Membership {
            at: Some(at),
            bytes: membership.to_vec(),
        });
    }

    /// Answers a question from what is applied here. Blocking, if lists or old objects are asked
    /// for. Payments wait for one piece of the reading at most, never for all of it; what is
    /// applied between two pieces may be in the answer.
    pub fn query(&self, ledger: LedgerId, query: &Query) -> Answer {
        let mut reading = Reading::new(ledger, query);
        loop {
            if let Some(answer) = self.read_on(&mut reading) {
                return answer;
            }
        }
    }

    /// As [`Replica::query`], and asks before each further piece whether to go on.
    pub fn query_while(
        &self,
        ledger: LedgerId,
        query: &Query,
        mut go_on: impl FnMut() -> bool,
    ) -> Option<Answer> {
        let mut reading = Reading::new(ledger, query);
        loop {
            if let Some(answer) = self.read_on(&mut reading) {
                return Some(answer);
            }
            if !go_on() {
                return None;
            }
        }
    }

    fn read_on(&self, reading: &mut Reading<'_>) -> Option<Answer> {
        let core = self.shared.core.read();
        reading.piece(&core.state, &core.view(&self.shared))
    }

    /// The directory's version, and the items that changed after `version`.
    pub fn directory_since(&self, version: u64) -> (u64, Vec<Item>) {
        let core = self.shared.core.read();
        let directory = core.state.directory();
        (directory.version, directory.since(version))
    }

    /// The group's time: that of the last batch.
    pub fn time(&self) -> Timestamp {
        self.shared.core.read().state.time()
    }

    /// When the next pending transfer expires; a tick is due from then on.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.shared.core.read().state.next_expiry()
    }

    /// About how much memory the unwritten changes take.
    pub fn unwritten_bytes(&self) -> usize {
        let core = self.shared.core.read();
        let frozen = core.frozen.as_ref().map_or(0, |it| it.overlay.bytes);
        core.front.bytes + frozen
    }

    /// Writes everything unwritten into the store, if all that is applied is durable in the local
    /// log (`durable_index`); otherwise, and while a snapshot needs the store to stand still,
    /// does nothing. Blocking; apply and queries go on meanwhile.
    pub fn persist(&self, durable_index: u64) -> Result<(), PersistError> {
        persist::persist(&self.shared, durable_index)
    }

    /// As [`Replica::persist`], for memory that is waited for: it does not rest, and a snapshot that
    /// needs the store to stand still is given up. Blocking.
    pub fn make_room(&self, durable_index: u64) -> Result<(), PersistError> {
        persist::make_room(&self.shared, durable_index)
    }

    /// Persists, and makes what is persisted survive a power cut. Answers up to where the log
    /// may be purged. Blocking.
    pub fn checkpoint(&self, durable_index: u64) -> Result<Option<LogPosition>, PersistError> {
        persist::checkpoint(&self.shared, durable_index)
    }

    /// How many steps persists have taken: one that takes long and none meanwhile hangs.
    pub fn persist_steps(&self) -> u64 {
        self.shared.steps()
    }

    /// Ends the process, as a disk that fails does ([`StoreOptions::on_fatal`]): the store hangs.
    pub fn fatal(&self, why: &str) {
        (self.shared.store.on_fatal)(why);
    }

    /// From now on nothing rests while it persists: the process is about to end.
    pub fn hurry(&self) {
        self.shared.hurry();
    }

    /// A snapshot of what is persisted (call [`Replica::persist`] first for a fresh one).
    pub fn snapshot(&self) -> Result<SnapshotReader, SnapshotError> {
        SnapshotReader::open(&self.shared)
    }

    /// Receives a snapshot in place of everything the group has here.
    pub fn install(&self) -> Result<SnapshotWriter, InstallError> {
        SnapshotWriter::open(&self.shared)
    }

    /// Where this replica stands. Reads the whole state: for checks, not for every payment.
    pub fn state_hash(&self) -> StateHash {
        let core = self.shared.core.read();
        StateHash {
            applied: core.applied,
            hash: core.state.hash(),
            chain: core.state.chain(),
        }
    }

    /// Reads everything that is persisted again and checks it: the journal's hashes and chain,
    /// each account against its newest entry. Blocking; payments go on meanwhile.
    pub fn scrub(&self) -> ScrubReport {
        loop {
            if let Some(report) = self.scrub_while(|_| true) {
                return report;
            }
        }
    }

    /// As [`Replica::scrub`], and tells all along how many bytes were read since it last told:
    /// `go_on` may take its time. Nothing if it says no, or if a snapshot was installed meanwhile.
    pub fn scrub_while(&self, mut go_on: impl FnMut(u64) -> bool) -> Option<ScrubReport> {
        scrub::scrub(&self.shared, &mut go_on)
    }
}
