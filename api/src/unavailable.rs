//! What the way to the ledger could not do, in the words of the API.

use crate::code::Code;
use crate::problem::Problem;
use florin_shards::{ReadError, SubmitError};
use std::time::Duration;

/// What a client should wait where the cluster did not say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a command was not answered.
pub(crate) fn submit(error: SubmitError) -> Problem {
    let (code, detail, wait) = match error {
        SubmitError::Busy { retry_after } => (
            Code::Busy,
            "too much is waiting already; nothing was done",
            retry_after,
        ),
        SubmitError::NoLeader => (
            Code::NoLeader,
            "the partner's group has no leader now; nothing was done",
            RETRY_AFTER,
        ),
        SubmitError::OutcomeUnknown => {
            return Problem::new(
                Code::OutcomeUnknown,
                "the request may have been applied; send it again with the same idempotency key",
            );
        }
        SubmitError::DiskFull => (
            Code::DiskFull,
            "the group's disk is full; nothing was done",
            RETRY_AFTER,
        ),
        SubmitError::TooLarge => {
            let detail = "the command is larger than what a group takes; send it in parts";
            return Problem::new(Code::RequestTooLarge, detail);
        }
        SubmitError::PartnerUnknown | SubmitError::NotReady => (
            Code::NotReady,
            "the directory does not say yet where this ledger is; nothing was done",
            RETRY_AFTER,
        ),
        SubmitError::Rejected(reason) => {
            tracing::error!(reason, "a node refused a command as malformed");
            let detail = "a node refused the command; nothing was done";
            return Problem::new(Code::InternalError, detail);
        }
    };
    Problem::new(code, detail).retry_after(wait)
}

/// Why a question was not answered.
pub(crate) fn read(error: ReadError) -> Problem {
    let (code, detail, wait) = match error {
        ReadError::Busy { retry_after } => (Code::Busy, "too much is waiting already", retry_after),
        ReadError::NoLeader => (
            Code::NoLeader,
            "no replica that may answer could be reached; \
             Consistency: stale asks whichever there is",
            RETRY_AFTER,
        ),
        ReadError::NotFreshYet => (
            Code::NotFreshYet,
            "no replica has seen yet what the consistency token names",
            RETRY_AFTER,
        ),
        ReadError::TokenOfOtherGroup(_) => {
            let detail = "the token is of a group that does not hold this ledger";
            return Problem::invalid("Consistency-Token", detail);
        }
        ReadError::PartnerUnknown | ReadError::NotReady => (
            Code::NotReady,
            "the directory does not say yet where this ledger is",
            RETRY_AFTER,
        ),
        ReadError::Rejected(reason) => {
            tracing::error!(reason, "a node refused a question as malformed");
            let detail = "a node refused the question";
            return Problem::new(Code::InternalError, detail);
        }
    };
    Problem::new(code, detail).retry_after(wait)
}
