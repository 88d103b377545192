//! Writing what is unwritten into the tree, behind apply's back.
//!
//! Journal records go first, one after the other: they are most of the bytes, whole batches of
//! them would hold up every reader of the node, and a record beyond the header is not read.
//! Everything else, with the header that says how far it goes, is one atomic batch.

use super::backend::{Changes, Tree};
use super::chunk::{encode_entries, encode_ids};
use super::core::{Core, Frozen, Persister, Shared};
use super::error::{BackendError, PersistError};
use super::journal::pieces;
use super::key::Key;
use super::limits;
use super::load::Header;
use super::object::{encode, encode_object};
use super::overlay::Overlay;
use crate::position::LogPosition;
use std::sync::Arc;

/// Writes everything up to now, if the log holds all of it durably.
pub(super) fn persist(shared: &Shared, durable_index: u64) -> Result<(), PersistError> {
    let mut persister = shared.persister.lock();
    persist_locked(shared, &mut persister, durable_index)
}

/// Persists, syncs, and answers up to where the log may go.
pub(super) fn checkpoint(
    shared: &Shared,
    durable_index: u64,
) -> Result<Option<LogPosition>, PersistError> {
    let mut persister = shared.persister.lock();
    persist_locked(shared, &mut persister, durable_index)?;
    let persisted = shared.core.read().persisted;
    if persister.synced != persisted {
        shared.store.sync()?;
        persister.synced = persisted;
    }
    Ok(persisted)
}

fn persist_locked(
    shared: &Shared,
    persister: &mut Persister,
    durable_index: u64,
) -> Result<(), PersistError> {
    if persister.paused.is_some() {
        if shared.core.read().front.bytes < persister.patience {
            return Ok(());
        }
        // The snapshot's reader finds its number gone and gives up.
        persister.paused = None;
    }
    // What an earlier call could not write goes first.
    let left = shared.core.read().frozen.clone();
    if let Some(frozen) = left {
        write(shared, &frozen)?;
    }
    let Some(frozen) = freeze(&mut shared.core.write(), durable_index) else {
        return Ok(());
    };
    write(shared, &frozen)
}

/// Puts a fresh overlay in front; none if there is nothing that may be written.
fn freeze(core: &mut Core, durable_index: u64) -> Option<Arc<Frozen>> {
    let applied = core.applied?;
    if Some(applied) == core.persisted || applied.index > durable_index {
        return None;
    }
    let frozen = Arc::new(Frozen {
        overlay: std::mem::take(&mut core.front),
        header: Header {
            format: limits::FORMAT,
            applied,
            membership: core.membership.clone(),
            meta: core.state.meta().clone(),
        },
    });
    core.frozen = Some(frozen.clone());
    Some(frozen)
}

fn write(shared: &Shared, frozen: &Frozen) -> Result<(), PersistError> {
    let bytes = frozen.overlay.bytes;
    if !shared.store.has_room(bytes) {
        return Err(PersistError::DiskFull(bytes));
    }
    let tree = shared.core.read().tree.clone();
    write_journal(&*tree, &frozen.overlay)?;
    tree.write(changes(&frozen.overlay, &frozen.header)?)?;
    let done = {
        let mut core = shared.core.write();
        core.persisted = Some(frozen.header.applied);
        core.written = frozen.header.meta.time;
        core.frozen.take()
    };
    // Freeing megabytes takes its time: not under the lock.
    drop(done);
    Ok(())
}

fn write_journal(tree: &dyn Tree, overlay: &Overlay) -> Result<(), BackendError> {
    for (time, record) in &overlay.journal {
        tree.put_in_turn(&pieces(*time, record))?;
    }
    Ok(())
}

/// The atomic part.
fn changes(overlay: &Overlay, header: &Header) -> Result<Changes, BackendError> {
    let mut changes = vec![(Key::Header.encode(), Some(encode(header)?))];
    for (ledger, meta) in &overlay.ledgers {
        changes.push((Key::Ledger(*ledger).encode(), Some(encode(meta)?)));
    }
    for ((ledger, id), account) in &overlay.accounts {
        let key = Key::Account(*ledger, *id).encode();
        changes.push((key, Some(encode(account)?)));
    }
    for ((ledger, kind, id), object) in &overlay.objects {
        let key = Key::Object(*ledger, *kind, *id).encode();
        changes.push((key, Some(encode_object(object)?)));
    }
    for ((ledger, id), expiry) in &overlay.expiries {
        let value = expiry.as_ref().map(encode).transpose()?;
        changes.push((Key::Expiry(*ledger, *id).encode(), value));
    }
    for (key, item) in &overlay.directory {
        changes.push((key.clone(), Some(encode(item)?)));
    }
    for (key, id) in &overlay.references {
        changes.push((key.clone(), Some(id.0.to_be_bytes().to_vec())));
    }
    for ((ledger, account), entries) in &overlay.entries {
        for (first, chunk) in encode_entries(entries) {
            let key = Key::Entries(*ledger, *account, first).encode();
            changes.push((key, Some(chunk)));
        }
    }
    for ((ledger, kind), ids) in &overlay.lists {
        for (first, chunk) in encode_ids(ids) {
            changes.push((Key::List(*ledger, *kind, first).encode(), Some(chunk)));
        }
    }
    Ok(changes)
}
