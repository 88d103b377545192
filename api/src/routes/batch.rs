//! `/v1/transfers/batch`, in JSON and in protobuf.

mod binary;

use super::transfers::CreateTransfer;
use crate::auth::Scope;
use crate::call::{Call, Done, Form, Reply};
use crate::limits;
use crate::parse;
use crate::problem::Problem;
use crate::refusal::refused_in_batch;
use crate::route::{Key, Route, Router, Verb};
use crate::wire::{BatchWriter, TransferBody, TransferOrError};
use florin_ledger::command::{Command, NewTransfer};
use florin_ledger::effect::{Outcome, Refusal};
use florin_ledger::object::Transfer;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

/// Where batches are sent to.
pub(crate) const PATH: &str = "/v1/transfers/batch";

const CREATE: Route = Route {
    verb: Verb::Post,
    path: PATH,
    scope: Scope::LedgerWrite,
    key: Key::Required,
};

pub(super) const ROUTES: &[&Route] = &[&CREATE];

pub(super) fn add(router: Router) -> Router {
    CREATE.to(router, create)
}

/// Many transfers.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTransfers {
    /// All or none; each on its own otherwise.
    atomic: bool,
    /// In order.
    #[schema(min_items = 1, max_items = 8190)]
    transfers: Vec<CreateTransfer>,
}

/// The answers to a batch.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TransferBatch)]
pub(crate) struct BatchBody<'a> {
    /// Always `transfer_batch`.
    object: &'static str,
    /// As asked for.
    atomic: bool,
    /// One for each transfer, in order.
    data: Vec<TransferOrError<'a>>,
}

/// Makes up to 8,190 transfers, all or none (`atomic`) or each on its own.
///
/// As `application/x-protobuf`, request and answer are the messages `CreateTransfers` and
/// `TransferBatch` of `api/proto/transfers.proto`; the same request in either form has the same
/// fingerprint. Errors are always JSON.
#[utoipa::path(post, path = "/v1/transfers/batch", tag = "Ledger",
    request_body(content((CreateTransfers = "application/json"), (Binary = "application/x-protobuf"))),
    responses((status = 200, content((BatchBody<'static> = "application/json"), (Binary = "application/x-protobuf")))))]
pub(crate) async fn create(mut call: Call) -> Result<Reply, Problem> {
    let (form, body) = call.in_either_form(limits::BATCH_BODY_BYTES).await?;
    let (atomic, transfers) = parse(form, &body)?;
    let command = Command::CreateTransfers { atomic, transfers };
    let done = call.submit(command).await?;
    let Outcome::Transfers(results) = &done.outcome else {
        return Err(done.mismatch());
    };
    match form {
        Form::Json => in_json(&done, atomic, results),
        Form::Protobuf => Ok(in_protobuf(&done, atomic, results)),
    }
}

/// Reads a request in either form, by the same rules.
pub(crate) fn parse(form: Form, body: &[u8]) -> Result<(bool, Vec<NewTransfer>), Problem> {
    let body: CreateTransfers = match form {
        Form::Json => parse::parse(body)?,
        Form::Protobuf => binary::parse(body)?,
    };
    Ok((body.atomic, checked(body.transfers)?))
}

/// A message of `api/proto/transfers.proto`, for the documents: no value of it is ever made.
pub(crate) enum Binary {}

impl utoipa::PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("A message of `api/proto/transfers.proto`."))
            .into()
    }
}

impl utoipa::ToSchema for Binary {}

fn in_json(
    done: &Done,
    atomic: bool,
    results: &[Result<Transfer, Refusal>],
) -> Result<Reply, Problem> {
    let problems: Vec<Option<Problem>> = results
        .iter()
        .enumerate()
        .map(|(at, result)| {
            let refusal = result.as_ref().err()?;
            Some(refused_in_batch(refusal, at, &done.command))
        })
        .collect();
    let data = results
        .iter()
        .zip(&problems)
        .filter_map(|pair| match pair {
            (Ok(transfer), _) => Some(TransferOrError::Transfer(Box::new(TransferBody::new(
                transfer,
            )))),
            (Err(_), Some(problem)) => Some(TransferOrError::Refused {
                error: problem.error(),
            }),
            (Err(_), None) => None,
        })
        .collect();
    done.reply(&BatchBody {
        object: "transfer_batch",
        atomic,
        data,
    })
}

fn in_protobuf(done: &Done, atomic: bool, results: &[Result<Transfer, Refusal>]) -> Reply {
    let mut answer = BatchWriter::new(atomic, results.len());
    for (at, result) in results.iter().enumerate() {
        match result {
            Ok(transfer) => answer.transfer(transfer),
            Err(refusal) => answer.refused(&refused_in_batch(refusal, at, &done.command)),
        }
    }
    done.reply_with(Form::Protobuf, answer.finish())
}

fn checked(transfers: Vec<CreateTransfer>) -> Result<Vec<NewTransfer>, Problem> {
    if transfers.is_empty() || transfers.len() > limits::BATCH_TRANSFERS {
        return Err(wrong_count());
    }
    let parse =
        |(at, transfer): (usize, CreateTransfer)| transfer.parse().map_err(|why| at_place(at, why));
    transfers.into_iter().enumerate().map(parse).collect()
}

fn wrong_count() -> Problem {
    let detail = format!("a batch has 1 to {} transfers", limits::BATCH_TRANSFERS);
    Problem::invalid("transfers", detail)
}

/// Says which transfer a field belongs to; bytes that are no message have no fields.
fn at_place(at: usize, mut problem: Problem) -> Problem {
    match problem.param.take() {
        Some(inner) => problem.about(format!("transfers[{at}].{inner}")),
        None => problem.about(format!("transfers[{at}]")),
    }
}
