//! `/v1/accounts`.

use crate::auth::Scope;
use crate::call::{Call, Reply};
use crate::code::Code;
use crate::limits;
use crate::parse::{CurrencyCode, MetadataMap, Reference, Whole, entry_page, page, sequence, time};
use crate::problem::Problem;
use crate::route::{Key, Route, Router, Verb};
use crate::wire::{AccountBody, BalanceBody, ConstraintWord, EntryBody, KindWord, list};
use florin_ledger::command::{Command, NewAccount};
use florin_ledger::effect::Outcome;
use florin_ledger::id::prefix;
use florin_ledger::query::{Answer, At, Query};
use serde::Deserialize;

const CREATE: Route = Route {
    verb: Verb::Post,
    path: "/v1/accounts",
    scope: Scope::LedgerWrite,
    key: Key::Optional,
};
const LIST: Route = Route {
    verb: Verb::Get,
    path: "/v1/accounts",
    scope: Scope::LedgerRead,
    key: Key::Ignored,
};
const GET: Route = Route {
    path: "/v1/accounts/{id}",
    ..LIST
};
const BALANCE: Route = Route {
    path: "/v1/accounts/{id}/balance",
    ..LIST
};
const ENTRIES: Route = Route {
    path: "/v1/accounts/{id}/entries",
    ..LIST
};

pub(super) const ROUTES: &[&Route] = &[&CREATE, &LIST, &GET, &BALANCE, &ENTRIES];

pub(super) fn add(router: Router) -> Router {
    let router = CREATE.to(router, create);
    let router = LIST.to(router, list_accounts);
    let router = GET.to(router, get);
    let router = BALANCE.to(router, balance);
    ENTRIES.to(router, entries)
}

/// An account to be opened.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateAccount {
    /// ISO 4217, upper case.
    #[schema(value_type = String, example = "USD")]
    currency: CurrencyCode,
    kind: KindWord,
    #[serde(default)]
    constraint: ConstraintWord,
    /// By how much the constraint may be passed, minor units.
    #[schema(value_type = Option<u64>, maximum = 9007199254740991_u64)]
    overdraft_limit: Option<Whole<0, { limits::AMOUNT }>>,
    /// The partner's own name; unique among accounts for ever.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    reference: Option<Reference>,
    /// Up to 50 keys of 40 characters, values of 500.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    metadata: Option<MetadataMap>,
}

/// Opens an account.
#[utoipa::path(post, path = "/v1/accounts", tag = "Ledger", request_body = CreateAccount,
    responses((status = 200, body = AccountBody<'static>)))]
pub(crate) async fn create(mut call: Call) -> Result<Reply, Problem> {
    let body: CreateAccount = call.json().await?;
    let command = Command::CreateAccount(NewAccount {
        currency: body.currency.0,
        kind: body.kind.into(),
        constraint: body.constraint.into(),
        overdraft_limit: body.overdraft_limit.map_or(0, |limit| limit.0.into()),
        reference: body.reference.map(|reference| reference.0),
        metadata: body.metadata.unwrap_or_default().0,
    });
    let done = call.submit(command).await?;
    match &done.outcome {
        Outcome::Account(account) => done.reply(&AccountBody::new(account)),
        _ => Err(done.mismatch()),
    }
}

/// Accounts, newest first.
#[utoipa::path(get, path = "/v1/accounts", tag = "Ledger",
    params(("reference" = Option<String>, Query, description = "Only the one with this reference."),
        ("currency" = Option<String>, Query, description = "Only those of this currency.")),
    responses((status = 200, body = crate::wire::ListBody<'static, AccountBody<'static>>)))]
pub(crate) async fn list_accounts(call: Call) -> Result<Reply, Problem> {
    let mut params = call.params()?;
    let query = Query::Accounts {
        reference: params.take_reference()?,
        currency: params.take_currency()?,
        page: page(&mut params, prefix::ACCOUNT)?,
    };
    params.finish()?;
    let found = call.ask(query).await?;
    match &found.answer {
        Answer::Accounts(accounts) => {
            found.reply(&list(call.route.path, accounts, AccountBody::new))
        }
        _ => Err(found.missing(Code::AccountNotFound, &"such list")),
    }
}

/// One account.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "Ledger",
    params(("id" = String, Path, example = "acct_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = AccountBody<'static>)))]
pub(crate) async fn get(call: Call) -> Result<Reply, Problem> {
    call.params()?.finish()?;
    let id = call.id(prefix::ACCOUNT, Code::AccountNotFound)?;
    let found = call.ask(Query::Account(id)).await?;
    match &found.answer {
        Answer::Account(account) => found.reply(&AccountBody::new(account)),
        _ => Err(found.missing(
            Code::AccountNotFound,
            &format_args!("account {}", id.display(prefix::ACCOUNT)),
        )),
    }
}

/// An account's balance, now or at a past time or sequence.
#[utoipa::path(get, path = "/v1/accounts/{id}/balance", tag = "Ledger",
    params(("id" = String, Path, example = "acct_01jd0r8gk3v6m1x9q4t7w2y5za"),
        ("at" = Option<String>, Query, description = "An RFC 3339 time or an entry's sequence; now unless told.")),
    responses((status = 200, body = BalanceBody<'static>)))]
pub(crate) async fn balance(call: Call) -> Result<Reply, Problem> {
    let mut params = call.params()?;
    let at = params.take_as("at", moment)?;
    params.finish()?;
    let id = call.id(prefix::ACCOUNT, Code::AccountNotFound)?;
    let found = call.ask(Query::Balance { account: id, at }).await?;
    match &found.answer {
        Answer::Balance {
            account,
            totals,
            sequence,
            as_of,
        } => found.reply(&BalanceBody::new(account, totals, *sequence, *as_of)),
        Answer::NoSuchEntry { newest } => {
            let detail = format!("the account's newest entry has the sequence {newest}");
            Err(Problem::invalid("at", detail))
        }
        _ => Err(found.missing(
            Code::AccountNotFound,
            &format_args!("account {}", id.display(prefix::ACCOUNT)),
        )),
    }
}

/// An account's entries with running balances, newest first. The cursors are sequences.
#[utoipa::path(get, path = "/v1/accounts/{id}/entries", tag = "Ledger",
    params(("id" = String, Path, example = "acct_01jd0r8gk3v6m1x9q4t7w2y5za")),
    responses((status = 200, body = crate::wire::ListBody<'static, EntryBody<'static>>)))]
pub(crate) async fn entries(call: Call) -> Result<Reply, Problem> {
    let mut params = call.params()?;
    let page = entry_page(&mut params)?;
    params.finish()?;
    let id = call.id(prefix::ACCOUNT, Code::AccountNotFound)?;
    let found = call.ask(Query::Entries { account: id, page }).await?;
    match &found.answer {
        Answer::Entries(account, entries) => {
            let url = call.parts.uri.path();
            found.reply(&list(url, entries, |entry| EntryBody::new(account, entry)))
        }
        _ => Err(found.missing(
            Code::AccountNotFound,
            &format_args!("account {}", id.display(prefix::ACCOUNT)),
        )),
    }
}

/// A time or a sequence.
fn moment(text: &str) -> Result<At, String> {
    if let Ok(sequence) = sequence(text) {
        return Ok(At::Sequence(sequence));
    }
    time(text)
        .map(At::Time)
        .map_err(|_| "an RFC 3339 time or an entry's sequence is expected".to_owned())
}
