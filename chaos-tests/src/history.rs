//! What clients asked, when, and what they were told; which faults were injected meanwhile; and
//! what the books said in the end.
//!
//! Times are microseconds of one monotonic clock, the recorder's, since the run began. Amounts are
//! minor units of one currency. Operations stand in the order of their answers. [`watched`] is what
//! was seen of the cluster from outside; [`lines`] is how a history is kept in a file.

pub mod clock;
pub mod groups;
pub mod keys;
pub mod lines;
pub mod watched;

mod words;

use florin_ledger::id::Id;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
pub use watched::{Bound, Fault, Healed, Hits, Leader, Replica, Run};

/// A short text that many operations share: a session, an account, a key.
pub type Name = Arc<str>;

/// A run as its clients saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// What ran, for people.
    pub about: String,
    /// How it can be run again; nothing if nobody noted it.
    pub run: Option<Run>,
    /// The accounts that the run opened.
    pub accounts: Vec<Account>,
    /// Everything that was asked, in the order of the answers.
    pub operations: Vec<Operation>,
    /// What was broken on purpose.
    pub faults: Vec<Fault>,
    /// Who was seen to lead, in the order in which it was seen.
    pub leaders: Vec<Leader>,
    /// From when on nothing was broken any more.
    pub healed: Vec<Healed>,
    /// What replicas said of their state, after the last operation.
    pub replicas: Vec<Replica>,
    /// How often failpoints were hit.
    pub failpoints: Vec<Hits>,
    /// The books after the last operation.
    pub books: Option<Books>,
}

/// An account as it was asked for. It was empty when the run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `acct_…`.
    pub id: Name,
    /// What makes its balance grow.
    pub grows_by: Side,
    /// Its balance may never be below zero: a wallet.
    pub floored: bool,
    /// The shard group that holds it, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
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
    pub session: Name,
    /// The idempotency key; reads have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Name>,
    /// What was asked.
    pub request: Request,
    /// When it was sent.
    pub invoked: u64,
    /// When the answer was there, or the session stopped waiting for one.
    pub returned: u64,
    /// What was answered.
    pub answer: Answer,
    /// The shard group that answered, if the answer says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
    /// The index of the group's log that the answer reflects: the `Consistency-Token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// Where it was decided: the `Request-Id`. Every replay carries the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// It was answered as it had been before: `Idempotent-Replayed`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// Which frontend was asked, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<Name>,
    /// What went wrong, for people: status and code, or why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Name>,
}

/// A decision's place among all decisions of its group, which makes them one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// The time of its batch, by the group's clock, microseconds since 1970.
    pub time: u64,
    /// The place in the batch.
    pub ordinal: u16,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A payment, captured at once.
    Payment {
        /// Is debited.
        source: Name,
        /// Is credited.
        destination: Name,
        /// How much.
        amount: u64,
    },
    /// A transfer, posted at once.
    Transfer {
        /// Is debited.
        debit: Name,
        /// Is credited.
        credit: Name,
        /// How much.
        amount: u64,
    },
    /// A linearizable read of a balance.
    Balance {
        /// Whose.
        account: Name,
    },
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// It happened.
    Acknowledged {
        /// `pay_…` or `tr_…`.
        id: Name,
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
        code: Name,
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
    pub id: Name,
    /// The number of its newest entry, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
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
    /// `pay_…` or `tr_…`.
    pub id: Name,
    /// The key that asked for it, as the load wrote it into the object; nothing if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Name>,
    /// Was debited.
    pub debit: Name,
    /// Was credited.
    pub credit: Name,
    /// How much was asked for.
    pub amount: u64,
    /// How much of it moved and stayed moved.
    pub moved: u64,
    /// A payment rather than a transfer.
    pub payment: bool,
}

impl Decided {
    /// The place that an identifier names, of a decision or of what it made.
    pub fn of(id: Id) -> Decided {
        let position = id.position();
        Decided {
            time: position.time.0,
            ordinal: position.ordinal,
        }
    }
}

impl History {
    /// An account that the run opened.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| *account.id == *id)
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
            Answer::Refused { code } => **code != *KEY_REUSED,
            Answer::Balance { .. } | Answer::SurelyNot | Answer::Unknown => false,
        }
    }
}

/// The refusal of a key that was used for another request.
pub const KEY_REUSED: &str = "idempotency_key_reused";
/// The refusal of a payment that would take a wallet below zero.
pub const TOO_LITTLE: &str = "insufficient_funds";
