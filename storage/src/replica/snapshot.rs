//! Reading a snapshot: everything that is persisted, as of one moment, in chunks.
//!
//! sled has no snapshots of its own. What may change is therefore read while nothing is
//! persisted: apply goes on in memory meanwhile, and unwritten changes add up. What is only ever
//! added is read afterwards, leaving out what is of a later time.

use super::backend::Tree;
use super::chunk::{decode_ids, first_time};
use super::core::Shared;
use super::error::{BackendError, SnapshotError};
use super::frame::{self, PAIR_OVERHEAD, SnapshotHeader};
use super::key::{Key, tag};
use super::limits::{FORMAT, SNAPSHOT_SENT_BYTES};
use super::load::{Header, read_header};
use super::object::{decode_id, encode};
use crate::position::LogPosition;
use bytes::Bytes;
use florin_failpoints::failpoint;
use florin_ledger::id::Timestamp;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A snapshot being read: an iterator of chunks of at most 256 KiB, a header first and a hash last.
/// Until the mutable part is read, nothing is persisted; dropping it lifts that.
pub struct SnapshotReader {
    shared: Arc<Shared>,
    tree: Arc<dyn Tree>,
    header: Header,
    generation: u32,
    /// The pause that holds the tree still; none once the mutable part is read.
    pause: Option<u64>,
    next: Next,
    chunk_bytes: usize,
    hasher: blake3::Hasher,
}

/// What comes next.
enum Next {
    Header,
    /// Pairs from this key on.
    Pairs(Vec<u8>),
    End,
    Nothing,
}

impl SnapshotReader {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<SnapshotReader, SnapshotError> {
        failpoint!("storage.snapshot.open");
        let mut persister = shared.persister();
        if persister.paused.is_some() {
            return Err(SnapshotError::Busy);
        }
        let tree = shared.core.read().tree.clone();
        let header = read_header(&*tree)?.ok_or(SnapshotError::Empty)?;
        persister.snapshots += 1;
        persister.paused = Some(persister.snapshots);
        Ok(SnapshotReader {
            shared: shared.clone(),
            tree,
            header,
            generation: persister.generation,
            pause: persister.paused,
            next: Next::Header,
            chunk_bytes: SNAPSHOT_SENT_BYTES,
            hasher: blake3::Hasher::new(),
        })
    }

    /// The last log entry in it.
    pub fn position(&self) -> LogPosition {
        self.header.applied
    }

    /// Consensus' membership as of then, and where it was set.
    pub fn membership(&self) -> Option<(Option<LogPosition>, Bytes)> {
        self.header.membership()
    }

    /// Nothing is persisted before what comes next has been read.
    pub fn holds_still(&self) -> bool {
        self.pause.is_some()
    }

    /// Smaller chunks, so that a test has many; never smaller than a pair.
    #[cfg(test)]
    pub(super) fn in_chunks_of(mut self, bytes: usize) -> SnapshotReader {
        self.chunk_bytes = bytes;
        self
    }

    fn chunk(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        failpoint!("storage.snapshot.chunk", Err(SnapshotError::Overtaken));
        let chunk = match &self.next {
            Next::Nothing => return Ok(None),
            Next::Header => self.header_chunk()?,
            Next::Pairs(from) => {
                let from = from.clone();
                self.pairs_chunk(&from)?
            }
            Next::End => {
                self.next = Next::Nothing;
                return Ok(Some(frame::end(&self.hasher)));
            }
        };
        self.hasher.update(&chunk);
        Ok(Some(chunk.into()))
    }

    fn header_chunk(&mut self) -> Result<Vec<u8>, SnapshotError> {
        let mut chunk = vec![frame::HEADER];
        let header = SnapshotHeader {
            format: FORMAT,
            header: self.header.clone(),
        };
        chunk.extend(encode(&header)?);
        // The tree's own header key is the first of all; pairs begin right after it.
        self.next = Next::Pairs(vec![tag::HEADER + 1]);
        Ok(chunk)
    }

    fn pairs_chunk(&mut self, from: &[u8]) -> Result<Vec<u8>, SnapshotError> {
        let mut chunk = vec![frame::PAIRS];
        let mut next = None;
        let mut failed = None;
        let upto = self.header.meta.time;
        // A chunk of mutable pairs holds no others, so that the pause ends with the last of them.
        let to = match self.pause {
            Some(_) => vec![tag::FIRST_IMMUTABLE],
            None => vec![0xff],
        };
        self.tree.visit(from, &to, false, &mut |key, value| {
            match Key::decode(key).and_then(|key| belongs(&key, value, upto)) {
                Ok(false) => return ControlFlow::Continue(()),
                Ok(true) => {}
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            let length = chunk.len() + PAIR_OVERHEAD + key.len() + value.len();
            if length > self.chunk_bytes && chunk.len() > 1 {
                next = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            frame::put_pair(&mut chunk, key, value);
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.check_not_overtaken()?;
        self.next = match next {
            Some(key) => Next::Pairs(key),
            None if self.pause.is_some() => {
                self.resume();
                Next::Pairs(vec![tag::FIRST_IMMUTABLE])
            }
            None => Next::End,
        };
        Ok(chunk)
    }

    /// What was read is of one moment only if nothing was persisted or installed meanwhile.
    fn check_not_overtaken(&self) -> Result<(), SnapshotError> {
        let persister = self.shared.persister();
        let paused = self.pause.is_none() || persister.paused == self.pause;
        if paused && persister.generation == self.generation {
            Ok(())
        } else {
            Err(SnapshotError::Overtaken)
        }
    }

    /// Takes the lock only if there is something to resume: most readers are dropped where nobody
    /// may wait for a persist.
    fn resume(&mut self) {
        let Some(pause) = self.pause.take() else {
            return;
        };
        let mut persister = self.shared.persister();
        if persister.paused == Some(pause) {
            persister.paused = None;
        }
    }
}

impl Iterator for SnapshotReader {
    type Item = Result<Bytes, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.chunk();
        if chunk.is_err() {
            self.next = Next::Nothing;
            self.resume();
        }
        chunk.transpose()
    }
}

impl Drop for SnapshotReader {
    fn drop(&mut self) {
        self.resume();
    }
}

/// Whether a pair is part of a tree as of that time. Mutable pairs are: they are read in a pause.
pub(super) fn belongs(key: &Key, value: &[u8], upto: Timestamp) -> Result<bool, BackendError> {
    let time = match key {
        Key::Writing => return Ok(false),
        Key::Reference(_) => decode_id(value)?.position().time,
        Key::Entries(_, _, first) => first_time(*first, value)?,
        Key::List(_, _, first) => first.position().time,
        Key::Journal(time, _) => *time,
        _ => return Ok(true),
    };
    Ok(time <= upto)
}

/// Whether all of a chunk of pairs decodes; a snapshot's receiver asks before it writes it.
pub(super) fn check_pair(key: &[u8], value: &[u8]) -> Result<(), BackendError> {
    match Key::decode(key)? {
        Key::Header | Key::Writing => {
            Err(BackendError::Damaged("no pair of a snapshot".to_owned()))
        }
        Key::Reference(_) => decode_id(value).map(drop),
        Key::Entries(_, _, first) => first_time(first, value).map(drop),
        Key::List(..) => decode_ids(value).map(drop),
        _ => Ok(()),
    }
}
