//! One number for everything that replicas must agree on.

use super::State;
use crate::command::write;
use serde::Serialize;

/// Hashed at a time.
const CHUNK: usize = 64 * 1024;

impl State {
    /// BLAKE3 over everything that replicas must agree on: time, chain, settings, accounts,
    /// ledgers, waiting expiries, remembered keys, directory. Reads all of it: for checks, not for
    /// every payment.
    pub fn hash(&self) -> [u8; 32] {
        let mut digest = Digest::default();
        digest.add(&self.meta);
        digest.section("accounts");
        for (ledger, account) in self.accounts.sorted() {
            digest.add(&(ledger, account));
        }
        digest.section("ledgers");
        for book in self.books.sorted() {
            digest.add(&(book.ledger, &book.meta));
        }
        digest.section("expiries");
        for expiry in &self.expiries {
            digest.add(expiry);
        }
        digest.section("keys");
        for words in self.keys.iter(self.horizon()) {
            digest.add(words);
        }
        digest.section("directory");
        digest.add(&self.directory);
        digest.finish()
    }
}

#[derive(Default)]
struct Digest {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Digest {
    fn add<T: Serialize>(&mut self, value: &T) {
        self.buffer = write(value, std::mem::take(&mut self.buffer));
        if self.buffer.len() >= CHUNK {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    /// Keeps what belongs to one part from being read as the next.
    fn section(&mut self, name: &str) {
        self.add(&(0_u8, name));
    }

    fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.buffer);
        *self.hasher.finalize().as_bytes()
    }
}
