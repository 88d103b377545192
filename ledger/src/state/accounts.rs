//! All accounts of a group, found by number.

use crate::id::{Id, LedgerId};
use crate::object::{Account, Totals};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map that hashes alike everywhere and always. Nothing may depend on its order all the same.
pub(crate) type FixedMap<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

/// Hashes numbers that the ledger itself gave out; nobody can choose them to collide.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mix(u64);

impl Mix {
    fn fold(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.fold(u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.fold(word);
    }

    fn write_isize(&mut self, word: isize) {
        self.fold(word as u64);
    }

    fn write_u128(&mut self, word: u128) {
        self.fold((word >> 64) as u64);
        self.fold(word as u64);
    }
}

/// Where an account lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountIndex(u32);

/// The accounts in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    slots: Vec<Slot>,
    index: FixedMap<Id, u32>,
}

#[derive(Clone, Debug)]
struct Slot {
    ledger: LedgerId,
    account: Account,
}

impl Accounts {
    /// Where an account of that ledger lies.
    pub(crate) fn find(&self, ledger: LedgerId, id: Id) -> Option<AccountIndex> {
        let &at = self.index.get(&id)?;
        let slot = self.slots.get(at as usize)?;
        (slot.ledger == ledger).then_some(AccountIndex(at))
    }

    pub(crate) fn get(&self, at: AccountIndex) -> &Account {
        match self.slots.get(at.0 as usize) {
            Some(slot) => &slot.account,
            None => unreachable!("an index is made for an account that is there"),
        }
    }

    pub(crate) fn get_mut(&mut self, at: AccountIndex) -> &mut Account {
        match self.slots.get_mut(at.0 as usize) {
            Some(slot) => &mut slot.account,
            None => unreachable!("an index is made for an account that is there"),
        }
    }

    /// Adds an account, or puts it in the place of its former self, whose totals it returns.
    pub(crate) fn put(&mut self, ledger: LedgerId, account: Account) -> (AccountIndex, Totals) {
        if let Some(at) = self.find(ledger, account.id) {
            let former = std::mem::replace(self.get_mut(at), account);
            return (at, former.totals);
        }
        let at = self.slots.len() as u32;
        assert!(
            at < u32::MAX,
            "a group holds fewer accounts than 32 bits can count"
        );
        assert!(
            self.index.insert(account.id, at).is_none(),
            "identifiers: two ledgers have the same account"
        );
        self.slots.push(Slot { ledger, account });
        (AccountIndex(at), Totals::default())
    }

    /// All of them, by number.
    pub(crate) fn sorted(&self) -> Vec<(LedgerId, &Account)> {
        let mut all: Vec<_> = self
            .slots
            .iter()
            .map(|slot| (slot.ledger, &slot.account))
            .collect();
        all.sort_unstable_by_key(|(_, account)| account.id);
        all
    }
}
