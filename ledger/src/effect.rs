//! What the ledger decided about a command.

mod nesting;
mod outcome;

use crate::directory::DirectoryEffect;
use crate::id::{Id, Position};
use crate::object::{Payment, Refund, Transfer};
use serde::{Deserialize, Serialize};

pub use outcome::Outcome;

/// What was decided, in the shortest form: what can be read off the command and the position is
/// not said again, for this is journalled beside the command. [`Effect::outcome`] makes it whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The rules said no, and nothing changed.
    Refused(Refusal),
    /// The account exists; its identifier is the position's.
    AccountCreated,
    /// The transfer is posted or pending; its identifier is the position's.
    TransferCreated,
    /// One answer for each transfer of the batch, in order; identifiers by ordinal.
    TransfersCreated(Vec<Option<Refusal>>),
    /// The payment succeeded or is authorized; its identifier is the position's.
    PaymentCreated {
        /// The account it credits.
        destination: Id,
        /// The merchant account appeared with this payment.
        opened: bool,
    },
    /// The transfer as it stands after posting, voiding or reversing.
    Transfer(Box<Transfer>),
    /// The payment as it stands after capture or cancellation.
    Payment(Box<Payment>),
    /// The refund that was made.
    Refund(Box<Refund>),
    /// The directory changed.
    Directory(DirectoryEffect),
    /// Time passed.
    Ticked,
}

/// The answer to a submitted command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where the effect is journalled; for a replay, where it first was.
    pub position: Position,
    /// What was decided, then or now.
    pub effect: Effect,
    /// The key was known: this is the first answer again.
    pub replayed: bool,
}

/// Why the rules said no. Recorded like any other outcome. New variants go at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The key was used for another request.
    KeyReused,
    /// The account named by this parameter does not exist in this ledger.
    AccountNotFound {
        /// The request's field.
        param: Param,
        /// The identifier given.
        account: Id,
    },
    /// No such transfer in this ledger.
    TransferNotFound(Id),
    /// No such payment in this ledger.
    PaymentNotFound(Id),
    /// Both accounts are the same.
    SameAccount,
    /// The account named by this parameter keeps another currency.
    CurrencyMismatch {
        /// The request's field.
        param: Param,
        /// The account.
        account: Id,
    },
    /// The account's constraint forbids it.
    InsufficientFunds {
        /// The request's field.
        param: Param,
        /// The account.
        account: Id,
        /// What it could still give (or take), minor units.
        available: i128,
        /// What was asked for.
        needed: i128,
    },
    /// A balance would leave the range of 128 bits.
    Overflow {
        /// The account.
        account: Id,
    },
    /// The reference was used before, by this object.
    ReferenceTaken(Id),
    /// The object's status forbids it.
    InvalidState {
        /// The object.
        id: Id,
        /// Its status.
        status: Status,
        /// What was tried.
        action: Action,
    },
    /// More than what is pending, capturable or refundable.
    AmountTooLarge {
        /// At most this.
        available: i128,
        /// What was asked for.
        needed: i128,
    },
    /// The pending transfer's time is over.
    Expired(Id),
    /// An atomic batch was refused because of the transfer at this place.
    BatchRefused {
        /// Counted from 0.
        at: u16,
        /// Why that one was refused. Never a refused batch itself.
        #[serde(deserialize_with = "nesting::not_nested")]
        why: Box<Refusal>,
    },
    /// This group does not hold that ledger, or the command is not for this group.
    WrongGroup,
    /// The directory refused.
    Directory(crate::directory::DirectoryRefusal),
    /// The transfer belongs to this payment, as its own or a refund's, and is moved through it.
    OwnedByPayment(Id),
    /// The bytes are no command that this version knows, or break a rule of its form.
    Malformed,
}

/// The request's field that a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Param {
    /// `debit_account`.
    DebitAccount,
    /// `credit_account`.
    CreditAccount,
    /// `source`.
    Source,
    /// `destination`.
    Destination,
}

/// What was tried on an object whose status forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Post a transfer.
    Post,
    /// Void a transfer.
    Void,
    /// Reverse a transfer.
    Reverse,
    /// Capture a payment.
    Capture,
    /// Cancel a payment.
    Cancel,
    /// Refund a payment.
    Refund,
}

/// An object's status, for refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// A transfer's.
    Transfer(crate::object::TransferStatus),
    /// A payment's.
    Payment(crate::object::PaymentStatus),
}
