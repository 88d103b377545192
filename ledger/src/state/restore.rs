//! A state built again from what a store kept.

use super::{Expiry, GroupMeta, LedgerMeta, State};
use crate::command::decode_head;
use crate::directory::Item;
use crate::id::{LedgerId, Timestamp};
use crate::invariants;
use crate::journal::{self, Record};
use crate::object::Account;
use crate::state::accounts::Accounts;
use crate::state::book::Books;
use crate::state::keys::{Keys, short};
use std::collections::BTreeSet;

impl State {
    /// Begins to restore a state: see the module's page for the order.
    pub fn restore(meta: GroupMeta) -> State {
        State {
            meta,
            directory: Default::default(),
            books: Books::default(),
            accounts: Accounts::default(),
            keys: Keys::new(),
            expiries: BTreeSet::new(),
        }
    }

    /// Restores what [`crate::store::Store::put_ledger`] stored last.
    pub fn restore_ledger(&mut self, ledger: LedgerId, meta: LedgerMeta) {
        let book = self.books.open(ledger);
        self.books.get_mut(book).meta = meta;
    }

    /// Restores what [`crate::store::Store::put_account`] stored, with the totals and the sequence of
    /// its last entry.
    pub fn restore_account(&mut self, ledger: LedgerId, account: Account) {
        let book = self.books.open(ledger);
        let (currency, totals) = (account.currency, account.totals);
        let (_, former) = self.accounts.put(ledger, account);
        let sums = self.books.get_mut(book).sums(currency);
        *sums = invariants::replaced(*sums, former, totals);
    }

    /// Restores an expiry that was put and not removed.
    pub fn restore_expiry(&mut self, expiry: Expiry) {
        self.expiries.insert(expiry);
    }

    /// Restores an item of the directory.
    pub fn restore_directory(&mut self, item: Item) {
        self.directory.put(item);
    }

    /// The time of the oldest journal record whose keys are still remembered.
    pub fn remembers_from(&self) -> Timestamp {
        let retention = self.meta.settings.key_retention;
        match self.meta.time.0.checked_sub(retention) {
            Some(over) => Timestamp(over + 1),
            None => Timestamp(0),
        }
    }

    /// Remembers the keys of a journal record again. Records come in order of time, each once.
    pub fn remember(&mut self, record: &Record<'_>) {
        let horizon = self.horizon();
        if horizon.passed(record.time()) {
            return;
        }
        for line in record.lines() {
            let journal::Entry::Decided(effect) = &line.entry else {
                continue;
            };
            let Ok((ledger, Some(once))) = decode_head(line.envelope) else {
                continue;
            };
            if effect.is_remembered() {
                let book = self.books.open(ledger);
                let key = self.books.get(book).scoped(&once);
                self.keys
                    .insert(key, short(&once.fingerprint), line.position, horizon);
            }
        }
    }
}
