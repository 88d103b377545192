//! `/v1/refunds`.

use super::transfers::{PartialAmount, part};
use crate::auth::Scope;
use crate::call::{Call, Reply};
use crate::code::Code;
use crate::parse::{DecimalText, Minor, PaymentId, page};
use crate::problem::Problem;
use crate::route::{Key, Route, Router, Verb};
use crate::wire::{RefundBody, list};
use florin_ledger::command::Command;
use florin_ledger::effect::Outcome;
use florin_ledger::id::prefix;
use florin_ledger::query::{Answer, Query};
use serde::Deserialize;

const CREATE: Route = Route {
    verb: Verb::Post,
    path: "/v1/refunds",
    scope: Scope::PaymentsWrite,
    key: Key::Required,
};
const LIST: Route = Route {
    verb: Verb::Get,
    path: "/v1/refunds",
    scope: Scope::PaymentsRead,
    key: Key::Ignored,
};
const GET: Route = Route {
    path: "/v1/refunds/{id}",
    ..LIST
};

pub(super) const ROUTES: &[&Route] = &[&CREATE, &LIST, &GET];

pub(super) fn add(router: Router) -> Router {
    let router = CREATE.to(router, create);
    let router = LIST.to(router, list_refunds);
    GET.to(router, get)
}

/// A refund to be made: either `amount`, or `amount_decimal`, or neither for all that is left.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateRefund {
    /// The payment.
    #[schema(value_type = String, example = "pay_01jd0r8gk3v6m1x9q4t7w2y5za")]
    payment: PaymentId,
    /// Minor units; all that is left unless told.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991_u64, example = 250)]
    amount: Option<Minor>,
    /// As a decimal, exact in the currency.
    #[schema(value_type = Option<String>)]
    amount_decimal: Option<DecimalText>,
}

/// Gives money of a captured payment back, wholly or in part, as often as something is left.
#[utoipa::path(post, path = "/v1/refunds", tag = "Payments", request_body = CreateRefund,
    responses((status = 200, body = RefundBody<'static>)))]
pub(crate) async fn create(mut call: Call) -> Result<Reply, Problem> {
    let body: CreateRefund = call.json().await?;
    let payment = body.payment.0;
    let amounts = PartialAmount {
        amount: body.amount,
        amount_decimal: body.amount_decimal,
    };
    let amount = part(&call, &amounts, Query::Payment(payment)).await?;
    let done = call
        .submit(Command::CreateRefund { payment, amount })
        .await?;
    match &done.outcome {
        Outcome::Refund(refund) => done.reply(&RefundBody::new(refund)),
        _ => Err(done.mismatch()),
    }
}

/// Refunds, newest first.
#[utoipa::path(get, path = "/v1/refunds", tag = "Payments",
    params(("payment" = Option<String>, Query, description = "Only those of this payment.")),
    responses((status = 200, body = crate::wire::ListBody<'static, RefundBody<'static>>)))]
pub(crate) async fn list_refunds(call: Call) -> Result<Reply, Problem> {
    let mut params = call.params()?;
    let query = Query::Refunds {
        payment: params.take_id("payment", prefix::PAYMENT)?,
        page: page(&mut params, prefix::REFUND)?,
    };
    params.finish()?;
    let found = call.ask(query).await?;
    match &found.answer {
        Answer::Refunds(refunds) => found.reply(&list(call.route.path, refunds, RefundBody::new)),
        _ => Err(found.missing(Code::RefundNotFound, &"such list")),
    }
}

/// One refund.
#[utoipa::path(get, path = "/v1/refunds/{id}", tag = "Payments",
    params(("id" = String, Path, example = "re_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = RefundBody<'static>)))]
pub(crate) async fn get(call: Call) -> Result<Reply, Problem> {
    call.params()?.finish()?;
    let id = call.id(prefix::REFUND, Code::RefundNotFound)?;
    let found = call.ask(Query::Refund(id)).await?;
    match &found.answer {
        Answer::Refund(refund) => found.reply(&RefundBody::new(refund)),
        _ => Err(found.missing(
            Code::RefundNotFound,
            &format_args!("refund {}", id.display(prefix::REFUND)),
        )),
    }
}
