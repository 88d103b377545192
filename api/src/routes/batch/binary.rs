//! The request of a batch in its binary form (`proto/transfers.proto`).

use super::{CreateTransfers, at_place, wrong_count};
use crate::limits;
use crate::parse::protobuf::{Fields, Value, about, put, required, unknown};
use crate::parse::{AccountId, MetadataMap, Minor, Short};
use crate::problem::Problem;
use crate::routes::transfers::CreateTransfer;

/// Reads it, by the same rules as JSON.
pub(super) fn parse(body: &[u8]) -> Result<CreateTransfers, Problem> {
    let mut atomic = None;
    let mut transfers = Vec::new();
    let mut fields = Fields::of(body);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => put(&mut atomic, "atomic", value.truth())?,
            // Not one more than there may be: bytes cost the sender little and us much.
            2 if transfers.len() == limits::BATCH_TRANSFERS => return Err(wrong_count()),
            2 => {
                let message = about("transfers", value.bytes())?;
                let read = transfer(message).map_err(|why| at_place(transfers.len(), why));
                transfers.push(read?);
            }
            other => return Err(unknown(other)),
        }
    }
    Ok(CreateTransfers {
        atomic: required(atomic, "atomic")?,
        transfers,
    })
}

fn transfer(message: &[u8]) -> Result<CreateTransfer, Problem> {
    let (mut debit_account, mut credit_account) = (None, None);
    let (mut amount, mut currency, mut pending) = (None, None, None);
    let (mut expires_in, mut reference, mut metadata) = (None, None, None);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => put(&mut debit_account, "debit_account", value.id())?,
            2 => put(&mut credit_account, "credit_account", value.id())?,
            3 => put(&mut amount, "amount", value.amount())?,
            4 => put(&mut currency, "currency", value.currency())?,
            5 => put(&mut pending, "pending", value.truth())?,
            6 => put(&mut expires_in, "expires_in", value.whole())?,
            7 => put(&mut reference, "reference", value.short(limits::REFERENCE))?,
            8 => note(metadata.get_or_insert_default(), value)?,
            other => return Err(unknown(other)),
        }
    }
    Ok(CreateTransfer {
        debit_account: AccountId(required(debit_account, "debit_account")?),
        credit_account: AccountId(required(credit_account, "credit_account")?),
        amount: amount.map(Minor),
        amount_decimal: None,
        currency: required(currency, "currency")?,
        pending: pending.unwrap_or(false),
        expires_in,
        reference: reference.map(Short),
        metadata,
    })
}

/// One entry of the metadata. Writers leave out what is empty.
fn note(metadata: &mut MetadataMap, entry: Value<'_>) -> Result<(), Problem> {
    let (mut key, mut value) = (None, None);
    let mut fields = Fields::of(about("metadata", entry.bytes())?);
    while let Some((number, part)) = fields.next()? {
        match number {
            1 => put(&mut key, "metadata", part.text())?,
            2 => put(&mut value, "metadata", part.text())?,
            other => return Err(unknown(other).about("metadata")),
        }
    }
    let added = metadata.add(key.unwrap_or_default(), value.unwrap_or_default());
    about("metadata", added)
}
