//! Journal records in pieces, and those that were read last.
//!
//! The first piece begins with the record's length (4 bytes, little endian): with it, most
//! records are one lookup.

use super::backend::Tree;
use super::error::BackendError;
use super::key::Key;
use super::limits::{CACHED_RECORDS, PIECE_BYTES};
use bytes::Bytes;
use florin_ledger::id::Timestamp;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ops::ControlFlow;

/// Reads records by time.
#[derive(Default)]
pub(super) struct Journal {
    recent: Mutex<VecDeque<(Timestamp, Bytes)>>,
}

impl Journal {
    /// The record of that time, if there is one.
    pub(super) fn read(
        &self,
        tree: &dyn Tree,
        time: Timestamp,
    ) -> Result<Option<Bytes>, BackendError> {
        let known = |recent: &VecDeque<(Timestamp, Bytes)>| {
            let at = recent.iter().position(|(known, _)| *known == time)?;
            recent.get(at).map(|(_, record)| record.clone())
        };
        if let Some(record) = known(&self.recent.lock()) {
            return Ok(Some(record));
        }
        let Some(record) = read(tree, time)? else {
            return Ok(None);
        };
        let mut recent = self.recent.lock();
        recent.truncate(CACHED_RECORDS - 1);
        recent.push_front((time, record.clone()));
        Ok(Some(record))
    }

    /// Forgets what was read: the tree is another.
    pub(super) fn clear(&self) {
        self.recent.lock().clear();
    }
}

/// A record as pairs of the tree.
pub(super) fn pieces(time: Timestamp, record: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut whole = Vec::with_capacity(record.len() + 4);
    whole.extend((record.len() as u32).to_le_bytes());
    whole.extend(record);
    (0..)
        .zip(whole.chunks(PIECE_BYTES))
        .map(|(piece, bytes)| (Key::Journal(time, piece).encode(), bytes.to_vec()))
        .collect()
}

/// Visits all records of `from..=to`, oldest first, each whole.
pub(super) fn visit<E: From<BackendError>>(
    tree: &dyn Tree,
    from: Timestamp,
    to: Timestamp,
    mut each: impl FnMut(Timestamp, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut record: Vec<u8> = Vec::new();
    let mut expected = 0;
    let mut now = None;
    let mut failed: Option<E> = None;
    let (first, last) = (
        Key::Journal(from, 0).encode(),
        Key::Journal(to, u16::MAX).encode(),
    );
    tree.visit(&first, &last, false, &mut |key, value| {
        let mut step = || -> Result<(), E> {
            let Key::Journal(time, piece) = Key::decode(key)? else {
                return Err(damaged(from).into());
            };
            if piece == 0 {
                if now.is_some() {
                    return Err(damaged(time).into());
                }
                let (length, rest) = value.split_first_chunk().ok_or_else(|| damaged(time))?;
                expected = u32::from_le_bytes(*length) as usize;
                record.clear();
                record.extend(rest);
                now = Some(time);
            } else if now == Some(time) {
                record.extend(value);
            } else {
                return Err(damaged(time).into());
            }
            if record.len() >= expected {
                now = None;
                each(time, &record)?;
            }
            Ok(())
        };
        match step() {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match (failed, now) {
        (Some(error), _) => Err(error),
        (None, Some(time)) => Err(damaged(time).into()),
        (None, None) => Ok(()),
    }
}

fn read(tree: &dyn Tree, time: Timestamp) -> Result<Option<Bytes>, BackendError> {
    let Some(first) = tree.get(&Key::Journal(time, 0).encode())? else {
        return Ok(None);
    };
    let (length, rest) = first.split_first_chunk().ok_or_else(|| damaged(time))?;
    let length = u32::from_le_bytes(*length) as usize;
    if rest.len() == length {
        return Ok(Some(first.slice(4..)));
    }
    let mut record = rest.to_vec();
    for piece in 1.. {
        if record.len() >= length {
            break;
        }
        let next = tree.get(&Key::Journal(time, piece).encode())?;
        record.extend_from_slice(&next.ok_or_else(|| damaged(time))?);
    }
    if record.len() != length {
        return Err(damaged(time));
    }
    Ok(Some(record.into()))
}

fn damaged(time: Timestamp) -> BackendError {
    BackendError::Damaged(format!("the journal record of {}", time.0))
}
