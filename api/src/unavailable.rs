//! What the way to the ledger could not do, in the words of the API.

use crate::code::Code;
use crate::problem::Problem;
use florin_shards::{ReadError, SubmitError};

/// Why a command was not answered.
pub(crate) fn submit(error: SubmitError) -> Problem {
    let (code, detail, wait) = match error {
        SubmitError::Busy { retry_after } => (
            Code::Busy,
            "too much is waiting already; nothing was done",
            Some(retry_after),
        ),
        SubmitError::NoLeader => (
            Code::NoLeader,
            "the partner's group has no leader now; nothing was done",
            None,
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
            None,
        ),
        SubmitError::TooLarge => {
            let detail = "the command is larger than what a group takes; send it in parts";
            return Problem::new(Code::RequestTooLarge, detail);
        }
        SubmitError::PartnerUnknown | SubmitError::NotReady => (
            Code::NotReady,
            "the directory does not say yet where this ledger is; nothing was done",
            None,
        ),
        SubmitError::Rejected(reason) => {
            tracing::error!(reason, "a node refused a command as malformed");
            let detail = "a node refused the command; nothing was done";
            return Problem::new(Code::InternalError, detail);
        }
    };
    Problem {
        retry_after: wait,
        ..Problem::new(code, detail)
    }
}

/// Why a question was not answered.
pub(crate) fn read(error: ReadError) -> Problem {
    let (code, detail, wait) = match error {
        ReadError::Busy { retry_after } => {
            (Code::Busy, "too much is waiting already", Some(retry_after))
        }
        ReadError::NoLeader => (
            Code::NoLeader,
            "no replica that may answer could be reached; \
             Consistency: stale asks whichever there is",
            None,
        ),
        ReadError::NotFreshYet => (
            Code::NotFreshYet,
            "no replica has seen yet what the consistency token names",
            None,
        ),
        ReadError::TokenOfOtherGroup(_) => {
            let detail = "the token is of a group that does not hold this ledger";
            return Problem::invalid("Consistency-Token", detail);
        }
        ReadError::PartnerUnknown | ReadError::NotReady => (
            Code::NotReady,
            "the directory does not say yet where this ledger is",
            None,
        ),
        ReadError::Rejected(reason) => {
            tracing::error!(reason, "a node refused a question as malformed");
            let detail = "a node refused the question";
            return Problem::new(Code::InternalError, detail);
        }
    };
    Problem {
        retry_after: wait,
        ..Problem::new(code, detail)
    }
}

/// Why the directory could not be asked.
pub(crate) fn directory(error: ReadError) -> Problem {
    let detail = match &error {
        ReadError::NoLeader => "the directory has no leader now; nothing was done",
        ReadError::PartnerUnknown | ReadError::NotReady => {
            "this frontend has not received the directory yet; nothing was done"
        }
        _ => return read(error),
    };
    Problem {
        detail: detail.into(),
        ..read(error)
    }
}
