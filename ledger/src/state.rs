//! What a group keeps in memory.
//!
//! A store that restarts builds a state again: [`State::restore`] with the stored [`GroupMeta`],
//! then in any order [`State::restore_ledger`], [`State::restore_account`],
//! [`State::restore_expiry`], [`State::restore_directory`], then [`State::remember`] for every
//! journal record from [`State::remembers_from`] on, in order of time; [`State::check`] then says
//! whether the parts fit each other.

use crate::amount::{Amount, Currency};
use crate::command::Once;
use crate::directory::{Directory, Item};
use crate::id::{GroupId, Id, LedgerId, Position, Timestamp};
use crate::invariants::Violation;
use crate::journal::Record;
use crate::limits;
use crate::object::Account;
use serde::{Deserialize, Serialize};

/// The state of one group.
#[derive(Clone, Debug)]
pub struct State {
    meta: GroupMeta,
    directory: Directory,
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
    pub fn account(&self, _ledger: LedgerId, _id: Id) -> Option<&Account> {
        todo!()
    }

    /// A ledger's sequence and merchant accounts, if anything ever happened in it.
    pub fn ledger(&self, _ledger: LedgerId) -> Option<&LedgerMeta> {
        todo!()
    }

    /// When the next pending transfer expires: a [`crate::command::Command::Tick`] proposed from
    /// then on makes it so.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        todo!()
    }

    /// Where the command with this key was first decided, if that is remembered.
    pub fn remembered(&self, _ledger: LedgerId, _once: &Once) -> Option<Position> {
        todo!()
    }

    /// BLAKE3 over everything that replicas must agree on: time, chain, settings, accounts,
    /// ledgers, waiting expiries, remembered keys, directory. Reads all of it: for checks, not for
    /// every payment.
    pub fn hash(&self) -> [u8; 32] {
        todo!()
    }

    /// Begins to restore a state: see the module's page for the order.
    pub fn restore(meta: GroupMeta) -> State {
        State {
            meta,
            directory: Directory::default(),
        }
    }

    /// Restores what [`crate::store::Store::put_ledger`] stored last.
    pub fn restore_ledger(&mut self, _ledger: LedgerId, _meta: LedgerMeta) {
        todo!()
    }

    /// Restores what [`crate::store::Store::put_account`] stored last.
    pub fn restore_account(&mut self, _ledger: LedgerId, _account: Account) {
        todo!()
    }

    /// Restores an expiry that was put and not removed.
    pub fn restore_expiry(&mut self, _expiry: Expiry) {
        todo!()
    }

    /// Restores an item of the directory.
    pub fn restore_directory(&mut self, _item: Item) {
        todo!()
    }

    /// The time of the oldest journal record whose keys are still remembered.
    pub fn remembers_from(&self) -> Timestamp {
        todo!()
    }

    /// Remembers the keys of a journal record again. Records come in order of time.
    pub fn remember(&mut self, _record: &Record<'_>) {
        todo!()
    }

    /// Whether everything holds that must: for a restored state, and for whoever doubts.
    pub fn check(&self) -> Result<(), Violation> {
        todo!()
    }
}
