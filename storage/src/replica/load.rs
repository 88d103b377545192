//! Where a tree stands, and the state built from it.

use super::backend::Tree;
use super::error::BackendError;
use super::journal;
use super::key::{Key, all, tag};
use super::limits;
use super::object::decode_value;
use crate::position::LogPosition;
use bytes::Bytes;
use florin_failpoints::mutant;
use florin_ledger::id::GroupId;
use florin_ledger::invariants::Violation;
use florin_ledger::journal::Record;
use florin_ledger::state::{GroupMeta, GroupSettings, State};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Consensus' membership, opaque here, and the entry that set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Membership {
    pub(super) at: Option<LogPosition>,
    pub(super) bytes: Vec<u8>,
}

/// Where the whole tree stands; written in the batch that brings it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: u32,
    pub(super) applied: LogPosition,
    pub(super) membership: Option<Membership>,
    pub(super) meta: GroupMeta,
}

impl Header {
    /// As the public API has it.
    pub(super) fn membership(&self) -> Option<(Option<LogPosition>, Bytes)> {
        let membership = self.membership.as_ref()?;
        Some((membership.at, Bytes::copy_from_slice(&membership.bytes)))
    }
}

/// Why a tree is no state.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Books(#[from] Violation),
}

/// The tree's header; none in an empty tree.
pub(super) fn read_header(tree: &dyn Tree) -> Result<Option<Header>, BackendError> {
    let Some(value) = tree.get(&Key::Header.encode())? else {
        return Ok(None);
    };
    let header: Header = decode_value(&value)?;
    if header.format != limits::FORMAT {
        let format = header.format;
        return Err(BackendError::Damaged(format!("a tree of format {format}")));
    }
    Ok(Some(header))
}

/// The state of a tree, checked: it balances, and its journal ends where it says.
pub(super) fn load(tree: &dyn Tree, group: GroupId) -> Result<(State, Option<Header>), LoadError> {
    load_with(tree, group, State::remember)
}

/// As [`load`], of a tree that came as a snapshot.
pub(super) fn load_received(
    tree: &dyn Tree,
    group: GroupId,
) -> Result<(State, Option<Header>), LoadError> {
    mutant!("keys-left-out-of-snapshot" => return load_with(tree, group, |_, _| ()));
    load(tree, group)
}

/// Loads, and remembers what was decided of each record as it is told.
fn load_with(
    tree: &dyn Tree,
    group: GroupId,
    remember: impl Fn(&mut State, &Record<'_>),
) -> Result<(State, Option<Header>), LoadError> {
    let Some(header) = read_header(tree)? else {
        return Ok((State::new(group, GroupSettings::default()), None));
    };
    if header.meta.group != group {
        let other = header.meta.group.0;
        return Err(BackendError::Damaged(format!("it is of group {other}")).into());
    }
    let mut state = State::restore(header.meta.clone());
    for sort in [tag::LEDGER, tag::ACCOUNT, tag::EXPIRY, tag::DIRECTORY] {
        visit_sort(tree, sort, |key, value| restore(&mut state, key, value))?;
    }
    let time = header.meta.time;
    let mut last = None;
    journal::visit(tree, state.remembers_from(), time, |_, bytes| {
        let record = decode_record(bytes)?;
        remember(&mut state, &record);
        last = Some(record.hash());
        Ok::<(), BackendError>(())
    })?;
    if last.unwrap_or_default() != header.meta.chain {
        let why = "the journal does not end where the header says";
        return Err(BackendError::Damaged(why.to_owned()).into());
    }
    state.check()?;
    Ok((state, Some(header)))
}

/// A record that the store's own checksums vouch for.
pub(super) fn decode_record(bytes: &[u8]) -> Result<Record<'_>, BackendError> {
    Record::decode_trusted(bytes).map_err(|error| BackendError::Damaged(error.to_string()))
}

/// Visits all pairs of a sort.
pub(super) fn visit_sort<E: From<BackendError>>(
    tree: &dyn Tree,
    sort: u8,
    mut each: impl FnMut(Key, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (from, to) = all(sort);
    let mut failed = None;
    tree.visit(&from, &to, false, &mut |key, value| {
        let visited = Key::decode(key).map_err(E::from);
        match visited.and_then(|key| each(key, value)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed.map_or(Ok(()), Err)
}

fn restore(state: &mut State, key: Key, value: &[u8]) -> Result<(), BackendError> {
    match key {
        Key::Ledger(ledger) => state.restore_ledger(ledger, decode_value(value)?),
        Key::Account(ledger, _) => state.restore_account(ledger, decode_value(value)?),
        Key::Expiry(..) => state.restore_expiry(decode_value(value)?),
        Key::Directory(..) => state.restore_directory(decode_value(value)?),
        _ => return Err(BackendError::Damaged("a key of another sort".to_owned())),
    }
    Ok(())
}
