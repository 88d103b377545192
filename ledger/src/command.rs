//! What may be asked of a ledger. A command has been parsed: it cannot hold a malformed value.

use crate::amount::{Amount, Currency};
use crate::directory::DirectoryCommand;
use crate::id::{Id, LedgerId, Timestamp};
use serde::{Deserialize, Serialize};

mod codec;

pub(crate) use codec::write;
pub use codec::{
    BatchBuilder, BatchFull, BatchView, Envelopes, Malformed, decode_envelope, decode_head,
    encode_envelope,
};

/// A command and what makes it happen once. This is what travels, is logged and is journalled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Whose books.
    pub ledger: LedgerId,
    /// Once for this key, if there is one.
    pub once: Option<Once>,
    /// What to do.
    pub command: Command,
}

/// An idempotency key and the request it was first used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Once {
    /// BLAKE3 of the idempotency key, first 16 bytes.
    pub key: [u8; 16],
    /// BLAKE3 of method, path and canonical body, first 16 bytes.
    pub fingerprint: [u8; 16],
}

/// What to do. New variants go at the end: the encoding counts them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Opens an account.
    CreateAccount(NewAccount),
    /// One transfer.
    CreateTransfer(NewTransfer),
    /// Many transfers: all or none if `atomic`, each on its own otherwise. 1 to 8,190.
    CreateTransfers {
        /// All or none.
        atomic: bool,
        /// In order.
        transfers: Vec<NewTransfer>,
    },
    /// Posts a pending transfer, wholly or in part; the rest is released.
    PostTransfer {
        /// The pending transfer.
        transfer: Id,
        /// Up to the pending amount; all of it unless told.
        amount: Option<Amount>,
    },
    /// Voids a pending transfer.
    VoidTransfer {
        /// The pending transfer.
        transfer: Id,
    },
    /// Reverses a posted transfer by an opposite one.
    ReverseTransfer {
        /// The posted transfer.
        transfer: Id,
    },
    /// Authorizes a payment, and captures it at once if so asked.
    CreatePayment(NewPayment),
    /// Captures an authorized payment, wholly or in part; the rest is released.
    CapturePayment {
        /// The payment.
        payment: Id,
        /// Up to the capturable amount; all of it unless told.
        amount: Option<Amount>,
    },
    /// Cancels an authorized payment.
    CancelPayment {
        /// The payment.
        payment: Id,
    },
    /// Refunds a captured payment, wholly or in part, as often as there is something left.
    CreateRefund {
        /// The payment.
        payment: Id,
        /// Up to what is left; all of it unless told.
        amount: Option<Amount>,
    },
    /// Changes the directory; only the directory group accepts it.
    Directory(DirectoryCommand),
    /// Lets time pass, so that what is due expires.
    Tick,
}

/// A transfer to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTransfer {
    /// Debited account.
    pub debit_account: Id,
    /// Credited account.
    pub credit_account: Id,
    /// Minor units.
    pub amount: Amount,
    /// Must be both accounts' currency.
    pub currency: Currency,
    /// Hold the money only, until posted, voided or expired.
    pub pending: bool,
    /// With `pending`: microseconds until it expires.
    pub expires_in: Option<u64>,
    /// Unique for ever among the ledger's transfers.
    pub reference: Option<Text>,
    /// The partner's own notes, sorted by key.
    pub metadata: Metadata,
}

/// A payment to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPayment {
    /// Minor units.
    pub amount: Amount,
    /// Must be both accounts' currency.
    pub currency: Currency,
    /// The account (a wallet) that pays.
    pub source: Id,
    /// The account that receives; the partner's merchant account of that currency unless told.
    pub destination: Option<Id>,
    /// When money moves.
    pub capture: CaptureMethod,
    /// Unique for ever among the ledger's payments.
    pub reference: Option<Text>,
    /// For people.
    pub description: Option<Text>,
    /// The partner's own notes, sorted by key.
    pub metadata: Metadata,
}

/// An account to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// Its currency.
    pub currency: Currency,
    /// Which side grows it.
    pub kind: AccountKind,
    /// What its balance may never do.
    pub constraint: Constraint,
    /// By how much the constraint may be passed, minor units; 0 or more.
    pub overdraft_limit: i128,
    /// Unique for ever among the ledger's accounts.
    pub reference: Option<Text>,
    /// The partner's own notes, sorted by key.
    pub metadata: Metadata,
}

/// The four kinds of account. Assets and expenses grow by debits, the others by credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccountKind {
    /// What the partner owns.
    Asset,
    /// What the partner owes (a customer's wallet).
    Liability,
    /// What the partner earned.
    Income,
    /// What the partner spent.
    Expense,
}

/// What an account's balance may never do, pending amounts counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Constraint {
    /// Anything goes.
    None,
    /// `debits_posted + debits_pending <= credits_posted + overdraft_limit`.
    DebitsWithinCredits,
    /// `credits_posted + credits_pending <= debits_posted + overdraft_limit`.
    CreditsWithinDebits,
}

/// When a payment's money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CaptureMethod {
    /// At once.
    Automatic,
    /// When the partner says so.
    Manual,
}

/// Short text that has been checked against its limit at the edge.
pub type Text = Box<str>;

/// Keys and values, sorted by key, no key twice.
pub type Metadata = Vec<(Text, Text)>;

/// What the leader proposes: commands that were waiting together, stamped with its clock.
///
/// Encoded once ([`BatchBuilder`]); the same bytes go to the log, the wire and the journal.
/// Layout: version (1 byte), time (8 bytes, little endian), count (4 bytes, little endian), then
/// for each command its length (4 bytes, little endian) and its encoded [`Envelope`], which is a
/// version (1 byte) and postcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The leader's clock; apply moves it forward if the group's clock is already there.
    pub time: Timestamp,
    /// In order.
    pub envelopes: Vec<Envelope>,
}
