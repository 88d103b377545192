//! What a group keeps for each ledger.

use super::LedgerMeta;
use super::accounts::FixedMap;
use super::keys::ScopedKey;
use crate::amount::Currency;
use crate::command::Once;
use crate::id::{Id, LedgerId};
use crate::object::Totals;

/// Where a ledger's book lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BookIndex(u32);

/// One ledger's own.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) ledger: LedgerId,
    pub(crate) meta: LedgerMeta,
    /// What its identifiers end with.
    pub(crate) tag: u64,
    /// What its idempotency keys are mixed with, so that no other ledger's are met.
    scope: ScopedKey,
    /// The totals of all accounts together, by currency. They may pass 128 bits where no account
    /// does, so they count modulo 2^128, in which equal sums are equal too.
    pub(crate) sums: Vec<(Currency, Totals)>,
}

impl Book {
    fn new(ledger: LedgerId) -> Book {
        let hash = ledger.hash();
        let mut words = hash.chunks_exact(8).skip(2).map(|word| {
            word.iter()
                .rev()
                .fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
        });
        let mut word = || words.next().unwrap_or_default();
        Book {
            ledger,
            meta: LedgerMeta::default(),
            tag: ledger.tag(),
            scope: [word(), word()],
            sums: Vec::new(),
        }
    }

    /// The key as it is remembered.
    pub(crate) fn scoped(&self, once: &Once) -> ScopedKey {
        let key = u128::from_le_bytes(once.key);
        let [low, high] = self.scope;
        [key as u64 ^ low, (key >> 64) as u64 ^ high]
    }

    /// Whether an identifier may be of this ledger at all.
    pub(crate) fn owns(&self, id: Id) -> bool {
        id.tag() == self.tag
    }

    /// The sums of a currency, zeros if there are none yet.
    pub(crate) fn sums(&mut self, currency: Currency) -> &mut Totals {
        let at = self.sums.iter().position(|(of, _)| *of == currency);
        let at = at.unwrap_or_else(|| {
            self.sums.push((currency, Totals::default()));
            self.sums.len() - 1
        });
        match self.sums.get_mut(at) {
            Some((_, sums)) => sums,
            None => unreachable!("it was found or added"),
        }
    }

    pub(crate) fn merchant(&self, currency: Currency) -> Option<Id> {
        let mut merchants = self.meta.merchants.iter();
        merchants.find(|(of, _)| *of == currency).map(|(_, id)| *id)
    }
}

/// The books of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    books: Vec<Book>,
    index: FixedMap<LedgerId, u32>,
}

impl Books {
    pub(crate) fn find(&self, ledger: LedgerId) -> Option<BookIndex> {
        self.index.get(&ledger).copied().map(BookIndex)
    }

    /// Where the ledger's book lies; opened if there is none yet.
    pub(crate) fn open(&mut self, ledger: LedgerId) -> BookIndex {
        let books = &mut self.books;
        BookIndex(*self.index.entry(ledger).or_insert_with(|| {
            books.push(Book::new(ledger));
            books.len() as u32 - 1
        }))
    }

    pub(crate) fn get(&self, at: BookIndex) -> &Book {
        match self.books.get(at.0 as usize) {
            Some(book) => book,
            None => unreachable!("an index is made for a book that is there"),
        }
    }

    pub(crate) fn get_mut(&mut self, at: BookIndex) -> &mut Book {
        match self.books.get_mut(at.0 as usize) {
            Some(book) => book,
            None => unreachable!("an index is made for a book that is there"),
        }
    }

    /// Those in which anything ever happened, by ledger.
    pub(crate) fn sorted(&self) -> Vec<&Book> {
        let mut all: Vec<_> = self
            .books
            .iter()
            .filter(|book| book.meta.sequence > 0)
            .collect();
        all.sort_unstable_by_key(|book| book.ledger);
        all
    }
}
