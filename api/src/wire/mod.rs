//! Answers out: objects as partners see them.

mod account;
mod list;
mod payment;
mod protobuf;
mod scalar;
mod transfer;

pub(crate) use account::{AccountBody, BalanceBody, EntryBody};
pub(crate) use list::{ListBody, list};
pub(crate) use payment::{PaymentBody, RefundBody};
pub(crate) use protobuf::BatchWriter;
pub(crate) use scalar::{CaptureWord, ConstraintWord, KindWord, Shown, Time};
pub(crate) use transfer::{TransferBody, TransferOrError};
