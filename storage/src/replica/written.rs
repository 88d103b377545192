//! Entries and lists as they lie in the tree: in chunks by their first item.

use super::backend::Tree;
use super::chunk::{decode_entries, decode_ids};
use super::error::BackendError;
use super::key::Key;
use florin_ledger::id::{Id, LedgerId};
use florin_ledger::object::{Entry, Kind};
use std::ops::{ControlFlow, RangeInclusive};

/// Entries of the tree in order of the walk, up to the limit.
pub(super) fn entries(
    tree: &dyn Tree,
    ledger: LedgerId,
    account: Id,
    range: RangeInclusive<u64>,
    newest_first: bool,
    limit: usize,
) -> Result<Vec<Entry>, BackendError> {
    let key = |first| Key::Entries(ledger, account, first).encode();
    let (from, to) = (*range.start(), *range.end());
    let floor = floor_key(tree, &key(0), &key(from))?.unwrap_or_else(|| key(from));
    walk(tree, &floor, &key(to), newest_first, limit, |key, value| {
        let Key::Entries(_, _, first) = key else {
            return Err(BackendError::Damaged("a key among entries".to_owned()));
        };
        let mut entries = decode_entries(first, value)?;
        entries.retain(|entry| range.contains(&entry.sequence));
        Ok(entries)
    })
}

/// Identifiers of the tree in order of the walk, up to the limit.
pub(super) fn ids(
    tree: &dyn Tree,
    ledger: LedgerId,
    kind: Kind,
    range: RangeInclusive<Id>,
    newest_first: bool,
    limit: usize,
) -> Result<Vec<Id>, BackendError> {
    let key = |first| Key::List(ledger, kind, first).encode();
    let (from, to) = (*range.start(), *range.end());
    let floor = floor_key(tree, &key(Id(0)), &key(from))?.unwrap_or_else(|| key(from));
    walk(tree, &floor, &key(to), newest_first, limit, |_, value| {
        let mut ids = decode_ids(value)?;
        ids.retain(|id| range.contains(id));
        Ok(ids)
    })
}

/// The entry of that sequence, or the newest before it.
pub(super) fn newest_entry(
    tree: &dyn Tree,
    ledger: LedgerId,
    account: Id,
    sequence: u64,
) -> Result<Option<Entry>, BackendError> {
    let key = |first| Key::Entries(ledger, account, first).encode();
    let newest = walk(tree, &key(0), &key(sequence), true, 1, |key, value| {
        let Key::Entries(_, _, first) = key else {
            return Err(BackendError::Damaged("a key among entries".to_owned()));
        };
        let mut entries = decode_entries(first, value)?;
        entries.retain(|entry| entry.sequence <= sequence);
        Ok(entries)
    })?;
    Ok(newest.first().copied())
}

/// The last key in `from..=to`: the chunk that holds `to`, if any does.
fn floor_key(tree: &dyn Tree, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
    let mut floor = None;
    tree.visit(from, to, true, &mut |key, _| {
        floor = Some(key.to_vec());
        ControlFlow::Break(())
    })?;
    Ok(floor)
}

/// Decodes chunks of a range until there are `limit` items.
fn walk<T>(
    tree: &dyn Tree,
    from: &[u8],
    to: &[u8],
    newest_first: bool,
    limit: usize,
    decode: impl Fn(Key, &[u8]) -> Result<Vec<T>, BackendError>,
) -> Result<Vec<T>, BackendError> {
    let mut items = Vec::new();
    let mut failed = None;
    tree.visit(from, to, newest_first, &mut |key, value| {
        match Key::decode(key).and_then(|key| decode(key, value)) {
            Ok(mut chunk) => {
                if newest_first {
                    chunk.reverse();
                }
                items.append(&mut chunk);
            }
            Err(error) => failed = Some(error),
        }
        if failed.is_some() || items.len() >= limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    items.truncate(limit);
    failed.map_or(Ok(items), Err)
}
