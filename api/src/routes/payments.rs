//! `/v1/payments`.

use super::transfers::{Nothing, PartialAmount, part};
use crate::auth::Scope;
use crate::call::{Call, Done, Reply};
use crate::code::Code;
use crate::parse::{
    AccountId, CurrencyCode, DecimalText, Description, MetadataMap, Minor, Reference, amount, page,
};
use crate::problem::Problem;
use crate::route::{Key, Route, Router, Verb};
use crate::wire::{CaptureWord, PaymentBody, list};
use florin_ledger::command::{Command, NewPayment};
use florin_ledger::effect::Outcome;
use florin_ledger::id::prefix;
use florin_ledger::query::{Answer, Query};
use serde::Deserialize;

const CREATE: Route = Route {
    verb: Verb::Post,
    path: "/v1/payments",
    scope: Scope::PaymentsWrite,
    key: Key::Required,
};
const LIST: Route = Route {
    verb: Verb::Get,
    path: "/v1/payments",
    scope: Scope::PaymentsRead,
    key: Key::Ignored,
};
const GET: Route = Route {
    path: "/v1/payments/{id}",
    ..LIST
};
const CAPTURE: Route = Route {
    path: "/v1/payments/{id}/capture",
    ..CREATE
};
const CANCEL: Route = Route {
    path: "/v1/payments/{id}/cancel",
    ..CREATE
};

pub(super) const ROUTES: &[&Route] = &[&CREATE, &LIST, &GET, &CAPTURE, &CANCEL];

pub(super) fn add(router: Router) -> Router {
    let router = CREATE.to(router, create);
    let router = LIST.to(router, list_payments);
    let router = GET.to(router, get);
    let router = CAPTURE.to(router, capture);
    CANCEL.to(router, cancel)
}

/// A payment to be made: either `amount` or `amount_decimal`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePayment {
    /// Minor units.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991_u64, example = 1000)]
    amount: Option<Minor>,
    /// As a decimal, exact in the currency.
    #[schema(value_type = Option<String>)]
    amount_decimal: Option<DecimalText>,
    /// ISO 4217, upper case.
    #[schema(value_type = String, example = "USD")]
    currency: CurrencyCode,
    /// The account that pays.
    #[schema(value_type = String, example = "acct_01jd0r8gk3v6m1x9q4t7w2y5za")]
    source: AccountId,
    /// The account that receives; the partner's merchant account of that currency unless told.
    #[schema(value_type = Option<String>)]
    destination: Option<AccountId>,
    #[serde(default)]
    capture_method: CaptureWord,
    /// The partner's own name; unique among payments for ever.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    reference: Option<Reference>,
    /// For people.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000)]
    description: Option<Description>,
    /// Up to 50 keys of 40 characters, values of 500.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    metadata: Option<MetadataMap>,
}

impl CreatePayment {
    pub(crate) fn parse(self) -> Result<NewPayment, Problem> {
        let currency = self.currency.0;
        let amount = amount(self.amount, self.amount_decimal.as_ref(), currency)?;
        let amount = amount.ok_or_else(|| {
            Problem::new(Code::ParameterMissing, "amount is required").about("amount")
        })?;
        Ok(NewPayment {
            amount,
            currency,
            source: self.source.0,
            destination: self.destination.map(|account| account.0),
            capture: self.capture_method.into(),
            reference: self.reference.map(|reference| reference.0),
            description: self.description.map(|description| description.0),
            metadata: self.metadata.unwrap_or_default().0,
        })
    }
}

/// Pays: authorizes, and captures at once unless `capture_method` is `manual`.
#[utoipa::path(post, path = "/v1/payments", tag = "Payments", request_body = CreatePayment,
    responses((status = 200, body = PaymentBody<'static>)))]
pub(crate) async fn create(mut call: Call) -> Result<Reply, Problem> {
    let body: CreatePayment = call.json().await?;
    let command = Command::CreatePayment(body.parse()?);
    reply(&call.submit(command).await?)
}

/// Captures an authorized payment, wholly or in part; the rest is released.
#[utoipa::path(post, path = "/v1/payments/{id}/capture", tag = "Payments", request_body = Option<PartialAmount>,
    params(("id" = String, Path, example = "pay_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = PaymentBody<'static>)))]
pub(crate) async fn capture(mut call: Call) -> Result<Reply, Problem> {
    let payment = call.id(prefix::PAYMENT, Code::PaymentNotFound)?;
    let body: PartialAmount = call.json_or_empty().await?;
    let amount = part(&call, &body, Query::Payment(payment)).await?;
    reply(
        &call
            .submit(Command::CapturePayment { payment, amount })
            .await?,
    )
}

/// Cancels an authorized payment: the money is released.
#[utoipa::path(post, path = "/v1/payments/{id}/cancel", tag = "Payments",
    params(("id" = String, Path, example = "pay_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = PaymentBody<'static>)))]
pub(crate) async fn cancel(mut call: Call) -> Result<Reply, Problem> {
    let payment = call.id(prefix::PAYMENT, Code::PaymentNotFound)?;
    let Nothing {} = call.json_or_empty().await?;
    reply(&call.submit(Command::CancelPayment { payment }).await?)
}

/// Payments, newest first.
#[utoipa::path(get, path = "/v1/payments", tag = "Payments",
    params(("reference" = Option<String>, Query, description = "Only the one with this reference.")),
    responses((status = 200, body = crate::wire::ListBody<'static, PaymentBody<'static>>)))]
pub(crate) async fn list_payments(call: Call) -> Result<Reply, Problem> {
    let mut params = call.params()?;
    let query = Query::Payments {
        reference: params.take_reference()?,
        page: page(&mut params, prefix::PAYMENT)?,
    };
    params.finish()?;
    let found = call.ask(query).await?;
    match &found.answer {
        Answer::Payments(payments) => {
            found.reply(&list(call.route.path, payments, PaymentBody::new))
        }
        _ => Err(found.missing(Code::PaymentNotFound, &"such list")),
    }
}

/// One payment.
#[utoipa::path(get, path = "/v1/payments/{id}", tag = "Payments",
    params(("id" = String, Path, example = "pay_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = PaymentBody<'static>)))]
pub(crate) async fn get(call: Call) -> Result<Reply, Problem> {
    call.params()?.finish()?;
    let id = call.id(prefix::PAYMENT, Code::PaymentNotFound)?;
    let found = call.ask(Query::Payment(id)).await?;
    match &found.answer {
        Answer::Payment(payment) => found.reply(&PaymentBody::new(payment)),
        _ => Err(found.missing(
            Code::PaymentNotFound,
            &format_args!("payment {}", id.display(prefix::PAYMENT)),
        )),
    }
}

fn reply(done: &Done) -> Result<Reply, Problem> {
    match &done.outcome {
        Outcome::Payment(payment) => done.reply(&PaymentBody::new(payment)),
        _ => Err(done.mismatch()),
    }
}
