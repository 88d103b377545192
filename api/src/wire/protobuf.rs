//! Answers to batches in their binary form, written straight into the answer's buffer.

use crate::problem::Problem;
use crate::proto::TransferStatus as Status;
use florin_ledger::command::Metadata;
use florin_ledger::object::{Transfer, TransferStatus};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// About as long as a transfer without reference and metadata is.
const USUAL: usize = 112;

/// Writes a `TransferBatch`, a result at a time.
pub(crate) struct BatchWriter {
    bytes: Vec<u8>,
    /// One transfer or error: its length stands before it and is not known until it is written.
    inner: Vec<u8>,
}

impl BatchWriter {
    /// For this many results.
    pub(crate) fn new(atomic: bool, results: usize) -> BatchWriter {
        let mut bytes = Vec::with_capacity(results * USUAL);
        number(&mut bytes, 1, u64::from(atomic));
        BatchWriter {
            bytes,
            inner: Vec::with_capacity(USUAL),
        }
    }

    /// It was made.
    pub(crate) fn transfer(&mut self, transfer: &Transfer) {
        let to = &mut self.inner;
        let status = match transfer.status {
            TransferStatus::Posted => Status::Posted,
            TransferStatus::Pending => Status::Pending,
            // A batch makes none of these, and its answer tells how things stood then.
            TransferStatus::Voided | TransferStatus::Expired | TransferStatus::Reversed => {
                Status::Unspecified
            }
        };
        text(to, 1, &transfer.id.0.to_be_bytes());
        number(to, 2, status as u64);
        number(to, 3, minor(transfer.amount.get()));
        number(to, 4, minor(transfer.amount_posted));
        text(to, 5, transfer.currency.code().as_bytes());
        text(to, 6, &transfer.debit_account.0.to_be_bytes());
        text(to, 7, &transfer.credit_account.0.to_be_bytes());
        if let Some(time) = transfer.expires_at {
            number(to, 8, time.0);
        }
        if let Some(reference) = &transfer.reference {
            text(to, 9, reference.as_bytes());
        }
        metadata(to, 10, &transfer.metadata);
        number(to, 11, transfer.created.0);
        self.result(1);
    }

    /// It was refused.
    pub(crate) fn refused(&mut self, problem: &Problem) {
        let to = &mut self.inner;
        text(to, 1, problem.code.error_type().name().as_bytes());
        text(to, 2, problem.code.name().as_bytes());
        if let Some(param) = &problem.param {
            text(to, 3, param.as_bytes());
        }
        number(to, 4, u64::from(problem.code.retryable()));
        text(to, 5, problem.detail.as_bytes());
        self.result(2);
    }

    /// The whole answer.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Wraps what was written last in a `TransferResult`.
    fn result(&mut self, field: u32) {
        let length = self.inner.len();
        let wrapped = 1 + encoded_len_varint(length as u64) + length;
        encode_key(2, WireType::LengthDelimited, &mut self.bytes);
        encode_varint(wrapped as u64, &mut self.bytes);
        text(&mut self.bytes, field, &self.inner);
        self.inner.clear();
    }
}

/// A number; zero is what an absent one means.
fn number(to: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        encode_key(field, WireType::Varint, to);
        encode_varint(value, to);
    }
}

fn text(to: &mut Vec<u8>, field: u32, value: &[u8]) {
    encode_key(field, WireType::LengthDelimited, to);
    encode_varint(value.len() as u64, to);
    to.extend_from_slice(value);
}

/// A map is a list of entries, each a message of key and value.
fn metadata(to: &mut Vec<u8>, field: u32, metadata: &Metadata) {
    let mut entry = Vec::new();
    for (key, value) in metadata {
        entry.clear();
        text(&mut entry, 1, key.as_bytes());
        text(&mut entry, 2, value.as_bytes());
        text(to, field, &entry);
    }
}

/// Requests hold at most 2^53-1, and what was posted is no more than that.
fn minor(amount: i128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}
