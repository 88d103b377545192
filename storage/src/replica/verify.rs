//! Checking the data folder of a stopped node.
//!
//! The log is read for damage. Each group's journal is followed by its hashes and applied again,
//! by the pure ledger, into a scratch store; what comes out must be what is stored: every account,
//! object, reference, entry and list.

mod report;

use super::backend::Tree;
use super::chunk::{decode_entries, decode_ids};
use super::core::Shared;
use super::error::{BackendError, OpenReplicaError, OpenStoreError, PersistError};
use super::journal;
use super::key::{Key, kind_byte, tag};
use super::load::{Header, decode_record, load, read_header, visit_sort};
use super::object::decode_value;
use super::persist;
use super::scrub::scrub_tree;
use super::snapshot::belongs;
use super::store::{Store, StoreOptions};
use crate::disk::RealDisk;
use crate::log::{GroupLogState, Log, OpenLogError};
use crate::position::LogPosition;
use florin_ledger::id::{GroupId, Id, LedgerId, Timestamp, prefix};
use florin_ledger::object::Account;
use florin_ledger::replay::{ReplayError, replay};
use florin_ledger::state::State;
pub use report::{GroupReport, Report};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The scratch store is kept in memory up to this size of the store itself.
const SCRATCH_IN_MEMORY: u64 = 256 * 1024 * 1024;

/// Unwritten bytes of the scratch store.
const SCRATCH_OVERLAY: usize = 8 * 1024 * 1024;

/// Why a data folder could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The ledger store did not open.
    #[error(transparent)]
    Store(#[from] OpenStoreError),
    /// The log did not open.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// A file could not be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The ledger store failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The scratch store failed.
    #[error("the scratch store: {0}")]
    Scratch(#[from] OpenReplicaError),
    /// The scratch store could not be written.
    #[error("the scratch store: {0}")]
    Persist(#[from] PersistError),
}

/// Checks a data folder: `log/` and `store/` in it. The node must be stopped.
pub fn verify(dir: &Path) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let mut logs = Vec::new();
    if dir.join("log").is_dir() {
        let disk = RealDisk::open(&dir.join("log"))?;
        let found = Log::inspect(&disk)?;
        logs = Log::standing(&disk)?;
        report.notices = found.notes;
        report.notices.extend(found.torn.map(|torn| {
            let (bytes, segment) = (torn.bytes, torn.segment);
            format!("{bytes} bytes of an unfinished round end segment {segment}")
        }));
        for (group, entries) in found.damaged {
            let (group, first, count) = (group.0, entries.first(), entries.len());
            let first = first.map_or(0, |first| first.index);
            report.problems.push(format!(
                "group {group}: {count} damaged entries, from entry {first} on, which its peers can mend"
            ));
        }
        for fault in found.faulty {
            let (group, why) = (fault.group.0, fault.reason);
            report.problems.push(format!("group {group}: {why}"));
        }
    }
    report.groups = verify_store(&dir.join("store"), &dir.join("verify-scratch"))?;
    for group in &mut report.groups {
        if let Some((_, log)) = logs.iter().find(|(id, _)| id.0 == group.group) {
            compare_positions(group, log);
        }
    }
    Ok(report)
}

/// The ledger begins in the log where it ends in the store: never ahead of it, and with no gap.
fn compare_positions(report: &mut GroupReport, log: &GroupLogState) {
    let index = |at: Option<LogPosition>| at.map_or(0, |at| at.index);
    let (persisted, purged) = (index(report.persisted), index(log.purged));
    if persisted < purged {
        report.problem(format!(
            "the ledger ends with entry {persisted}, and the log begins after entry {purged}"
        ));
    }
    let last = index(log.last);
    if persisted > last {
        report.problem(format!(
            "the ledger ends with entry {persisted}, ahead of the log, which ends with entry {last}"
        ));
    }
}

/// Checks every group of a store.
fn verify_store(dir: &Path, scratch_dir: &Path) -> Result<Vec<GroupReport>, VerifyError> {
    let store = Store::open_as_it_is(dir)?;
    let large = std::fs::metadata(dir.join("db"))?.len() > SCRATCH_IN_MEMORY;
    let scratch = if large {
        remove_folder(scratch_dir)?;
        Store::open(scratch_dir, StoreOptions::default())?.0
    } else {
        Store::in_memory()
    };
    let groups = store
        .groups()
        .into_iter()
        .map(|group| verify_group(&store, &scratch, group))
        .collect();
    drop(scratch);
    if large {
        remove_folder(scratch_dir)?;
    }
    groups
}

fn remove_folder(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Checks one group.
pub(super) fn verify_group(
    store: &Store,
    scratch: &Store,
    group: GroupId,
) -> Result<GroupReport, VerifyError> {
    let mut report = GroupReport {
        group: group.0,
        ..GroupReport::default()
    };
    let (tree, _) = store.open_group(group)?;
    let header = match read_header(&*tree) {
        Ok(Some(header)) => header,
        Ok(None) => return Ok(report),
        Err(error) => {
            report.problem(error);
            return Ok(report);
        }
    };
    report.persisted = Some(header.applied);
    report.time = header.meta.time;
    let scrubbed = scrub_tree(&*tree, &mut |_| true).unwrap_or_default();
    report.entries = scrubbed.entries;
    report.accounts = scrubbed.accounts;
    for problem in scrubbed.problems {
        report.problem(problem);
    }
    let stored = match load(&*tree, group) {
        Ok((state, _)) => Some(state),
        Err(error) => {
            report.problem(error);
            None
        }
    };
    let replayed = Shared::open(scratch, group)?;
    if replay_journal(&*tree, &header, &replayed, &mut report)? {
        compare_states(stored.as_ref(), &replayed, &mut report);
        let scratch_tree = replayed.core.read().tree.clone();
        compare_trees(&*tree, &*scratch_tree, report.time, &mut report)?;
    }
    Ok(report)
}

/// Why the journal was not applied to its end.
enum Stopped {
    Failed(VerifyError),
    Wrong(String),
}

impl From<BackendError> for Stopped {
    fn from(error: BackendError) -> Stopped {
        match error {
            BackendError::Damaged(what) => Stopped::Wrong(format!("damaged: {what}")),
            error => Stopped::Failed(error.into()),
        }
    }
}

/// Applies the journal to a scratch replica; false if it does not lead to the end.
fn replay_journal(
    tree: &dyn Tree,
    header: &Header,
    replayed: &Shared,
    report: &mut GroupReport,
) -> Result<bool, VerifyError> {
    let mut records = 0;
    let walked = journal::visit(tree, Timestamp(0), header.meta.time, |_, bytes| {
        records += 1;
        let record = decode_record(bytes)?;
        let unwritten = {
            let mut core = replayed.core.write();
            core.advance(LogPosition {
                term: 0,
                index: records,
            });
            let (state, mut writer) = core.parts(replayed);
            replay(state, &mut writer, &record)
                .map_err(|error: ReplayError| Stopped::Wrong(error.to_string()))?;
            core.front.bytes
        };
        if unwritten > SCRATCH_OVERLAY {
            persist::persist(replayed, u64::MAX).map_err(|error| Stopped::Failed(error.into()))?;
        }
        Ok(())
    });
    report.records = records;
    match walked {
        Ok(()) => {
            persist::persist(replayed, u64::MAX)?;
            Ok(true)
        }
        Err(Stopped::Failed(error)) => Err(error),
        Err(Stopped::Wrong(why)) => {
            report.problem(format!("the journal cannot be applied again: {why}"));
            Ok(false)
        }
    }
}

fn compare_states(stored: Option<&State>, replayed: &Shared, report: &mut GroupReport) {
    let core = replayed.core.read();
    if let Err(violation) = core.state.check() {
        report.problem(format!("the journal breaks the rules: {violation}"));
    }
    if stored.is_some_and(|stored| stored.hash() != core.state.hash()) {
        report.problem("the stored state is not what the journal leads to");
    }
}

fn compare_trees(
    stored: &dyn Tree,
    replayed: &dyn Tree,
    upto: Timestamp,
    report: &mut GroupReport,
) -> Result<(), VerifyError> {
    let sorts = [
        tag::LEDGER,
        tag::ACCOUNT,
        tag::OBJECT,
        tag::EXPIRY,
        tag::DIRECTORY,
        tag::REFERENCE,
    ];
    for sort in sorts {
        visit_sort(stored, sort, |key, value| {
            if !belongs(&key, value, upto)? {
                return Ok(());
            }
            match replayed.get(&key.encode())? {
                Some(expected) if expected == value => {}
                Some(expected) => report.problem(difference(&key, value, &expected)),
                None => report.problem(format!("not in the journal: {}", name(&key))),
            }
            Ok::<(), BackendError>(())
        })?;
        visit_sort(replayed, sort, |key, _| {
            if stored.get(&key.encode())?.is_none() {
                report.problem(format!("missing: {}", name(&key)));
            }
            Ok::<(), BackendError>(())
        })?;
    }
    let (there, expected) = (lines(stored, upto), lines(replayed, upto));
    match (there, expected) {
        (Ok(there), Ok(expected)) => {
            for of in there.keys().chain(expected.keys()) {
                if there.get(of) != expected.get(of) {
                    report.problem(format!("entries or lists differ: {of:?}"));
                }
            }
        }
        (Err(error), _) | (_, Err(error)) => report.problem(error),
    }
    Ok(())
}

fn difference(key: &Key, value: &[u8], expected: &[u8]) -> String {
    let account = |bytes| decode_value::<Account>(bytes).map(|account| account.totals);
    match (key, account(value), account(expected)) {
        (Key::Account(..), Ok(there), Ok(expected)) => format!(
            "{} stands at {there:?}, the journal says {expected:?}",
            name(key)
        ),
        _ => format!("not as the journal says: {}", name(key)),
    }
}

fn name(key: &Key) -> String {
    match key {
        Key::Account(_, id) => format!("account {}", id.display(prefix::ACCOUNT)),
        other => format!("{other:?}"),
    }
}

/// Whose entries or which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Entries(LedgerId, Id),
    List(LedgerId, u8),
}

/// Entries and lists are cut into chunks as it happened: they are compared by what they hold.
fn lines(
    tree: &dyn Tree,
    upto: Timestamp,
) -> Result<BTreeMap<Line, (u64, [u8; 32])>, BackendError> {
    let mut lines: BTreeMap<Line, (u64, [u8; 32])> = BTreeMap::new();
    let mut add = |line, item: &[u8]| {
        let (count, hash) = lines.entry(line).or_default();
        *count += 1;
        *hash = *blake3::Hasher::new()
            .update(hash)
            .update(item)
            .finalize()
            .as_bytes();
    };
    visit_sort(tree, tag::ENTRIES, |key, value| {
        if let Key::Entries(ledger, account, first) = key
            && belongs(&key, value, upto)?
        {
            for entry in decode_entries(first, value)? {
                add(
                    Line::Entries(ledger, account),
                    &super::object::encode(&entry)?,
                );
            }
        }
        Ok::<(), BackendError>(())
    })?;
    visit_sort(tree, tag::LIST, |key, value| {
        if let Key::List(ledger, kind, _) = key
            && belongs(&key, value, upto)?
        {
            for id in decode_ids(value)? {
                add(Line::List(ledger, kind_byte(kind)), &id.0.to_be_bytes());
            }
        }
        Ok::<(), BackendError>(())
    })?;
    Ok(lines)
}
