//! `/v1/transfers/batch`.

use super::transfers::CreateTransfer;
use crate::auth::Scope;
use crate::call::{Call, Reply};
use crate::limits;
use crate::problem::Problem;
use crate::refusal::refused_in_batch;
use crate::route::{Key, Route, Router, Verb};
use crate::wire::{TransferBody, TransferOrError};
use florin_ledger::command::{Command, NewTransfer};
use florin_ledger::effect::Outcome;
use serde::{Deserialize, Serialize};

const CREATE: Route = Route {
    verb: Verb::Post,
    path: "/v1/transfers/batch",
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
#[utoipa::path(post, path = "/v1/transfers/batch", tag = "Ledger", request_body = CreateTransfers,
    responses((status = 200, body = BatchBody<'static>)))]
pub(crate) async fn create(mut call: Call) -> Result<Reply, Problem> {
    let body: CreateTransfers = call.json_within(limits::BATCH_BODY_BYTES).await?;
    let atomic = body.atomic;
    let transfers = parse(body.transfers)?;
    let command = Command::CreateTransfers { atomic, transfers };
    let done = call.submit(command).await?;
    let Outcome::Transfers(results) = &done.outcome else {
        return Err(done.mismatch());
    };
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

fn parse(transfers: Vec<CreateTransfer>) -> Result<Vec<NewTransfer>, Problem> {
    if transfers.is_empty() || transfers.len() > limits::BATCH_TRANSFERS {
        let detail = format!("a batch has 1 to {} transfers", limits::BATCH_TRANSFERS);
        return Err(Problem::invalid("transfers", detail));
    }
    let parse = |(at, transfer): (usize, CreateTransfer)| {
        transfer.parse().map_err(|mut problem| {
            let inner = problem.param.take().unwrap_or_default();
            problem.about(format!("transfers[{at}].{inner}"))
        })
    };
    transfers.into_iter().enumerate().map(parse).collect()
}
