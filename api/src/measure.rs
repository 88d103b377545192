//! The only conversions in and out, without a connection around them, for benches: what a request
//! and its answer cost as bytes.

use crate::call::Form;
use crate::parse;
use crate::problem::Problem;
use crate::routes::{batch, payments};
use crate::wire::{BatchWriter, PaymentBody, TransferBody};
use florin_ledger::command::{NewPayment, NewTransfer};
use florin_ledger::object::{Payment, Transfer};

/// What a request says, or the code of the error that it is answered with.
pub type Parsed<T> = Result<T, &'static str>;

/// The body of `POST /v1/payments`.
pub fn payment_in(body: &[u8]) -> Parsed<NewPayment> {
    let parsed = parse::parse(body).and_then(payments::CreatePayment::parse);
    parsed.map_err(code)
}

/// The answer to it.
pub fn payment_out(payment: &Payment) -> Vec<u8> {
    json(&PaymentBody::new(payment))
}

/// The body of `POST /v1/transfers/batch` in JSON.
pub fn batch_in_json(body: &[u8]) -> Parsed<(bool, Vec<NewTransfer>)> {
    batch::parse(Form::Json, body).map_err(code)
}

/// The same in protobuf.
pub fn batch_in_protobuf(body: &[u8]) -> Parsed<(bool, Vec<NewTransfer>)> {
    batch::parse(Form::Protobuf, body).map_err(code)
}

/// The `data` of its answer in JSON, if every transfer was made.
pub fn transfers_out_json(transfers: &[Transfer]) -> Vec<u8> {
    json(&transfers.iter().map(TransferBody::new).collect::<Vec<_>>())
}

/// The same in protobuf.
pub fn transfers_out_protobuf(transfers: &[Transfer]) -> Vec<u8> {
    let mut answer = BatchWriter::new(false, transfers.len());
    transfers.iter().for_each(|one| answer.transfer(one));
    answer.finish()
}

fn json(body: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    // Plain structs are always JSON, and a vector has room.
    let _ = serde_json::to_writer(&mut bytes, body);
    bytes
}

fn code(problem: Problem) -> &'static str {
    problem.code.name()
}
