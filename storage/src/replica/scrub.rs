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

/// Scrubs the persisted part while it may be written.
pub(super) fn scrub(shared: &Shared) -> ScrubReport {
    let tree = shared.core.read().tree.clone();
    scrub_tree(&*tree)
}

/// Scrubs a tree.
pub(super) fn scrub_tree(tree: &dyn Tree) -> ScrubReport {
    let mut report = ScrubReport::default();
    match read_header(tree) {
        Ok(Some(header)) => {
            scrub_journal(tree, &header, &mut report);
            scrub_accounts(tree, &mut report);
            scrub_rest(tree, &mut report);
        }
        Ok(None) => {}
        Err(error) => report.problem(error),
    }
    report
}

impl ScrubReport {
    fn problem(&mut self, problem: impl ToString) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(problem.to_string());
        }
    }
}

fn scrub_journal(tree: &dyn Tree, header: &Header, report: &mut ScrubReport) {
    let mut chain = [0; 32];
    let walked = journal::visit(tree, Timestamp(0), header.meta.time, |time, bytes| {
        report.records += 1;
        report.bytes += bytes.len() as u64;
        match Record::decode(bytes) {
            Ok(record) => {
                if record.previous() != chain {
                    report.problem(format!("chain: broken at the record of {}", time.rfc3339()));
                }
                if record.time() != time {
                    report.problem(format!("journal: another record at {}", time.rfc3339()));
                }
                chain = record.hash();
            }
            Err(error) => {
                report.problem(format!(
                    "journal: the record of {}: {error}",
                    time.rfc3339()
                ));
            }
        }
        Ok::<(), BackendError>(())
    });
    match walked {
        Err(error) => report.problem(error),
        Ok(()) if chain != header.meta.chain => {
            report.problem("chain: the journal does not end where the header says");
        }
        Ok(()) => {}
    }
}

/// An account and its newest entry are written in one batch, so they agree whenever they are read,
/// as long as the entry looked for is the account's own newest.
fn scrub_accounts(tree: &dyn Tree, report: &mut ScrubReport) {
    let walked = visit_sort(tree, tag::ACCOUNT, |key, value| {
        report.accounts += 1;
        report.bytes += value.len() as u64;
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
            report.problem(format!(
                "account {} does not agree with its newest entry",
                id.display(florin_ledger::id::prefix::ACCOUNT)
            ));
        }
        Ok::<(), BackendError>(())
    });
    if let Err(error) = walked {
        report.problem(error);
    }
}

fn scrub_rest(tree: &dyn Tree, report: &mut ScrubReport) {
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
            report.bytes += value.len() as u64;
            if let Err(error) = decodes(&key, value, &mut report.entries) {
                report.problem(format!("{key:?}: {error}"));
            }
            Ok::<(), BackendError>(())
        });
        if let Err(error) = walked {
            report.problem(error);
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
