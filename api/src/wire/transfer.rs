//! Transfers.

use super::scalar::{MetadataShown, Shown, Time};
use crate::problem::ErrorBody;
use florin_ledger::id::prefix;
use florin_ledger::object::{Transfer, TransferStatus};
use serde::Serialize;

/// A transfer between two accounts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Transfer)]
pub(crate) struct TransferBody<'a> {
    #[schema(value_type = String, example = "tr_01jd0r8gk3v6m1x9q4t7w2y5za")]
    id: Shown,
    /// Always `transfer`.
    object: &'static str,
    status: TransferWord,
    /// As asked for, minor units.
    #[schema(value_type = u64, example = 1000)]
    amount: i128,
    /// What moved so far, minor units.
    #[schema(value_type = u64, example = 1000)]
    amount_posted: i128,
    #[schema(example = "USD")]
    currency: &'a str,
    #[schema(value_type = String)]
    debit_account: Shown,
    #[schema(value_type = String)]
    credit_account: Shown,
    /// When a pending transfer expires.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    expires_at: Option<Time>,
    /// The transfer that reversed it.
    #[schema(value_type = Option<String>, required = true)]
    reversed_by: Option<Shown>,
    /// The transfer that it reverses.
    #[schema(value_type = Option<String>, required = true)]
    reverses: Option<Shown>,
    /// The payment that it belongs to.
    #[schema(value_type = Option<String>, required = true)]
    payment: Option<Shown>,
    /// The partner's own name, unique among transfers.
    #[schema(required = true)]
    reference: Option<&'a str>,
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: MetadataShown<'a>,
    #[schema(value_type = String, format = DateTime)]
    created: Time,
}

impl<'a> TransferBody<'a> {
    pub(crate) fn new(transfer: &'a Transfer) -> TransferBody<'a> {
        let shown = |id| Shown::new(prefix::TRANSFER, id);
        TransferBody {
            id: shown(transfer.id),
            object: "transfer",
            status: transfer.status.into(),
            amount: transfer.amount.get(),
            amount_posted: transfer.amount_posted,
            currency: transfer.currency.code(),
            debit_account: Shown::new(prefix::ACCOUNT, transfer.debit_account),
            credit_account: Shown::new(prefix::ACCOUNT, transfer.credit_account),
            expires_at: transfer.expires_at.map(Time),
            reversed_by: transfer.reversed_by.map(shown),
            reverses: transfer.reverses.map(shown),
            payment: transfer.payment.map(|id| Shown::new(prefix::PAYMENT, id)),
            reference: transfer.reference.as_deref(),
            metadata: MetadataShown(&transfer.metadata),
            created: Time(transfer.created),
        }
    }
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TransferStatus)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransferWord {
    /// It happened.
    Posted,
    /// The money is held.
    Pending,
    /// The held money was released.
    Voided,
    /// The held money was released because its time was over.
    Expired,
    /// It happened and was undone by another.
    Reversed,
}

impl From<TransferStatus> for TransferWord {
    fn from(status: TransferStatus) -> TransferWord {
        match status {
            TransferStatus::Posted => TransferWord::Posted,
            TransferStatus::Pending => TransferWord::Pending,
            TransferStatus::Voided => TransferWord::Voided,
            TransferStatus::Expired => TransferWord::Expired,
            TransferStatus::Reversed => TransferWord::Reversed,
        }
    }
}

/// One answer of a batch.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum TransferOrError<'a> {
    /// It was made.
    Transfer(Box<TransferBody<'a>>),
    /// It was refused.
    Refused {
        /// Why.
        error: ErrorBody<'a>,
    },
}
