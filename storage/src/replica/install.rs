//! Installing a snapshot: into a tree of the next generation, which one write makes current.
//!
//! Until then nothing of what is there changes, on disk or in memory; a crash before leaves a
//! tree that nobody names.

use super::backend::Tree;
use super::core::{Core, Shared};
use super::error::InstallError;
use super::frame::{self, SnapshotHeader};
use super::key::Key;
use super::limits::{FORMAT, LOAD_BATCH_BYTES, SNAPSHOT_CHUNK_BYTES};
use super::load::{Header, LoadError, load_received};
use super::object::{decode_value, encode};
use super::snapshot::check_pair;
use crate::position::LogPosition;
use bytes::Bytes;
use florin_failpoints::{failpoint, mutant};
use florin_ledger::state::State;
use std::sync::Arc;

/// What an installed snapshot stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The last log entry in it.
    pub position: LogPosition,
    /// Consensus' membership as of then, and where it was set.
    pub membership: Option<(Option<LogPosition>, Bytes)>,
}

/// A snapshot being installed. Dropping it before [`SnapshotWriter::finish`] leaves all as it was.
pub struct SnapshotWriter {
    shared: Arc<Shared>,
    tree: Arc<dyn Tree>,
    generation: u32,
    header: Option<Header>,
    hasher: blake3::Hasher,
    ended: bool,
    waiting: Vec<(Vec<u8>, Vec<u8>)>,
    waiting_bytes: usize,
    /// The new state, once everything is here and fits together.
    checked: Option<(State, Header)>,
    done: bool,
}

impl SnapshotWriter {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<SnapshotWriter, InstallError> {
        failpoint!("storage.install.open");
        let mut persister = shared.persister();
        if persister.installing {
            return Err(InstallError::Busy);
        }
        let generation = persister.generation + 1;
        let tree = shared.store.make_tree(shared.group, generation)?;
        persister.installing = true;
        Ok(SnapshotWriter {
            shared: shared.clone(),
            tree,
            generation,
            header: None,
            hasher: blake3::Hasher::new(),
            ended: false,
            waiting: Vec::new(),
            waiting_bytes: 0,
            checked: None,
            done: false,
        })
    }

    /// Takes the next chunk, in order.
    pub fn chunk(&mut self, chunk: Bytes) -> Result<(), InstallError> {
        failpoint!("storage.install.chunk", Err(malformed("no chunk came")));
        if self.ended || chunk.len() > SNAPSHOT_CHUNK_BYTES {
            return Err(malformed("a chunk too many or too long"));
        }
        let (sort, body) = chunk.split_first().ok_or_else(|| malformed("no bytes"))?;
        match (*sort, &self.header) {
            (frame::HEADER, None) => self.header = Some(self.read_header(body)?),
            (frame::PAIRS, Some(_)) => self.take_pairs(body)?,
            (frame::END, Some(_)) => {
                let differs = body != self.hasher.finalize().as_bytes();
                if differs && !mutant!("checksums-off") {
                    return Err(InstallError::Hash);
                }
                self.ended = true;
            }
            _ => return Err(malformed("a chunk out of order")),
        }
        self.hasher.update(&chunk);
        Ok(())
    }

    /// Checks the whole: that all of it came, is on disk, and that its books hold. Nothing of
    /// what was here has changed if not; after it, [`SnapshotWriter::finish`] fails only with
    /// the disk, or if more was applied here by then than the snapshot holds. Blocking.
    pub fn check(&mut self) -> Result<Installed, InstallError> {
        if let Some((_, header)) = &self.checked {
            return Ok(installed(header));
        }
        let header = match self.header.take() {
            Some(header) if self.ended => header,
            _ => return Err(malformed("it is cut short")),
        };
        failpoint!("storage.install.check");
        self.write_waiting()?;
        let value = encode(&header)?;
        self.tree.write(vec![(Key::Header.encode(), Some(value))])?;
        let state = match load_received(&*self.tree, self.shared.group) {
            Ok((state, _)) => state,
            Err(LoadError::Backend(error)) => return Err(error.into()),
            Err(LoadError::Books(violation)) => {
                return Err(InstallError::Books(violation.to_string()));
            }
        };
        self.shared.store.sync()?;
        let installed = installed(&header);
        self.checked = Some((state, header));
        Ok(installed)
    }

    /// Checks the whole, unless that is done, and switches to it, on disk (durably) and in memory.
    pub fn finish(mut self) -> Result<Installed, InstallError> {
        let installed = self.check()?;
        if let Some((state, header)) = self.checked.take() {
            self.switch(Core::new(state, Some(header), self.tree.clone()))?;
        }
        Ok(installed)
    }

    fn switch(&mut self, new: Core) -> Result<(), InstallError> {
        let shared = self.shared.clone();
        let mut persister = shared.persister();
        let before = shared.core.read().applied;
        if before.is_some_and(|before| new.applied.is_none_or(|it| it.index < before.index)) {
            return Err(malformed("it is older than what is applied here"));
        }
        failpoint!("storage.install.switch");
        shared.store.switch(shared.group, self.generation)?;
        // The tree has its name from here on: whatever fails now must not drop it.
        self.done = true;
        shared.store.sync()?;
        let old = std::mem::replace(&mut persister.generation, self.generation);
        persister.installing = false;
        persister.paused = None;
        persister.synced = new.applied;
        let replaced = {
            let mut core = shared.core.write();
            shared.journal.clear();
            std::mem::replace(&mut *core, new)
        };
        drop(replaced);
        failpoint!("storage.install.switched");
        // What is left of it after a failure goes with the next opening.
        if let Err(error) = shared.store.drop_tree(shared.group, old) {
            tracing::warn!(group = shared.group.0, %error, "an old ledger tree was not dropped");
        }
        Ok(())
    }

    fn read_header(&self, body: &[u8]) -> Result<Header, InstallError> {
        let SnapshotHeader { format, header } = decode_value(body)?;
        if format != FORMAT {
            let known = FORMAT;
            return Err(InstallError::Format {
                found: format,
                known,
            });
        }
        if header.meta.group != self.shared.group {
            return Err(malformed("it is of another group"));
        }
        Ok(header)
    }

    fn take_pairs(&mut self, body: &[u8]) -> Result<(), InstallError> {
        let pairs = frame::pairs(body).ok_or_else(|| malformed("pairs that do not decode"))?;
        for (key, value) in pairs {
            check_pair(&key, &value).map_err(|error| malformed(&error.to_string()))?;
            self.waiting_bytes += key.len() + value.len();
            self.waiting.push((key, value));
        }
        if self.waiting_bytes >= LOAD_BATCH_BYTES {
            self.write_waiting()?;
        }
        Ok(())
    }

    /// One after the other: nobody reads this tree yet, and nobody else should wait for it.
    fn write_waiting(&mut self) -> Result<(), InstallError> {
        // What the log needs to go on is worth more than a snapshot, which can come later.
        if !self.shared.store.has_room(self.waiting_bytes) {
            return Err(InstallError::DiskFull(self.waiting_bytes));
        }
        self.waiting_bytes = 0;
        self.tree.put_in_turn(&std::mem::take(&mut self.waiting))?;
        Ok(())
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let shared = &self.shared;
        let mut persister = shared.persister();
        persister.installing = false;
        if let Err(error) = shared.store.drop_tree(shared.group, self.generation) {
            tracing::warn!(group = shared.group.0, %error, "a broken snapshot was not dropped");
        }
    }
}

fn installed(header: &Header) -> Installed {
    Installed {
        position: header.applied,
        membership: header.membership(),
    }
}

fn malformed(why: &str) -> InstallError {
    InstallError::Malformed(why.to_owned())
}
