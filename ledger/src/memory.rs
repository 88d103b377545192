//! A store in memory, for tests and simulation.

use crate::directory::Item;
use crate::effect::Effect;
use crate::id::{Id, LedgerId, Position, Timestamp};
use crate::object::{Account, Entry, Kind, Payment, Refund, Transfer};
use crate::state::{Expiry, LedgerMeta};
use crate::store::{Records, Store};
use std::ops::RangeInclusive;

/// Keeps everything.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {}

impl MemoryStore {
    /// An empty store that keeps every object.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// An empty store that forgets derivable objects once it has their record, as a store on disk does.
    pub fn forgetful() -> MemoryStore {
        MemoryStore::default()
    }

    /// The journal records in order.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    /// A state built from what is stored, as after a restart. None if nothing was ever applied.
    pub fn restore(
        &self,
        _settings: crate::state::GroupSettings,
        _group: crate::id::GroupId,
    ) -> crate::state::State {
        todo!()
    }
}

impl Records for MemoryStore {
    fn transfer(&self, _ledger: LedgerId, _id: Id) -> Option<Transfer> {
        todo!()
    }
    fn payment(&self, _ledger: LedgerId, _id: Id) -> Option<Payment> {
        todo!()
    }
    fn refund(&self, _ledger: LedgerId, _id: Id) -> Option<Refund> {
        todo!()
    }
    fn reference(&self, _ledger: LedgerId, _kind: Kind, _reference: &str) -> Option<Id> {
        todo!()
    }
    fn effect(&self, _ledger: LedgerId, _position: Position) -> Option<Effect> {
        todo!()
    }
    fn entries(
        &self,
        _l: LedgerId,
        _account: Id,
        _range: RangeInclusive<u64>,
        _newest_first: bool,
        _limit: usize,
    ) -> Vec<Entry> {
        todo!()
    }
    fn list(
        &self,
        _l: LedgerId,
        _kind: Kind,
        _range: RangeInclusive<Id>,
        _newest_first: bool,
        _limit: usize,
    ) -> Vec<Id> {
        todo!()
    }
}

impl Store for MemoryStore {
    fn put_account(&mut self, _ledger: LedgerId, _account: &Account) {
        todo!()
    }
    fn put_transfer(&mut self, _ledger: LedgerId, _transfer: Transfer, _derivable: bool) {
        todo!()
    }
    fn put_payment(&mut self, _ledger: LedgerId, _payment: Payment, _derivable: bool) {
        todo!()
    }
    fn put_refund(&mut self, _ledger: LedgerId, _refund: Refund, _derivable: bool) {
        todo!()
    }
    fn put_reference(&mut self, _ledger: LedgerId, _kind: Kind, _reference: &str, _id: Id) {
        todo!()
    }
    fn add_entry(&mut self, _ledger: LedgerId, _account: Id, _entry: Entry) {
        todo!()
    }
    fn add_to_list(&mut self, _ledger: LedgerId, _kind: Kind, _id: Id) {
        todo!()
    }
    fn put_directory(&mut self, _item: Item) {
        todo!()
    }
    fn put_ledger(&mut self, _ledger: LedgerId, _meta: &LedgerMeta) {
        todo!()
    }
    fn put_expiry(&mut self, _expiry: &Expiry) {
        todo!()
    }
    fn remove_expiry(&mut self, _expiry: &Expiry) {
        todo!()
    }
    fn put_record(&mut self, _time: Timestamp, _record: Vec<u8>) {
        todo!()
    }
}
