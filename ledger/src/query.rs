//! How the books are read.

mod answer;
mod pages;

pub use answer::{Reading, answer};

use crate::amount::Currency;
use crate::command::Text;
use crate::id::{Id, Timestamp};
use crate::object::{Account, Entry, Payment, Refund, Totals, Transfer};
use serde::{Deserialize, Serialize};

/// A question about one ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// One account.
    Account(Id),
    /// Accounts, newest first.
    Accounts {
        /// Only the one with this reference.
        reference: Option<Text>,
        /// Only of this currency.
        currency: Option<Currency>,
        /// Which part of the list.
        page: Page,
    },
    /// An account's totals, now or then.
    Balance {
        /// The account.
        account: Id,
        /// A past moment; now unless told.
        at: Option<At>,
    },
    /// An account's entries, newest first. The page counts sequences, not identifiers.
    Entries {
        /// The account.
        account: Id,
        /// Which part of the list.
        page: EntryPage,
    },
    /// One transfer.
    Transfer(Id),
    /// Transfers, newest first.
    Transfers {
        /// Only the one with this reference.
        reference: Option<Text>,
        /// Which part of the list.
        page: Page,
    },
    /// One payment.
    Payment(Id),
    /// Payments, newest first.
    Payments {
        /// Only the one with this reference.
        reference: Option<Text>,
        /// Which part of the list.
        page: Page,
    },
    /// One refund.
    Refund(Id),
    /// Refunds, newest first.
    Refunds {
        /// Only of this payment.
        payment: Option<Id>,
        /// Which part of the list.
        page: Page,
    },
}

impl Query {
    /// Whether an answer takes a few reads at most, rather than a walk along a list.
    pub fn is_brief(&self) -> bool {
        matches!(
            self,
            Query::Account(_)
                | Query::Balance { .. }
                | Query::Transfer(_)
                | Query::Payment(_)
                | Query::Refund(_)
        )
    }
}

/// A past moment of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum At {
    /// The last entry up to and including this time.
    Time(Timestamp),
    /// This entry; 0 is before the first.
    Sequence(u64),
}

/// Which part of a list of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// 1 to 100.
    pub limit: u16,
    /// Older than this one.
    pub starting_after: Option<Id>,
    /// Newer than this one.
    pub ending_before: Option<Id>,
    /// Made at or after.
    pub created_from: Option<Timestamp>,
    /// Made at or before.
    pub created_to: Option<Timestamp>,
}

/// Which part of an account's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPage {
    /// 1 to 100.
    pub limit: u16,
    /// Older than this sequence.
    pub starting_after: Option<u64>,
    /// Newer than this sequence.
    pub ending_before: Option<u64>,
}

/// Part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// There are more in the direction that was asked for.
    pub has_more: bool,
}

/// What the books say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// There is no such thing in this ledger.
    NotFound,
    /// One account.
    Account(Account),
    /// Accounts.
    Accounts(List<Account>),
    /// An account's totals: the account as it is, with totals and sequence of the moment asked for.
    Balance {
        /// For its kind, constraint and currency.
        account: Account,
        /// The totals at that moment.
        totals: Totals,
        /// The entry that made them.
        sequence: u64,
        /// The group's time at the answer, or the moment asked for.
        as_of: Timestamp,
    },
    /// Entries, with the account they are of.
    Entries(Account, List<Entry>),
    /// One transfer.
    Transfer(Transfer),
    /// Transfers.
    Transfers(List<Transfer>),
    /// One payment.
    Payment(Payment),
    /// Payments.
    Payments(List<Payment>),
    /// One refund.
    Refund(Refund),
    /// Refunds.
    Refunds(List<Refund>),
    /// The account has no entry with that sequence yet.
    NoSuchEntry {
        /// The sequence of its newest one; 0 if there is none.
        newest: u64,
    },
}
