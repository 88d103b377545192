//! `/v1/transfers`, one at a time.

use crate::auth::Scope;
use crate::call::{Call, Done, Reply};
use crate::code::Code;
use crate::parse::{
    AccountId, CurrencyCode, DecimalText, MetadataMap, Minor, Reference, Seconds, amount, page,
};
use crate::problem::Problem;
use crate::route::{Key, Route, Router, Verb};
use crate::wire::{TransferBody, list};
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::command::{Command, NewTransfer};
use florin_ledger::effect::Outcome;
use florin_ledger::id::{Id, prefix};
use florin_ledger::query::{Answer, Query};
use serde::Deserialize;

const CREATE: Route = Route {
    verb: Verb::Post,
    path: "/v1/transfers",
    scope: Scope::LedgerWrite,
    key: Key::Required,
};
const LIST: Route = Route {
    verb: Verb::Get,
    path: "/v1/transfers",
    scope: Scope::LedgerRead,
    key: Key::Ignored,
};
const GET: Route = Route {
    path: "/v1/transfers/{id}",
    ..LIST
};
const POST: Route = Route {
    path: "/v1/transfers/{id}/post",
    ..CREATE
};
const VOID: Route = Route {
    path: "/v1/transfers/{id}/void",
    ..CREATE
};
const REVERSE: Route = Route {
    path: "/v1/transfers/{id}/reverse",
    ..CREATE
};

pub(super) const ROUTES: &[&Route] = &[&CREATE, &LIST, &GET, &POST, &VOID, &REVERSE];

pub(super) fn add(router: Router) -> Router {
    let router = CREATE.to(router, create);
    let router = LIST.to(router, list_transfers);
    let router = GET.to(router, get);
    let router = POST.to(router, post);
    let router = VOID.to(router, void);
    REVERSE.to(router, reverse)
}

/// A transfer to be made: either `amount` or `amount_decimal`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTransfer {
    #[schema(value_type = String, example = "acct_01jd0r8gk3v6m1x9q4t7w2y5za")]
    pub(super) debit_account: AccountId,
    #[schema(value_type = String, example = "acct_01jd0r8gk3v6m1x9q4t7w2y5zb")]
    pub(super) credit_account: AccountId,
    /// Minor units.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991_u64, example = 1000)]
    pub(super) amount: Option<Minor>,
    /// As a decimal, exact in the currency.
    #[schema(value_type = Option<String>)]
    pub(super) amount_decimal: Option<DecimalText>,
    /// ISO 4217, upper case; of both accounts.
    #[schema(value_type = String, example = "USD")]
    pub(super) currency: CurrencyCode,
    /// Hold the money only, until it is posted, voided or expires.
    #[serde(default)]
    pub(super) pending: bool,
    /// With `pending`: seconds until it expires; never unless told.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 315360000)]
    pub(super) expires_in: Option<Seconds>,
    /// The partner's own name; unique among transfers for ever.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    pub(super) reference: Option<Reference>,
    /// Up to 50 keys of 40 characters, values of 500.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    pub(super) metadata: Option<MetadataMap>,
}

impl CreateTransfer {
    pub(super) fn parse(self) -> Result<NewTransfer, Problem> {
        let currency = self.currency.0;
        let amount = amount(self.amount, self.amount_decimal.as_ref(), currency)?;
        let amount = amount.ok_or_else(|| {
            Problem::new(Code::ParameterMissing, "amount is required").about("amount")
        })?;
        if self.expires_in.is_some() && !self.pending {
            let detail = "only a pending transfer expires";
            return Err(Problem::invalid("expires_in", detail));
        }
        Ok(NewTransfer {
            debit_account: self.debit_account.0,
            credit_account: self.credit_account.0,
            amount,
            currency,
            pending: self.pending,
            expires_in: self.expires_in.map(|seconds| seconds.0 * 1_000_000),
            reference: self.reference.map(|reference| reference.0),
            metadata: self.metadata.unwrap_or_default().0,
        })
    }
}

/// Moves money between two accounts, at once or pending.
#[utoipa::path(post, path = "/v1/transfers", tag = "Ledger", request_body = CreateTransfer,
    responses((status = 200, body = TransferBody<'static>)))]
pub(crate) async fn create(mut call: Call) -> Result<Reply, Problem> {
    let body: CreateTransfer = call.json().await?;
    let command = Command::CreateTransfer(body.parse()?);
    reply(&call.submit(command).await?)
}

/// Up to the whole: either `amount`, or `amount_decimal`, or neither for all of it.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartialAmount {
    /// Minor units; all of it unless told.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991_u64)]
    pub(super) amount: Option<Minor>,
    /// As a decimal, exact in the currency.
    #[schema(value_type = Option<String>)]
    pub(super) amount_decimal: Option<DecimalText>,
}

/// No fields at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Posts a pending transfer, wholly or in part; the rest is released.
#[utoipa::path(post, path = "/v1/transfers/{id}/post", tag = "Ledger", request_body = Option<PartialAmount>,
    params(("id" = String, Path, example = "tr_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = TransferBody<'static>)))]
pub(crate) async fn post(mut call: Call) -> Result<Reply, Problem> {
    let transfer = call.id(prefix::TRANSFER, Code::TransferNotFound)?;
    let body: PartialAmount = call.json_or_empty().await?;
    let amount = part(&call, &body, Query::Transfer(transfer)).await?;
    reply(
        &call
            .submit(Command::PostTransfer { transfer, amount })
            .await?,
    )
}

/// Voids a pending transfer: the money is released.
#[utoipa::path(post, path = "/v1/transfers/{id}/void", tag = "Ledger",
    params(("id" = String, Path, example = "tr_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = TransferBody<'static>)))]
pub(crate) async fn void(mut call: Call) -> Result<Reply, Problem> {
    let transfer = call.id(prefix::TRANSFER, Code::TransferNotFound)?;
    let Nothing {} = call.json_or_empty().await?;
    reply(&call.submit(Command::VoidTransfer { transfer }).await?)
}

/// Reverses a posted transfer by an opposite one, which `reversed_by` names.
#[utoipa::path(post, path = "/v1/transfers/{id}/reverse", tag = "Ledger",
    params(("id" = String, Path, example = "tr_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = TransferBody<'static>)))]
pub(crate) async fn reverse(mut call: Call) -> Result<Reply, Problem> {
    let transfer = call.id(prefix::TRANSFER, Code::TransferNotFound)?;
    let Nothing {} = call.json_or_empty().await?;
    reply(&call.submit(Command::ReverseTransfer { transfer }).await?)
}

/// Transfers, newest first; those that payments made are seen through their payments.
#[utoipa::path(get, path = "/v1/transfers", tag = "Ledger",
    params(("reference" = Option<String>, Query, description = "Only the one with this reference.")),
    responses((status = 200, body = crate::wire::ListBody<'static, TransferBody<'static>>)))]
pub(crate) async fn list_transfers(call: Call) -> Result<Reply, Problem> {
    let mut params = call.params()?;
    let query = Query::Transfers {
        reference: params.take_reference()?,
        page: page(&mut params, prefix::TRANSFER)?,
    };
    params.finish()?;
    let found = call.ask(query).await?;
    match &found.answer {
        Answer::Transfers(transfers) => {
            found.reply(&list(call.route.path, transfers, TransferBody::new))
        }
        _ => Err(found.missing(Code::TransferNotFound, &"such list")),
    }
}

/// One transfer.
#[utoipa::path(get, path = "/v1/transfers/{id}", tag = "Ledger",
    params(("id" = String, Path, example = "tr_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = TransferBody<'static>)))]
pub(crate) async fn get(call: Call) -> Result<Reply, Problem> {
    call.params()?.finish()?;
    let id = call.id(prefix::TRANSFER, Code::TransferNotFound)?;
    let found = call.ask(Query::Transfer(id)).await?;
    match &found.answer {
        Answer::Transfer(transfer) => found.reply(&TransferBody::new(transfer)),
        _ => Err(found.missing(Code::TransferNotFound, &unknown(id))),
    }
}

fn reply(done: &Done) -> Result<Reply, Problem> {
    match &done.outcome {
        Outcome::Transfer(transfer) => done.reply(&TransferBody::new(transfer)),
        _ => Err(done.mismatch()),
    }
}

fn unknown(id: Id) -> String {
    format!("transfer {}", id.display(prefix::TRANSFER))
}

/// The amount of a request that names no currency: a decimal is in that of the object. Writes do
/// not heed `Consistency`, and an object that is there must not be denied, so it is looked up as
/// fresh as can be.
pub(super) async fn part(
    call: &Call,
    body: &PartialAmount,
    object: Query,
) -> Result<Option<Amount>, Problem> {
    match (body.amount, &body.amount_decimal) {
        (Some(Minor(amount)), None) => Ok(Some(amount)),
        (None, None) => Ok(None),
        (minor, decimal) => amount(minor, decimal.as_ref(), currency(call, object).await?),
    }
}

async fn currency(call: &Call, object: Query) -> Result<Currency, Problem> {
    let found = call.ask_linearizably(object.clone()).await?;
    match (&found.answer, object) {
        (Answer::Transfer(transfer), _) => Ok(transfer.currency),
        (Answer::Payment(payment), _) => Ok(payment.currency),
        (_, Query::Payment(id)) => {
            let what = format!("payment {}", id.display(prefix::PAYMENT));
            Err(found.missing(Code::PaymentNotFound, &what))
        }
        (_, Query::Transfer(id)) => Err(found.missing(Code::TransferNotFound, &unknown(id))),
        _ => Err(found.missing(Code::InternalError, &"such object")),
    }
}
