//! The log of one group.

use super::{GroupLogState, LogEntry, LogPosition};
use bytes::Bytes;
use florin_ledger::id::GroupId;
use std::io;
use std::ops::Range;

/// Called once, on the log's writer thread, when an operation is durable or has failed. It must be
/// short and must not block: every group of the node waits behind it.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A handle to the log of one group. Clones are the same log.
#[derive(Clone)]
pub struct GroupLog {}

impl GroupLog {
    /// The group.
    pub fn id(&self) -> GroupId {
        todo!()
    }
    /// Appends entries. They are readable when this returns and durable when `done` is called with
    /// `Ok`. Completions come back in the order of the calls, over all groups of the node. The
    /// first index must follow the last one; an empty log takes any.
    pub fn append(&self, entries: Vec<LogEntry>, done: Done) {
        let _ = (entries, done);
        todo!()
    }
    /// Saves the vote, in the same queue as appends.
    pub fn save_vote(&self, vote: Bytes, done: Done) {
        let _ = (vote, done);
        todo!()
    }
    /// Drops the entries after `last_kept` (all of them for `None`), in the same queue: it is on
    /// the disk before any later append.
    pub fn truncate_after(&self, last_kept: Option<u64>) {
        let _ = last_kept;
        todo!()
    }
    /// Drops the entries up to and with `upto`, which may lie beyond the last one.
    pub fn purge(&self, upto: LogPosition) {
        let _ = upto;
        todo!()
    }
    /// The entries of `range` that are there, in order, as many as fit in `max_bytes` of payload
    /// but at least one. Damage found on the way is `InvalidData`.
    pub fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogEntry>> {
        let _ = (range, max_bytes);
        todo!()
    }
    /// Vote, purged and last position, as of the calls so far (not all of it durable yet).
    pub fn state(&self) -> GroupLogState {
        todo!()
    }
    /// The last index up to which every entry is durable here (or purged); `None` if there is none.
    pub fn durable(&self) -> Option<u64> {
        todo!()
    }
    /// Calls `done` once the entry `index` is durable: at once if it is, else on the writer thread.
    pub fn on_durable(&self, index: u64, done: Done) {
        let _ = (index, done);
        todo!()
    }
}
