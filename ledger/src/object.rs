//! What partners see: accounts, transfers, payments, refunds, entries.

mod making;

use crate::amount::{Amount, Currency};
use crate::command::{AccountKind, CaptureMethod, Constraint, Metadata, Text};
use crate::id::{Id, Timestamp};
use serde::{Deserialize, Serialize};

/// An account with its running totals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `acct_`.
    pub id: Id,
    /// Its currency.
    pub currency: Currency,
    /// Which side grows it.
    pub kind: AccountKind,
    /// What its balance may never do.
    pub constraint: Constraint,
    /// By how much the constraint may be passed.
    pub overdraft_limit: i128,
    /// The four totals.
    pub totals: Totals,
    /// How many entries it has: the number of the newest one.
    pub sequence: u64,
    /// When it was opened.
    pub created: Timestamp,
    /// Unique among the ledger's accounts.
    pub reference: Option<Text>,
    /// The partner's own notes.
    pub metadata: Metadata,
}

/// The four totals of an account, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Debits that happened.
    pub debits_posted: i128,
    /// Credits that happened.
    pub credits_posted: i128,
    /// Debits held.
    pub debits_pending: i128,
    /// Credits held.
    pub credits_pending: i128,
}

/// One change of one account, with the totals after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counted from 1 within the account, without gaps.
    pub sequence: u64,
    /// The transfer that changed it.
    pub transfer: Id,
    /// When.
    pub time: Timestamp,
    /// How.
    pub kind: EntryKind,
    /// Debit or credit.
    pub side: Side,
    /// How much was posted, held or released, minor units.
    pub amount: i128,
    /// The totals after it.
    pub totals: Totals,
}

/// How an entry changed its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// Moved at once.
    Posted,
    /// Held.
    Pending,
    /// A held amount, or part of it, moved; the rest was released.
    PendingPosted,
    /// A held amount was released.
    PendingVoided,
    /// A held amount was released because its time was over.
    PendingExpired,
}

/// Which side of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The debit side.
    Debit,
    /// The credit side.
    Credit,
}

/// A transfer of money between two accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// `tr_`.
    pub id: Id,
    /// Debited account.
    pub debit_account: Id,
    /// Credited account.
    pub credit_account: Id,
    /// As asked for.
    pub amount: Amount,
    /// What moved so far, minor units.
    pub amount_posted: i128,
    /// Of both accounts.
    pub currency: Currency,
    /// Where it stands.
    pub status: TransferStatus,
    /// When a pending one expires.
    pub expires_at: Option<Timestamp>,
    /// The transfer that reversed it.
    pub reversed_by: Option<Id>,
    /// The transfer that it reverses.
    pub reverses: Option<Id>,
    /// The payment (or refund's payment) it belongs to.
    pub payment: Option<Id>,
    /// When it was made.
    pub created: Timestamp,
    /// Unique among the ledger's transfers.
    pub reference: Option<Text>,
    /// The partner's own notes.
    pub metadata: Metadata,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TransferStatus {
    /// It happened.
    Posted,
    /// The money is held.
    Pending,
    /// The held money was released.
    Voided,
    /// The held money was released because time was over.
    Expired,
    /// It happened and was undone by another.
    Reversed,
}

/// A payment: a transfer with the life that payments have. Its transfer has the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// `pay_`; the same number as its transfer.
    pub id: Id,
    /// As asked for.
    pub amount: Amount,
    /// What may still be captured, minor units.
    pub amount_capturable: i128,
    /// What was captured.
    pub amount_captured: i128,
    /// What was refunded of it.
    pub amount_refunded: i128,
    /// Its currency.
    pub currency: Currency,
    /// The account that pays.
    pub source: Id,
    /// The account that receives.
    pub destination: Id,
    /// When money moves.
    pub capture: CaptureMethod,
    /// Where it stands.
    pub status: PaymentStatus,
    /// When it was made.
    pub created: Timestamp,
    /// Unique among the ledger's payments.
    pub reference: Option<Text>,
    /// For people.
    pub description: Option<Text>,
    /// The partner's own notes.
    pub metadata: Metadata,
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PaymentStatus {
    /// A processor has not answered yet.
    Processing,
    /// Authorized; the money is held.
    RequiresCapture,
    /// Captured.
    Succeeded,
    /// Given up before capture.
    Cancelled,
    /// It did not come about.
    Failed,
}

/// Money of a payment given back. Its transfer has the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// `re_`; the same number as its transfer.
    pub id: Id,
    /// The payment.
    pub payment: Id,
    /// How much.
    pub amount: Amount,
    /// The payment's.
    pub currency: Currency,
    /// When it was made.
    pub created: Timestamp,
}

/// The kinds of object that lists are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `acct_`.
    Account,
    /// `tr_`.
    Transfer,
    /// `pay_`.
    Payment,
    /// `re_`.
    Refund,
}

impl Totals {
    /// Credits less debits for liability and income, debits less credits for asset and expense.
    pub fn balance(&self, kind: AccountKind) -> i128 {
        match kind {
            AccountKind::Liability | AccountKind::Income => {
                self.credits_posted - self.debits_posted
            }
            AccountKind::Asset | AccountKind::Expense => self.debits_posted - self.credits_posted,
        }
    }
}

impl Account {
    /// What may still leave the account: the balance of its constrained side (without a
    /// constraint, of the side that grows it), pending amounts held back, the limit added.
    pub fn available(&self, totals: &Totals) -> i128 {
        let credits_grow = match self.constraint {
            Constraint::DebitsWithinCredits => true,
            Constraint::CreditsWithinDebits => false,
            Constraint::None => matches!(self.kind, AccountKind::Liability | AccountKind::Income),
        };
        let limit = match self.constraint {
            Constraint::None => 0,
            _ => self.overdraft_limit,
        };
        let (grown, shrunk, held) = if credits_grow {
            (
                totals.credits_posted,
                totals.debits_posted,
                totals.debits_pending,
            )
        } else {
            (
                totals.debits_posted,
                totals.credits_posted,
                totals.credits_pending,
            )
        };
        (grown - shrunk).saturating_sub(held).saturating_add(limit)
    }
}
