//! Reading everything again, to find rot before somebody needs what rotted.

use super::backend::Tree;
use super::chunk::{decode_entries, decode_ids};
use super::core::Shared;
use super::error::BackendError;
use super::journal;
use super::key::{Key, tag};
use super::load::{Header, read_header, visit_sort};
use super::object;
use super::written::newest_entry;
use florin_ledger::directory::Item;
use florin_ledger::id::Timestamp;
use florin_ledger::journal::Record;
use florin_ledger::object::Account;
use florin_ledger::state::{Expiry, LedgerMeta};
use std::sync::Arc;

/// What a scrub read and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Journal records whose hash and chain were verified.
    pub records: u64,
    /// Accounts compared with their newest entry.
    pub accounts: u64,
    /// Entries read.
    pub entries: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong, for people; empty if nothing is. At most 100.
    pub problems: Vec<String>,
}

/// After so many problems a scrub counts no more of them.
const PROBLEMS: usize = 100;

/// Told how many bytes were read since it was last asked: it may take its time, and says whether
/// to go on.
pub(super) type Pace<'a> = dyn FnMut(u64) -> bool + 'a;

/// Scrubs the persisted part while it may be written. Nothing if it was given up, or if a snapshot
/// took the tree's place meanwhile. Only a moment of the core's lock is taken.
pub(super) fn scrub(shared: &Shared, pace: &mut Pace<'_>) -> Option<ScrubReport> {
    let tree = shared.core.read().tree.clone();
    let report = scrub_tree(&*tree, pace)?;
    Arc::ptr_eq(&tree, &shared.core.read().tree).then_some(report)
}

/// Scrubs a tree.
pub(super) fn scrub_tree(tree: &dyn Tree, pace: &mut Pace<'_>) -> Option<ScrubReport> {
    let mut scrub = Scrub {
        report: ScrubReport::default(),
        pace,
        given_up: false,
    };
    match read_header(tree) {
        Ok(Some(header)) => {
            scrub_journal(tree, &header, &mut scrub);
            scrub_accounts(tree, &mut scrub);
            scrub_rest(tree, &mut scrub);
        }
        Ok(None) => {}
        Err(error) => scrub.problem(error),
    }
    (!scrub.given_up).then_some(scrub.report)
}

/// A scrub under way.
struct Scrub<'a> {
    report: ScrubReport,
    pace: &'a mut Pace<'a>,
    given_up: bool,
}

impl Scrub<'_> {
    fn problem(&mut self, problem: impl ToString) {
        if self.report.problems.len() < PROBLEMS {
            self.report.problems.push(problem.to_string());
        }
    }

    /// Counts what was read. An error ends the walk that it is read in.
    fn read(&mut self, bytes: &[u8]) -> Result<(), BackendError> {
        self.report.bytes += bytes.len() as u64;
        if self.given_up || !(self.pace)(bytes.len() as u64) {
            self.given_up = true;
            return Err(BackendError::Damaged("not read: given up".to_owned()));
        }
        Ok(())
    }
}

fn scrub_journal(tree: &dyn Tree, header: &Header, scrub: &mut Scrub<'_>) {
    let mut chain = [0; 32];
    let walked = journal::visit(tree, Timestamp(0), header.meta.time, |time, bytes| {
        scrub.read(bytes)?;
        scrub.report.records += 1;
        match Record::decode(bytes) {
            Ok(record) => {
                if record.previous() != chain {
                    scrub.problem(format!("chain: broken at the record of {}", time.rfc3339()));
                }
                if record.time() != time {
                    scrub.problem(format!("journal: another record at {}", time.rfc3339()));
                }
                chain = record.hash();
            }
            Err(error) => {
                scrub.problem(format!(
                    "journal: the record of {}: {error}",
                    time.rfc3339()
                ));
            }
        }
        Ok::<(), BackendError>(())
    });
    match walked {
        Err(error) => scrub.problem(error),
        Ok(()) if chain != header.meta.chain => {
            scrub.problem("chain: the journal does not end where the header says");
        }
        Ok(()) => {}
    }
}

/// An account and its newest entry are written in one batch, so they agree whenever they are read,
/// as long as the entry looked for is the account's own newest.
fn scrub_accounts(tree: &dyn Tree, scrub: &mut Scrub<'_>) {
    let walked = visit_sort(tree, tag::ACCOUNT, |key, value| {
        scrub.read(value)?;
        scrub.report.accounts += 1;
        let Key::Account(ledger, id) = key else {
            return Ok(());
        };
        let account: Account = object::decode_value(value)?;
        let newest = newest_entry(tree, ledger, id, account.sequence)?;
        let agrees = match newest {
            Some(entry) => entry.sequence == account.sequence && entry.totals == account.totals,
            None => account.sequence == 0,
        };
        if !agrees {
            scrub.problem(format!(
                "account {} does not agree with its newest entry",
                id.display(florin_ledger::id::prefix::ACCOUNT)
            ));
        }
        Ok::<(), BackendError>(())
    });
    if let Err(error) = walked {
        scrub.problem(error);
    }
}

fn scrub_rest(tree: &dyn Tree, scrub: &mut Scrub<'_>) {
    let sorts = [
        tag::LEDGER,
        tag::OBJECT,
        tag::EXPIRY,
        tag::DIRECTORY,
        tag::REFERENCE,
        tag::ENTRIES,
        tag::LIST,
    ];
    for sort in sorts {
        let walked = visit_sort(tree, sort, |key, value| {
            scrub.read(value)?;
            if let Err(error) = decodes(&key, value, &mut scrub.report.entries) {
                scrub.problem(format!("{key:?}: {error}"));
            }
            Ok::<(), BackendError>(())
        });
        if let Err(error) = walked {
            scrub.problem(error);
        }
    }
}

fn decodes(key: &Key, value: &[u8], entries: &mut u64) -> Result<(), BackendError> {
    match key {
        Key::Ledger(_) => object::decode_value::<LedgerMeta>(value).map(drop),
        Key::Object(_, kind, _) => object::decode(*kind, value).map(drop),
        Key::Expiry(..) => object::decode_value::<Expiry>(value).map(drop),
        Key::Directory(..) => object::decode_value::<Item>(value).map(drop),
        Key::Reference(_) => object::decode_id(value).map(drop),
        Key::List(..) => decode_ids(value).map(drop),
        Key::Entries(_, _, first) => {
            *entries += decode_entries(*first, value)?.len() as u64;
            Ok(())
        }
        _ => Ok(()),
    }
}
