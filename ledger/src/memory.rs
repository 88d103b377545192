//! A store in memory, for tests and simulation.

use crate::directory::Item;
use crate::effect::Effect;
use crate::id::{GroupId, Id, LedgerId, Position, Timestamp};
use crate::journal::Record;
use crate::object::{Account, Entry, Kind, Payment, Refund, Transfer};
use crate::state::{Expiry, GroupMeta, GroupSettings, LedgerMeta, State};
use crate::store::{Records, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Objects of one kind.
type Objects<T> = BTreeMap<(LedgerId, Id), T>;

/// Keeps everything.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    forgetful: bool,
    accounts: Objects<Account>,
    transfers: Objects<(Transfer, bool)>,
    payments: Objects<(Payment, bool)>,
    refunds: Objects<(Refund, bool)>,
    references: BTreeMap<(LedgerId, Kind, Box<str>), Id>,
    entries: BTreeMap<(LedgerId, Id, u64), Entry>,
    lists: BTreeSet<(LedgerId, Kind, Id)>,
    ledgers: BTreeMap<LedgerId, LedgerMeta>,
    expiries: BTreeSet<Expiry>,
    directory: Vec<Item>,
    records: BTreeMap<Timestamp, Vec<u8>>,
}

impl MemoryStore {
    /// An empty store that keeps every object.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// An empty store that forgets derivable objects once it has their record, as a store on disk
    /// does, and reads them from there again.
    pub fn forgetful() -> MemoryStore {
        MemoryStore {
            forgetful: true,
            ..MemoryStore::default()
        }
    }

    /// The journal records in order.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.values().map(Vec::as_slice)
    }

    /// A state built from what is stored, as after a restart.
    pub fn restore(&self, group: GroupId, settings: GroupSettings) -> State {
        let newest = self.records.values().next_back();
        let newest = newest.and_then(|bytes| Record::decode(bytes).ok());
        let Some(newest) = newest else {
            return State::new(group, settings);
        };
        let (time, chain) = (newest.time(), newest.hash());
        let mut state = State::restore(GroupMeta {
            group,
            time,
            chain,
            settings,
        });
        for (ledger, meta) in &self.ledgers {
            state.restore_ledger(*ledger, meta.clone());
        }
        for ((ledger, _), account) in &self.accounts {
            state.restore_account(*ledger, account.clone());
        }
        for expiry in &self.expiries {
            state.restore_expiry(*expiry);
        }
        for item in &self.directory {
            state.restore_directory(item.clone());
        }
        for record in self.records.range(state.remembers_from()..) {
            if let Ok(record) = Record::decode(record.1) {
                state.remember(&record);
            }
        }
        state
    }

    fn record(&self, time: Timestamp) -> Option<Record<'_>> {
        Record::decode_trusted(self.records.get(&time)?).ok()
    }

    fn find<T: Clone>(
        &self,
        kept: &Objects<(T, bool)>,
        ledger: LedgerId,
        id: Id,
        derive: impl Fn(&Record<'_>, u16) -> Option<(T, Id)>,
    ) -> Option<T> {
        if let Some((object, _)) = kept.get(&(ledger, id)) {
            return Some(object.clone());
        }
        let Position { time, ordinal } = id.position();
        let (object, number) = derive(&self.record(time)?, ordinal)?;
        (number == id).then_some(object)
    }
}

impl Records for MemoryStore {
    fn transfer(&self, ledger: LedgerId, id: Id) -> Option<Transfer> {
        self.find(&self.transfers, ledger, id, |record, ordinal| {
            let transfer = record.transfer(ledger, ordinal)?;
            let id = transfer.id;
            Some((transfer, id))
        })
    }

    fn payment(&self, ledger: LedgerId, id: Id) -> Option<Payment> {
        self.find(&self.payments, ledger, id, |record, ordinal| {
            let payment = record.payment(ledger, ordinal)?;
            let id = payment.id;
            Some((payment, id))
        })
    }

    fn refund(&self, ledger: LedgerId, id: Id) -> Option<Refund> {
        self.find(&self.refunds, ledger, id, |record, ordinal| {
            let refund = record.refund(ledger, ordinal)?;
            let id = refund.id;
            Some((refund, id))
        })
    }

    fn reference(&self, ledger: LedgerId, kind: Kind, reference: &str) -> Option<Id> {
        let key = (ledger, kind, reference.into());
        self.references.get(&key).copied()
    }

    fn effect(&self, _ledger: LedgerId, position: Position) -> Option<Effect> {
        self.record(position.time)?.effect(position.ordinal)
    }

    fn entries(
        &self,
        ledger: LedgerId,
        account: Id,
        range: RangeInclusive<u64>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Entry> {
        if range.is_empty() {
            return Vec::new();
        }
        let range = (ledger, account, *range.start())..=(ledger, account, *range.end());
        let entries = self.entries.range(range).map(|(_, entry)| *entry);
        if newest_first {
            entries.rev().take(limit).collect()
        } else {
            entries.take(limit).collect()
        }
    }

    fn list(
        &self,
        ledger: LedgerId,
        kind: Kind,
        range: RangeInclusive<Id>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Id> {
        if range.is_empty() {
            return Vec::new();
        }
        let range = (ledger, kind, *range.start())..=(ledger, kind, *range.end());
        let ids = self.lists.range(range).map(|(_, _, id)| *id);
        if newest_first {
            ids.rev().take(limit).collect()
        } else {
            ids.take(limit).collect()
        }
    }
}

impl Store for MemoryStore {
    fn put_account(&mut self, ledger: LedgerId, account: &Account) {
        self.accounts.insert((ledger, account.id), account.clone());
    }

    fn put_transfer(&mut self, ledger: LedgerId, transfer: Transfer, derivable: bool) {
        let key = (ledger, transfer.id);
        self.transfers.insert(key, (transfer, derivable));
    }

    fn put_payment(&mut self, ledger: LedgerId, payment: Payment, derivable: bool) {
        let key = (ledger, payment.id);
        self.payments.insert(key, (payment, derivable));
    }

    fn put_refund(&mut self, ledger: LedgerId, refund: Refund, derivable: bool) {
        let key = (ledger, refund.id);
        self.refunds.insert(key, (refund, derivable));
    }

    fn put_reference(&mut self, ledger: LedgerId, kind: Kind, reference: &str, id: Id) {
        self.references.insert((ledger, kind, reference.into()), id);
    }

    fn add_entry(&mut self, ledger: LedgerId, account: Id, entry: Entry) {
        let Some(moved) = self.accounts.get_mut(&(ledger, account)) else {
            panic!("stored: the account {account:?} moved and was never opened");
        };
        moved.totals = entry.totals;
        moved.sequence = entry.sequence;
        let key = (ledger, account, entry.sequence);
        let former = self.entries.insert(key, entry);
        assert!(former.is_none(), "gapless: an entry's sequence came twice");
    }

    fn add_to_list(&mut self, ledger: LedgerId, kind: Kind, id: Id) {
        let added = self.lists.insert((ledger, kind, id));
        assert!(added, "identifiers: an object was made twice");
    }

    fn put_directory(&mut self, item: Item) {
        self.directory.push(item);
    }

    fn put_ledger(&mut self, ledger: LedgerId, meta: &LedgerMeta) {
        self.ledgers.insert(ledger, meta.clone());
    }

    fn put_expiry(&mut self, expiry: &Expiry) {
        self.expiries.insert(*expiry);
    }

    fn remove_expiry(&mut self, expiry: &Expiry) {
        self.expiries.remove(expiry);
    }

    fn put_record(&mut self, time: Timestamp, record: Vec<u8>) {
        self.records.insert(time, record);
        if self.forgetful {
            self.transfers.retain(|_, (_, derivable)| !*derivable);
            self.payments.retain(|_, (_, derivable)| !*derivable);
            self.refunds.retain(|_, (_, derivable)| !*derivable);
        }
    }
}
