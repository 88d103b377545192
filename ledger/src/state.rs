//! What a group keeps in memory.
//!
//! A store that restarts builds a state again: [`State::restore`] with the stored [`GroupMeta`],
//! then in any order [`State::restore_ledger`], [`State::restore_account`],
//! [`State::restore_expiry`], [`State::restore_directory`], then [`State::remember`] for every
//! journal record from [`State::remembers_from`] on, in order of time; [`State::check`] then says
//! whether the parts fit each other.

use crate::amount::{Amount, Currency};
use crate::command::Once;
use crate::directory::Directory;
use crate::id::{GroupId, Id, LedgerId, Position, Timestamp};
use crate::invariants::{self, Violation};
use crate::limits;
use crate::object::Account;
use accounts::Accounts;
use book::Books;
use keys::{Horizon, Keys};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub(crate) mod accounts;
pub(crate) mod book;
mod hash;
pub(crate) mod keys;
mod restore;

/// The state of one group.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) meta: GroupMeta,
    pub(crate) directory: Directory,
    pub(crate) books: Books,
    pub(crate) accounts: Accounts,
    pub(crate) keys: Keys,
    pub(crate) expiries: BTreeSet<Expiry>,
}

/// What is the group's own rather than a ledger's or an account's. Small; stored with every write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMeta {
    /// Which group.
    pub group: GroupId,
    /// The time of the newest batch.
    pub time: Timestamp,
    /// The hash of the newest journal record; zeros before the first.
    pub chain: [u8; 32],
    /// The same on every replica.
    pub settings: GroupSettings,
}

/// What may differ between groups. Part of the state, for all replicas must agree on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// How long keys are remembered, microseconds of group time.
    pub key_retention: u64,
}

impl Default for GroupSettings {
    fn default() -> GroupSettings {
        GroupSettings {
            key_retention: limits::KEY_RETENTION,
        }
    }
}

/// What is a ledger's own rather than an account's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerMeta {
    /// How many events it has had: accounts opened, transfers, payments and refunds made or
    /// changed. Grows by one with each.
    pub sequence: u64,
    /// The merchant account of each currency that has one, in order of appearance.
    pub merchants: Vec<(Currency, Id)>,
}

/// A pending transfer that waits for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expiry {
    /// When it expires.
    pub at: Timestamp,
    /// The transfer.
    pub transfer: Id,
    /// Its ledger.
    pub ledger: LedgerId,
    /// Debited account.
    pub debit_account: Id,
    /// Credited account.
    pub credit_account: Id,
    /// What is held.
    pub amount: Amount,
}

impl State {
    /// The state of a group before its first batch.
    pub fn new(group: GroupId, settings: GroupSettings) -> State {
        State::restore(GroupMeta {
            group,
            time: Timestamp(0),
            chain: [0; 32],
            settings,
        })
    }

    /// Which group.
    pub fn group(&self) -> GroupId {
        self.meta.group
    }

    /// The group's time: that of the newest batch.
    pub fn time(&self) -> Timestamp {
        self.meta.time
    }

    /// The hash of the newest journal record.
    pub fn chain(&self) -> [u8; 32] {
        self.meta.chain
    }

    /// What to store with every write.
    pub fn meta(&self) -> &GroupMeta {
        &self.meta
    }

    /// The directory; empty but in the directory group.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// An account of that ledger.
    pub fn account(&self, ledger: LedgerId, id: Id) -> Option<&Account> {
        let at = self.accounts.find(ledger, id)?;
        Some(self.accounts.get(at))
    }

    /// A ledger's sequence and merchant accounts, if anything was ever asked of it.
    pub fn ledger(&self, ledger: LedgerId) -> Option<&LedgerMeta> {
        let at = self.books.find(ledger)?;
        Some(&self.books.get(at).meta)
    }

    /// When the next pending transfer expires: a [`crate::command::Command::Tick`] proposed from
    /// then on makes it so.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.first().map(|expiry| expiry.at)
    }

    /// Where the command with this key was first decided, if that is remembered.
    pub fn remembered(&self, ledger: LedgerId, once: &Once) -> Option<Position> {
        let book = self.books.get(self.books.find(ledger)?);
        let found = self.keys.get(book.scoped(once), self.horizon());
        found.map(|(_, position)| position)
    }

    /// Whether everything holds that must: for a restored state, and for whoever doubts.
    pub fn check(&self) -> Result<(), Violation> {
        invariants::check(self)
    }

    /// What is over time by now.
    pub(crate) fn horizon(&self) -> Horizon {
        Horizon {
            now: self.meta.time,
            retention: self.meta.settings.key_retention,
        }
    }
}
