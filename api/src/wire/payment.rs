//! Payments and refunds.

use super::scalar::{CaptureWord, MetadataShown, Shown, Time};
use florin_ledger::id::prefix;
use florin_ledger::object::{Payment, PaymentStatus, Refund};
use serde::Serialize;

/// A payment.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Payment)]
pub(crate) struct PaymentBody<'a> {
    #[schema(value_type = String, example = "pay_01jd0r8gk3v6m1x9q4t7w2y5za")]
    id: Shown,
    /// Always `payment`.
    object: &'static str,
    status: PaymentWord,
    /// As asked for, minor units.
    #[schema(value_type = u64, example = 1000)]
    amount: i128,
    /// What may still be captured, minor units.
    #[schema(value_type = u64, example = 0)]
    amount_capturable: i128,
    /// What was captured, minor units.
    #[schema(value_type = u64, example = 1000)]
    amount_captured: i128,
    /// What was refunded of it, minor units.
    #[schema(value_type = u64, example = 0)]
    amount_refunded: i128,
    #[schema(example = "USD")]
    currency: &'a str,
    /// The account that pays.
    #[schema(value_type = String)]
    source: Shown,
    /// The account that receives.
    #[schema(value_type = String)]
    destination: Shown,
    capture_method: CaptureWord,
    /// The partner's own name, unique among payments.
    #[schema(required = true)]
    reference: Option<&'a str>,
    /// For people.
    #[schema(required = true)]
    description: Option<&'a str>,
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    metadata: MetadataShown<'a>,
    #[schema(value_type = String, format = DateTime)]
    created: Time,
}

impl<'a> PaymentBody<'a> {
    pub(crate) fn new(payment: &'a Payment) -> PaymentBody<'a> {
        PaymentBody {
            id: Shown::new(prefix::PAYMENT, payment.id),
            object: "payment",
            status: payment.status.into(),
            amount: payment.amount.get(),
            amount_capturable: payment.amount_capturable,
            amount_captured: payment.amount_captured,
            amount_refunded: payment.amount_refunded,
            currency: payment.currency.code(),
            source: Shown::new(prefix::ACCOUNT, payment.source),
            destination: Shown::new(prefix::ACCOUNT, payment.destination),
            capture_method: payment.capture.into(),
            reference: payment.reference.as_deref(),
            description: payment.description.as_deref(),
            metadata: MetadataShown(&payment.metadata),
            created: Time(payment.created),
        }
    }
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PaymentStatus)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PaymentWord {
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

impl From<PaymentStatus> for PaymentWord {
    fn from(status: PaymentStatus) -> PaymentWord {
        match status {
            PaymentStatus::Processing => PaymentWord::Processing,
            PaymentStatus::RequiresCapture => PaymentWord::RequiresCapture,
            PaymentStatus::Succeeded => PaymentWord::Succeeded,
            PaymentStatus::Cancelled => PaymentWord::Cancelled,
            PaymentStatus::Failed => PaymentWord::Failed,
        }
    }
}

/// Money of a payment given back.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Refund)]
pub(crate) struct RefundBody<'a> {
    #[schema(value_type = String, example = "re_01jd0r8gk3v6m1x9q4t7w2y5za")]
    id: Shown,
    /// Always `refund`.
    object: &'static str,
    #[schema(value_type = String)]
    payment: Shown,
    /// Minor units.
    #[schema(value_type = u64, example = 250)]
    amount: i128,
    #[schema(example = "USD")]
    currency: &'a str,
    status: RefundWord,
    #[schema(value_type = String, format = DateTime)]
    created: Time,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RefundStatus)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundWord {
    /// The money is back.
    Succeeded,
}

impl<'a> RefundBody<'a> {
    pub(crate) fn new(refund: &'a Refund) -> RefundBody<'a> {
        RefundBody {
            id: Shown::new(prefix::REFUND, refund.id),
            object: "refund",
            payment: Shown::new(prefix::PAYMENT, refund.payment),
            amount: refund.amount.get(),
            currency: refund.currency.code(),
            status: RefundWord::Succeeded,
            created: Time(refund.created),
        }
    }
}
