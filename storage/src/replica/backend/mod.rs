//! Ordered trees of bytes: what the replica needs of sled, and the same in memory.
//!
//! Everything above this trait is alike on both, and one suite of tests runs on both.

mod memory;
mod on_disk;

pub(crate) use memory::MemoryBackend;
pub(crate) use on_disk::SledBackend;
#[cfg(test)]
pub(crate) use on_disk::in_sleds_order;

use super::error::BackendError;
use bytes::Bytes;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Trees by name.
pub(crate) trait Backend: Send + Sync {
    /// The tree of that name, made if it is not there.
    fn tree(&self, name: &str) -> Result<Arc<dyn Tree>, BackendError>;
    /// The names of all trees.
    fn names(&self) -> Vec<String>;
    /// Drops a tree and gives its room back; nothing if there is none.
    fn drop_tree(&self, name: &str) -> Result<(), BackendError>;
    /// Everything written so far survives a power cut once this returns.
    fn sync(&self) -> Result<(), BackendError>;
    /// Bytes that can still be written, if that is known.
    fn room(&self) -> Option<u64>;
    /// Loses what was written after the last `sync`, as a power cut would; false if it cannot.
    fn power_cut(&self) -> bool {
        false
    }
}

/// What one batch changes: a value to put, or none to remove.
pub(crate) type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Called for each pair of a range until it breaks.
pub(crate) type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Keys in order. A crash leaves what was written up to some point in time.
pub(crate) trait Tree: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BackendError>;
    /// Puts pairs one after the other, in whatever order: not atomic, and readers do not wait.
    fn put_in_turn(&self, pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackendError>;
    /// A moment in which whoever serves payments has the processor, if this takes it from them.
    fn rest(&self) {}
    /// All or nothing.
    fn write(&self, changes: Changes) -> Result<(), BackendError>;
    /// Visits the pairs whose keys lie in `from..=to`, from the last one down if `newest_first`.
    fn visit(
        &self,
        from: &[u8],
        to: &[u8],
        newest_first: bool,
        each: &mut Visitor<'_>,
    ) -> Result<(), BackendError>;
}
