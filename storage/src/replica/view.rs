//! Reads over what is unwritten and what is written, as if it were one.
//!
//! What is newest lies in front, then what is just being written, then the tree. A read error is
//! fatal: a replica that takes an object for absent decides differently from the others.

use super::backend::Tree;
use super::error::BackendError;
use super::journal::Journal;
use super::key::Key;
use super::object;
use super::overlay::{Object, Overlay};
use super::written;
use bytes::Bytes;
use florin_ledger::effect::Effect;
use florin_ledger::id::{Id, LedgerId, Position, Timestamp};
use florin_ledger::journal::Record;
use florin_ledger::object::{Account, Entry, Kind, Payment, Refund, Transfer};
use florin_ledger::state::{Expiry, LedgerMeta};
use florin_ledger::store::{Records, Store};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What to do when a read fails.
pub(super) type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// What lies below the changes in front.
#[derive(Clone, Copy)]
pub(super) struct Below<'a> {
    /// Being written just now; in the tree as well once that is done.
    pub(super) frozen: Option<&'a Overlay>,
    pub(super) tree: &'a dyn Tree,
    pub(super) journal: &'a Journal,
    /// Up to where the tree was written. A record of a later time is left over from a write that
    /// a crash cut short: it is not applied yet, and must not be seen before it is again.
    pub(super) written: Timestamp,
    pub(super) on_fatal: &'a OnFatal,
}

/// Reads.
pub(super) struct View<'a> {
    pub(super) front: &'a Overlay,
    pub(super) below: Below<'a>,
}

/// Reads and writes, for apply.
pub(super) struct Writer<'a> {
    pub(super) front: &'a mut Overlay,
    pub(super) below: Below<'a>,
}

impl View<'_> {
    /// Newest first.
    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        std::iter::once(self.front).chain(self.below.frozen)
    }

    fn sure<T>(&self, read: Result<T, BackendError>) -> T {
        match read {
            Ok(value) => value,
            Err(error) => {
                (self.below.on_fatal)(&format!("cannot read the ledger store: {error}"));
                panic!("cannot read the ledger store: {error}");
            }
        }
    }

    fn record(&self, time: Timestamp) -> Option<Bytes> {
        if let Some(record) = self.overlays().find_map(|it| it.journal.get(&time)) {
            return Some(record.clone());
        }
        if time > self.below.written {
            return None;
        }
        self.sure(self.below.journal.read(self.below.tree, time))
    }

    fn in_record<T>(
        &self,
        position: Position,
        read: impl Fn(&Record<'_>, u16) -> Option<T>,
    ) -> Option<T> {
        let Position { time, ordinal } = position;
        let record = self.record(time)?;
        let record = self.sure(
            Record::decode_trusted(&record)
                .map_err(|error| BackendError::Damaged(error.to_string())),
        );
        read(&record, ordinal)
    }

    /// The object as it was changed; none if it is as it was made, or is not at all.
    fn changed(&self, ledger: LedgerId, kind: Kind, id: Id) -> Option<Object> {
        if let Some(object) = self
            .overlays()
            .find_map(|overlay| overlay.object(ledger, kind, id))
        {
            return Some(object.clone());
        }
        if id.position().time > self.below.written {
            return None;
        }
        let value = self.sure(self.below.tree.get(&Key::Object(ledger, kind, id).encode()))?;
        Some(self.sure(object::decode(kind, &value)))
    }
}

/// The part of sorted items whose numbers lie in a range.
fn part<'a, T, N: Ord>(
    items: &'a [T],
    range: &RangeInclusive<N>,
    number: impl Fn(&T) -> N,
) -> &'a [T] {
    let from = items.partition_point(|item| number(item) < *range.start());
    let to = items.partition_point(|item| number(item) <= *range.end());
    items.get(from..to).unwrap_or_default()
}

/// No more of sorted items than are asked for: what is unwritten may be long.
fn end<T>(items: &[T], newest_first: bool, limit: usize) -> &[T] {
    let (from, to) = if newest_first {
        (items.len().saturating_sub(limit), items.len())
    } else {
        (0, limit.min(items.len()))
    };
    items.get(from..to).unwrap_or_default()
}

/// Puts parts, oldest first, into one answer; the oldest part is read only if it is needed.
fn join<T: Copy>(
    unwritten: [&[T]; 2],
    newest_first: bool,
    limit: usize,
    written: impl FnOnce(usize) -> Vec<T>,
) -> Vec<T> {
    let [frozen, front] = unwritten;
    if newest_first {
        let newest = front.iter().rev().chain(frozen.iter().rev()).copied();
        let mut items: Vec<T> = newest.take(limit).collect();
        if items.len() < limit {
            items.extend(written(limit - items.len()));
        }
        items
    } else {
        let mut items = written(limit);
        let newer = frozen.iter().chain(front).copied();
        items.extend(newer.take(limit.saturating_sub(items.len())));
        items
    }
}

impl Records for View<'_> {
    fn transfer(&self, ledger: LedgerId, id: Id) -> Option<Transfer> {
        match self.changed(ledger, Kind::Transfer, id) {
            Some(Object::Transfer(transfer)) => Some(transfer),
            _ => self
                .in_record(id.position(), |record, ordinal| {
                    record.transfer(ledger, ordinal)
                })
                .filter(|made| made.id == id),
        }
    }

    fn payment(&self, ledger: LedgerId, id: Id) -> Option<Payment> {
        match self.changed(ledger, Kind::Payment, id) {
            Some(Object::Payment(payment)) => Some(payment),
            _ => self
                .in_record(id.position(), |record, ordinal| {
                    record.payment(ledger, ordinal)
                })
                .filter(|made| made.id == id),
        }
    }

    fn refund(&self, ledger: LedgerId, id: Id) -> Option<Refund> {
        match self.changed(ledger, Kind::Refund, id) {
            Some(Object::Refund(refund)) => Some(refund),
            _ => self
                .in_record(id.position(), |record, ordinal| {
                    record.refund(ledger, ordinal)
                })
                .filter(|made| made.id == id),
        }
    }

    fn reference(&self, ledger: LedgerId, kind: Kind, reference: &str) -> Option<Id> {
        let key = Key::of_reference(ledger, kind, reference).encode();
        if let Some(id) = self.overlays().find_map(|it| it.references.get(&key)) {
            return Some(*id);
        }
        let value = self.sure(self.below.tree.get(&key))?;
        let id = self.sure(object::decode_id(&value));
        // As with records: left over by a crash, and not taken yet.
        (id.position().time <= self.below.written).then_some(id)
    }

    fn effect(&self, _ledger: LedgerId, position: Position) -> Option<Effect> {
        self.in_record(position, |record, ordinal| record.effect(ordinal))
    }

    fn entries(
        &self,
        ledger: LedgerId,
        account: Id,
        range: RangeInclusive<u64>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Entry> {
        let unwritten = |overlay: Option<&Overlay>| -> Vec<Entry> {
            let all = overlay.and_then(|it| it.entries(ledger, account));
            let read = all.map(|all| self.sure(all.read(&range, newest_first, limit)));
            read.unwrap_or_default()
        };
        let first = self
            .overlays()
            .filter_map(|it| it.entries(ledger, account)?.first())
            .min();
        let (frozen, front) = (unwritten(self.below.frozen), unwritten(Some(self.front)));
        join([&frozen, &front], newest_first, limit, |limit| {
            let to = first.map_or(*range.end(), |it| it.saturating_sub(1).min(*range.end()));
            let range = *range.start()..=to;
            if range.is_empty() {
                return Vec::new();
            }
            self.sure(written::entries(
                self.below.tree,
                ledger,
                account,
                range,
                newest_first,
                limit,
            ))
        })
    }

    fn list(
        &self,
        ledger: LedgerId,
        kind: Kind,
        range: RangeInclusive<Id>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Id> {
        let unwritten = |overlay: Option<&Overlay>| -> Vec<Id> {
            let all = overlay.and_then(|it| it.list(ledger, kind));
            let inside = part(all.unwrap_or_default(), &range, |id| *id);
            end(inside, newest_first, limit).to_vec()
        };
        let first = self
            .overlays()
            .filter_map(|it| it.list(ledger, kind)?.first())
            .min();
        let (frozen, front) = (unwritten(self.below.frozen), unwritten(Some(self.front)));
        join([&frozen, &front], newest_first, limit, |limit| {
            let to = first.map_or(*range.end(), |it| {
                Id(it.0.saturating_sub(1)).min(*range.end())
            });
            let range = *range.start()..=to;
            if range.is_empty() {
                return Vec::new();
            }
            self.sure(written::ids(
                self.below.tree,
                ledger,
                kind,
                range,
                newest_first,
                limit,
            ))
        })
    }
}

impl Writer<'_> {
    fn view(&self) -> View<'_> {
        View {
            front: self.front,
            below: self.below,
        }
    }
}

impl Records for Writer<'_> {
    fn transfer(&self, ledger: LedgerId, id: Id) -> Option<Transfer> {
        self.view().transfer(ledger, id)
    }

    fn payment(&self, ledger: LedgerId, id: Id) -> Option<Payment> {
        self.view().payment(ledger, id)
    }

    fn refund(&self, ledger: LedgerId, id: Id) -> Option<Refund> {
        self.view().refund(ledger, id)
    }

    fn reference(&self, ledger: LedgerId, kind: Kind, reference: &str) -> Option<Id> {
        self.view().reference(ledger, kind, reference)
    }

    fn effect(&self, ledger: LedgerId, position: Position) -> Option<Effect> {
        self.view().effect(ledger, position)
    }

    fn entries(
        &self,
        ledger: LedgerId,
        account: Id,
        range: RangeInclusive<u64>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Entry> {
        self.view()
            .entries(ledger, account, range, newest_first, limit)
    }

    fn list(
        &self,
        ledger: LedgerId,
        kind: Kind,
        range: RangeInclusive<Id>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Id> {
        self.view().list(ledger, kind, range, newest_first, limit)
    }
}

impl Store for Writer<'_> {
    fn put_account(&mut self, ledger: LedgerId, account: &Account) {
        self.front.put_account(ledger, account);
    }

    fn put_transfer(&mut self, ledger: LedgerId, transfer: Transfer, derivable: bool) {
        let (id, object) = (transfer.id, Object::Transfer(transfer));
        self.front
            .put_object(ledger, Kind::Transfer, id, object, derivable);
    }

    fn put_payment(&mut self, ledger: LedgerId, payment: Payment, derivable: bool) {
        let (id, object) = (payment.id, Object::Payment(payment));
        self.front
            .put_object(ledger, Kind::Payment, id, object, derivable);
    }

    fn put_refund(&mut self, ledger: LedgerId, refund: Refund, derivable: bool) {
        let (id, object) = (refund.id, Object::Refund(refund));
        self.front
            .put_object(ledger, Kind::Refund, id, object, derivable);
    }

    fn put_reference(&mut self, ledger: LedgerId, kind: Kind, reference: &str, id: Id) {
        self.front.put_reference(ledger, kind, reference, id);
    }

    fn add_entry(&mut self, ledger: LedgerId, account: Id, entry: Entry) {
        self.front.add_entry(ledger, account, entry);
    }

    fn add_to_list(&mut self, ledger: LedgerId, kind: Kind, id: Id) {
        self.front.add_to_list(ledger, kind, id);
    }

    fn put_directory(&mut self, item: florin_ledger::directory::Item) {
        self.front.put_directory(item);
    }

    fn put_ledger(&mut self, ledger: LedgerId, meta: &LedgerMeta) {
        self.front.put_ledger(ledger, meta);
    }

    fn put_expiry(&mut self, expiry: &Expiry) {
        self.front.put_expiry(expiry, true);
    }

    fn remove_expiry(&mut self, expiry: &Expiry) {
        self.front.put_expiry(expiry, false);
    }

    fn put_record(&mut self, time: Timestamp, record: Vec<u8>) {
        self.front.put_record(time, record);
    }
}
