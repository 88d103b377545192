//! Writing what is unwritten into the tree, behind apply's back.
//!
//! What is only ever added (records, entries, lists, references) goes first, one pair after the
//! other: it is most of the bytes, and one batch of it would hold up every reader of the node.
//! What changes goes last, in one atomic batch with the header that says how far it all goes.
//! A mark stands in the tree from the first pair to the batch: if a crash leaves it there, the
//! next opening takes out what lies beyond the header ([`sweep`]).

use super::backend::{Changes, Tree};
use super::chunk::encode_ids;
use super::core::{Core, Frozen, Persister, Shared};
use super::error::{BackendError, PersistError};
use super::journal::pieces;
use super::key::{Key, tag};
use super::limits;
use super::load::{Header, visit_sort};
use super::object::{encode, encode_object};
use super::overlay::{Moved, Overlay};
use super::snapshot::belongs;
use crate::position::LogPosition;
use florin_failpoints::{failpoint, mutant};
use florin_ledger::id::{Id, LedgerId, Timestamp};
use florin_ledger::object::Account;
use std::sync::Arc;

/// Writes everything up to now, if the log holds all of it durably.
pub(super) fn persist(shared: &Shared, durable_index: u64) -> Result<(), PersistError> {
    let mut persister = shared.persister();
    persist_locked(shared, &mut persister, durable_index)
}

/// As [`persist`], at once: nothing rests, and no snapshot keeps the tree still.
pub(super) fn make_room(shared: &Shared, durable_index: u64) -> Result<(), PersistError> {
    let _waited_for = shared.waited_for();
    let mut persister = shared.persister();
    // The snapshot's reader finds its number gone and gives up.
    persister.paused = None;
    persist_locked(shared, &mut persister, durable_index)
}

/// Persists, syncs, and answers up to where the log may go.
pub(super) fn checkpoint(
    shared: &Shared,
    durable_index: u64,
) -> Result<Option<LogPosition>, PersistError> {
    let mut persister = shared.persister();
    failpoint!("storage.checkpoint.begin");
    persist_locked(shared, &mut persister, durable_index)?;
    let persisted = shared.core.read().persisted;
    if persister.synced != persisted {
        shared.store.sync()?;
        persister.synced = persisted;
        failpoint!("storage.checkpoint.synced");
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
    if Some(applied) == core.persisted {
        return None;
    }
    if applied.index > durable_index && !mutant!("state-ahead-of-log") {
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
    failpoint!(
        "storage.persist.mark",
        Err(BackendError::Io {
            what: "the ledger store".to_owned(),
            source: rustix::io::Errno::IO.into()
        }
        .into())
    );
    tree.put_in_turn(&[(Key::Writing.encode(), Vec::new())])?;
    failpoint!(
        "storage.persist.add",
        Err(BackendError::Io {
            what: "the ledger store".to_owned(),
            source: rustix::io::Errno::IO.into()
        }
        .into())
    );
    for (at, pairs) in (added(&frozen.overlay).chunks(limits::PUTS_IN_A_ROW)).enumerate() {
        let rests = (1..=limits::RESTS).contains(&at);
        if rests && shared.may_rest() {
            tree.rest();
        }
        tree.put_in_turn(pairs)?;
        shared.step();
    }
    let changes = changed(shared, &frozen.overlay, &frozen.header)?;
    #[cfg(feature = "faults")]
    let changes = super::mistakes::effects(&*tree, changes)?;
    failpoint!(
        "storage.persist.batch",
        Err(BackendError::Io {
            what: "the ledger store".to_owned(),
            source: rustix::io::Errno::IO.into()
        }
        .into())
    );
    tree.write(changes)?;
    shared.step();
    failpoint!("storage.persist.done");
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

/// What is only added, in the order of the tree.
fn added(overlay: &Overlay) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut added = Vec::new();
    for (time, record) in &overlay.journal {
        added.extend(pieces(*time, record));
    }
    for (key, id) in &overlay.references {
        added.push((key.clone(), id.0.to_be_bytes().to_vec()));
    }
    for ((ledger, account), moved) in &overlay.accounts {
        for (first, chunk) in moved.entries.chunks() {
            let key = Key::Entries(*ledger, *account, *first).encode();
            added.push((key, chunk.clone()));
        }
    }
    for (ledger, book) in &overlay.ledgers {
        for (kind, ids) in book.lists() {
            for (first, chunk) in encode_ids(ids) {
                added.push((Key::List(*ledger, kind, first).encode(), chunk));
            }
        }
    }
    added.sort_unstable();
    added
}

/// Takes out what a persist added before a crash cut it short. Applied again, the same entries may
/// be cut into chunks at other places, and chunks must not overlap. References and records stay
/// unseen by their time and are written again as they were.
pub(super) fn sweep(tree: &dyn Tree, written: Timestamp) -> Result<(), BackendError> {
    if tree.get(&Key::Writing.encode())?.is_none() {
        return Ok(());
    }
    let mut beyond: Changes = Vec::new();
    for sort in [tag::ENTRIES, tag::LIST] {
        visit_sort(tree, sort, |key, value| {
            if !belongs(&key, value, written)? {
                beyond.push((key.encode(), None));
            }
            Ok::<(), BackendError>(())
        })?;
    }
    beyond.push((Key::Writing.encode(), None));
    tree.write(beyond)
}

/// An account as it stood when the overlay was frozen. The state has moved on since, but only its
/// totals.
fn account(
    shared: &Shared,
    ledger: LedgerId,
    id: Id,
    moved: &Moved,
) -> Result<Account, BackendError> {
    let account = match &moved.opened {
        Some(opened) => Some((**opened).clone()),
        None => shared.core.read().state.account(ledger, id).cloned(),
    };
    let Some(mut account) = account else {
        let what = format!("the account {id:?}, which moved and is not in the state");
        return Err(BackendError::Damaged(what));
    };
    if let Some(last) = moved.entries.last() {
        account.totals = last.totals;
        account.sequence = last.sequence;
    }
    Ok(account)
}

/// What changes, and the header: all or nothing.
fn changed(shared: &Shared, overlay: &Overlay, header: &Header) -> Result<Changes, BackendError> {
    let mut changes = vec![
        (Key::Header.encode(), Some(encode(header)?)),
        (Key::Writing.encode(), None),
    ];
    for (ledger, book) in &overlay.ledgers {
        if let Some(meta) = &book.meta {
            changes.push((Key::Ledger(*ledger).encode(), Some(encode(meta)?)));
        }
    }
    for ((ledger, id), moved) in &overlay.accounts {
        let key = Key::Account(*ledger, *id).encode();
        changes.push((key, Some(encode(&account(shared, *ledger, *id, moved)?)?)));
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
    Ok(changes)
}
