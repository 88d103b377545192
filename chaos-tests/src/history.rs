//! What clients asked, when, and what they were told; which faults were injected meanwhile; and
//! what the books said in the end.
//!
//! Times are microseconds of one monotonic clock, the recorder's, since the run began. Amounts are
//! minor units of one currency. Operations stand in the order of their answers. [`lines`] is how a
//! history is kept in a file.

pub mod lines;

mod words;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run as its clients saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// What ran, for people.
    pub about: String,
    /// The accounts that the run opened.
    pub accounts: Vec<Account>,
    /// Everything that was asked, in the order of the answers.
    pub operations: Vec<Operation>,
    /// What was broken on purpose.
    pub faults: Vec<Fault>,
    /// The books after the last operation.
    pub books: Option<Books>,
}

/// An account as it was asked for. It was empty when the run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `acct_…`.
    pub id: String,
    /// What makes its balance grow.
    pub grows_by: Side,
    /// Its balance may never be below zero: a wallet.
    pub floored: bool,
}

/// One side of double entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What money leaves.
    Debits,
    /// What money reaches.
    Credits,
}

/// One request that was sent once. A retry is an operation of its own with the same key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Who asked: what a session asks, it asks one after the other.
    pub session: String,
    /// The idempotency key; reads have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was asked.
    pub request: Request,
    /// When it was sent.
    pub invoked: u64,
    /// When the answer was there, or the session stopped waiting for one.
    pub returned: u64,
    /// What was answered.
    pub answer: Answer,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A payment, captured at once.
    Payment {
        /// Is debited.
        source: String,
        /// Is credited.
        destination: String,
        /// How much.
        amount: u64,
    },
    /// A transfer, posted at once.
    Transfer {
        /// Is debited.
        debit: String,
        /// Is credited.
        credit: String,
        /// How much.
        amount: u64,
    },
    /// A linearizable read of a balance.
    Balance {
        /// Whose.
        account: String,
    },
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// It happened.
    Acknowledged {
        /// `pay_…` or `xfer_…`.
        id: String,
        /// The amount that was answered.
        amount: u64,
    },
    /// A balance.
    Balance {
        /// How much.
        balance: i64,
        /// The number of the account's newest entry.
        sequence: u64,
    },
    /// The ledger said no.
    Refused {
        /// Its code, such as `insufficient_funds`.
        code: String,
    },
    /// It surely did not happen, and will not: no leader, busy, or it was not sent.
    SurelyNot,
    /// It may have happened, or happen yet: no answer in time, a broken connection, "unknown".
    Unknown,
}

/// Money between two accounts, whatever was asked for to move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move<'a> {
    /// Is debited.
    pub debit: &'a str,
    /// Is credited.
    pub credit: &'a str,
    /// How much.
    pub amount: u64,
    /// A payment rather than a transfer.
    pub payment: bool,
}

/// Something that was broken on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What was done to whom.
    pub what: String,
    /// When it was certainly in effect.
    pub began: u64,
    /// When its end was begun; nothing if it lasted until the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// How it was seen to be in effect; nothing if it was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// The whole ledger as it was read back in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Books {
    /// Every account.
    pub accounts: Vec<Totals>,
    /// Every payment, and every transfer that is not a payment's.
    pub effects: Vec<Effect>,
}

/// An account of the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// `acct_…`.
    pub id: String,
    /// ISO 4217.
    pub currency: String,
    /// What left it, ever.
    pub debits: u64,
    /// What reached it, ever.
    pub credits: u64,
    /// Its balance as the ledger says it.
    pub balance: i64,
}

/// A payment or transfer of the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// `pay_…` or `xfer_…`.
    pub id: String,
    /// The key that asked for it, as the load wrote it into the object; nothing if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Was debited.
    pub debit: String,
    /// Was credited.
    pub credit: String,
    /// How much was asked for.
    pub amount: u64,
    /// How much of it moved and stayed moved.
    pub moved: u64,
    /// A payment rather than a transfer.
    pub payment: bool,
}

impl History {
    /// The operations of each key, by number.
    pub fn by_key(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut keys: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, operation) in self.operations.iter().enumerate() {
            if let Some(key) = &operation.key {
                keys.entry(key).or_default().push(number);
            }
        }
        keys
    }

    /// An account that the run opened.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }
}

impl Request {
    /// The money that it asks to move; nothing for a read.
    pub fn moves(&self) -> Option<Move<'_>> {
        match self {
            Request::Payment {
                source,
                destination,
                amount,
            } => Some(Move {
                debit: source,
                credit: destination,
                amount: *amount,
                payment: true,
            }),
            Request::Transfer {
                debit,
                credit,
                amount,
            } => Some(Move {
                debit,
                credit,
                amount: *amount,
                payment: false,
            }),
            Request::Balance { .. } => None,
        }
    }
}

impl Effect {
    /// The money that it moved.
    pub fn moves(&self) -> Move<'_> {
        Move {
            debit: &self.debit,
            credit: &self.credit,
            amount: self.amount,
            payment: self.payment,
        }
    }
}

impl Move<'_> {
    /// Whether it changes an account.
    pub fn touches(&self, account: &str) -> bool {
        self.debit == account || self.credit == account
    }
}

impl Answer {
    /// What a key is answered for ever once it is answered; nothing if nothing was decided, or if
    /// the answer is about another use of the key.
    pub fn is_final(&self) -> bool {
        match self {
            Answer::Acknowledged { .. } => true,
            Answer::Refused { code } => code != KEY_REUSED,
            Answer::Balance { .. } | Answer::SurelyNot | Answer::Unknown => false,
        }
    }
}

/// The refusal of a key that was used for another request.
pub const KEY_REUSED: &str = "idempotency_key_reused";
/// The refusal of a payment that would take a wallet below zero.
pub const TOO_LITTLE: &str = "insufficient_funds";
