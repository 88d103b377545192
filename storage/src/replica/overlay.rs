//! Changes that are applied but not written yet.

use super::chunk::EntryChunks;
use super::key::Key;
use bytes::Bytes;
use florin_ledger::directory::Item;
use florin_ledger::id::{Id, LedgerId, Timestamp};
use florin_ledger::object::{Account, Entry, Kind, Payment, Refund, Transfer};
use florin_ledger::state::{Expiry, LedgerMeta};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are identifiers: their bits are given out by the group itself, so a plain
/// multiplication spreads them well enough, at a fraction of the default hasher's cost.
pub(super) type ById<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// An object that lists are made of, accounts apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    Transfer(Transfer),
    Payment(Payment),
    Refund(Refund),
}

/// Everything that one persist writes.
#[derive(Default)]
pub(super) struct Overlay {
    pub(super) accounts: ById<(LedgerId, Id), Moved>,
    pub(super) ledgers: ById<LedgerId, Book>,
    /// Objects that are no longer what their creation says.
    pub(super) objects: ById<(LedgerId, Kind, Id), Object>,
    /// Objects of the batch that is being applied; its record takes over from them.
    fresh: Fresh,
    /// By encoded key.
    pub(super) references: ById<Vec<u8>, Id>,
    pub(super) journal: BTreeMap<Timestamp, Bytes>,
    /// What waits, and what no longer does.
    pub(super) expiries: ById<(LedgerId, Id), Option<Expiry>>,
    /// By encoded key.
    pub(super) directory: BTreeMap<Vec<u8>, Item>,
    /// About how much memory all of it takes.
    pub(super) bytes: usize,
}

/// An account that was opened or whose totals moved. The last of its entries says the totals, and
/// nothing else of an account ever changes: what a payment touches here stays small.
#[derive(Default)]
pub(super) struct Moved {
    /// As it was opened, if that is not written yet.
    pub(super) opened: Option<Box<Account>>,
    pub(super) entries: EntryChunks,
}

/// What happened in a ledger, in one place for the same reason.
#[derive(Default)]
pub(super) struct Book {
    pub(super) meta: Option<LedgerMeta>,
    /// Objects that were made, by kind.
    lists: [Vec<Id>; KINDS.len()],
}

const KINDS: [Kind; 4] = [Kind::Account, Kind::Transfer, Kind::Payment, Kind::Refund];

impl Book {
    fn list(&self, kind: Kind) -> &[Id] {
        self.lists.get(kind as usize).map_or(&[], Vec::as_slice)
    }

    /// Each kind's objects.
    pub(super) fn lists(&self) -> impl Iterator<Item = (Kind, &[Id])> {
        KINDS.into_iter().map(|kind| (kind, self.list(kind)))
    }
}

impl Overlay {
    pub(super) fn put_account(&mut self, ledger: LedgerId, account: &Account) {
        self.bytes += 320 + 64 * account.metadata.len();
        let opened = Some(Box::new(account.clone()));
        self.moved(ledger, account.id).opened = opened;
    }

    fn moved(&mut self, ledger: LedgerId, account: Id) -> &mut Moved {
        let bytes = &mut self.bytes;
        self.accounts.entry((ledger, account)).or_insert_with(|| {
            *bytes += 320;
            Moved::default()
        })
    }

    pub(super) fn put_ledger(&mut self, ledger: LedgerId, meta: &LedgerMeta) {
        let known = &mut self.ledgers.entry(ledger).or_default().meta;
        let known = known.get_or_insert_default();
        known.sequence = meta.sequence;
        // They are only ever added.
        if known.merchants.len() != meta.merchants.len() {
            known.merchants.clone_from(&meta.merchants);
        }
    }

    pub(super) fn put_object(
        &mut self,
        ledger: LedgerId,
        kind: Kind,
        id: Id,
        object: Object,
        derivable: bool,
    ) {
        let key = (ledger, kind, id);
        if derivable {
            return self.fresh.put(key, object);
        }
        self.fresh.remove(&key);
        if self.objects.insert(key, object).is_none() {
            self.bytes += 512;
        }
    }

    pub(super) fn put_reference(&mut self, ledger: LedgerId, kind: Kind, text: &str, id: Id) {
        self.bytes += 96;
        self.references
            .insert(Key::of_reference(ledger, kind, text).encode(), id);
    }

    pub(super) fn add_entry(&mut self, ledger: LedgerId, account: Id, entry: Entry) {
        let bytes = self.moved(ledger, account).entries.push(entry);
        self.bytes += bytes;
    }

    pub(super) fn entries(&self, ledger: LedgerId, account: Id) -> Option<&EntryChunks> {
        Some(&self.accounts.get(&(ledger, account))?.entries)
    }

    pub(super) fn add_to_list(&mut self, ledger: LedgerId, kind: Kind, id: Id) {
        self.bytes += size_of::<Id>();
        let book = self.ledgers.entry(ledger).or_default();
        let Some(ids) = book.lists.get_mut(kind as usize) else {
            unreachable!("there is a list for each kind");
        };
        if let Some(last) = ids.last() {
            assert!(*last < id, "lists grow");
        }
        ids.push(id);
    }

    pub(super) fn list(&self, ledger: LedgerId, kind: Kind) -> Option<&[Id]> {
        Some(self.ledgers.get(&ledger)?.list(kind))
    }

    pub(super) fn put_expiry(&mut self, expiry: &Expiry, waits: bool) {
        self.bytes += 160;
        let key = (expiry.ledger, expiry.transfer);
        self.expiries.insert(key, waits.then_some(*expiry));
    }

    pub(super) fn put_directory(&mut self, item: Item) {
        self.bytes += 512;
        self.directory.insert(Key::of_item(&item).encode(), item);
    }

    pub(super) fn put_record(&mut self, time: Timestamp, record: Vec<u8>) {
        self.bytes += 64 + record.len();
        let known = self.journal.insert(time, Bytes::from(record));
        assert!(known.is_none(), "time: a batch of that time is applied");
        self.fresh.clear();
    }

    pub(super) fn object(&self, ledger: LedgerId, kind: Kind, id: Id) -> Option<&Object> {
        let key = (ledger, kind, id);
        // What is being applied is newer than what was applied before it.
        self.fresh.get(&key).or_else(|| self.objects.get(&key))
    }
}

/// Objects in the order of their identifiers, which is the order in which a batch makes them.
#[derive(Default)]
struct Fresh(Vec<((LedgerId, Kind, Id), Option<Object>)>);

impl Fresh {
    fn put(&mut self, key: (LedgerId, Kind, Id), object: Object) {
        match self.find(&key) {
            Ok(at) => drop(self.0.get_mut(at).and_then(|it| it.1.replace(object))),
            Err(at) => self.0.insert(at, (key, Some(object))),
        }
    }

    fn remove(&mut self, key: &(LedgerId, Kind, Id)) {
        if let Ok(at) = self.find(key) {
            drop(self.0.get_mut(at).and_then(|it| it.1.take()));
        }
    }

    fn get(&self, key: &(LedgerId, Kind, Id)) -> Option<&Object> {
        let at = self.find(key).ok()?;
        self.0.get(at)?.1.as_ref()
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    /// Where it is, or where it belongs: at the end, nearly always.
    fn find(&self, (ledger, kind, id): &(LedgerId, Kind, Id)) -> Result<usize, usize> {
        let wanted = (id, kind, ledger);
        match self.0.last() {
            Some(((ledger, kind, id), _)) if (id, kind, ledger) < wanted => Err(self.0.len()),
            None => Err(0),
            Some(_) => self
                .0
                .binary_search_by(|((ledger, kind, id), _)| (id, kind, ledger).cmp(&wanted)),
        }
    }
}

/// Multiplies and rotates what it is given.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(part) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u128(&mut self, number: u128) {
        self.write_u64(number as u64);
        self.write_u64((number >> 64) as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}
