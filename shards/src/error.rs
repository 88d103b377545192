//! Why a command or a question did not get its answer.

use crate::attempt::GiveUp;
use crate::limits::RETRY_AFTER;
use florin_failpoints::mutant;
use florin_ledger::directory::DirectoryRefusal;
use florin_ledger::id::GroupId;
use std::time::Duration;

/// Why a command was not answered. All but [`SubmitError::OutcomeUnknown`] mean: surely not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// A queue on the way is full.
    #[error("too much is waiting already")]
    Busy {
        /// What a client should wait.
        retry_after: Duration,
    },
    /// The group has no leader that could be reached before the deadline.
    #[error("no leader could be reached")]
    NoLeader,
    /// It was handed over and not answered: applied, or not.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// The leader's disk is full.
    #[error("the leader's disk is full")]
    DiskFull,
    /// The directory does not know the partner.
    #[error("the partner is unknown")]
    PartnerUnknown,
    /// No directory was received yet.
    #[error("the directory was not received yet")]
    NotReady,
    /// The command is larger than what a group takes.
    #[error("the command is too large")]
    TooLarge,
    /// A node refused the request as malformed or misplaced; a defect, not a matter of retrying.
    #[error("a node refused the request: {0}")]
    Rejected(String),
}

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A queue on the way is full.
    #[error("too much is waiting already")]
    Busy {
        /// What a client should wait.
        retry_after: Duration,
    },
    /// No replica that may answer could be reached before the deadline.
    #[error("no leader could be reached")]
    NoLeader,
    /// No replica had seen what the token names before the deadline.
    #[error("no replica is fresh enough yet")]
    NotFreshYet,
    /// The token belongs to another group than the ledger: the partner has moved, or it is forged.
    #[error("the token is of group {}, the ledger lives elsewhere", .0.0)]
    TokenOfOtherGroup(GroupId),
    /// The directory does not know the partner.
    #[error("the partner is unknown")]
    PartnerUnknown,
    /// No directory was received yet.
    #[error("the directory was not received yet")]
    NotReady,
    /// A node refused the request as malformed or misplaced; a defect, not a matter of retrying.
    #[error("a node refused the request: {0}")]
    Rejected(String),
}

/// Why a ledger has no group that could be asked.
pub(crate) enum Unplaced {
    NotReady,
    PartnerUnknown,
}

impl From<Unplaced> for SubmitError {
    fn from(why: Unplaced) -> SubmitError {
        match why {
            Unplaced::NotReady => SubmitError::NotReady,
            Unplaced::PartnerUnknown => SubmitError::PartnerUnknown,
        }
    }
}

impl From<Unplaced> for ReadError {
    fn from(why: Unplaced) -> ReadError {
        match why {
            Unplaced::NotReady => ReadError::NotReady,
            Unplaced::PartnerUnknown => ReadError::PartnerUnknown,
        }
    }
}

impl From<GiveUp> for SubmitError {
    fn from(why: GiveUp) -> SubmitError {
        match why {
            GiveUp::Busy => SubmitError::Busy {
                retry_after: RETRY_AFTER,
            },
            GiveUp::DiskFull => SubmitError::DiskFull,
            GiveUp::TooLarge => SubmitError::TooLarge,
            // Commands ask for no freshness.
            GiveUp::NoLeader | GiveUp::NotFresh => SubmitError::NoLeader,
            GiveUp::Rejected(why) => SubmitError::Rejected(why),
            GiveUp::Unknown if mutant!("time-out-reported-as-failure") => SubmitError::NoLeader,
            GiveUp::Unknown => SubmitError::OutcomeUnknown,
        }
    }
}

impl From<GiveUp> for ReadError {
    fn from(why: GiveUp) -> ReadError {
        match why {
            GiveUp::Busy => ReadError::Busy {
                retry_after: RETRY_AFTER,
            },
            GiveUp::NotFresh => ReadError::NotFreshYet,
            // Of these, a question only meets the first: it has no effect and takes no room.
            GiveUp::NoLeader | GiveUp::Unknown | GiveUp::DiskFull | GiveUp::TooLarge => {
                ReadError::NoLeader
            }
            GiveUp::Rejected(why) => ReadError::Rejected(why),
        }
    }
}

/// Why the directory did not change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The directory said no.
    #[error("the directory refused: {0:?}")]
    Refused(DirectoryRefusal),
    /// The key was used for another request.
    #[error("the key was used for another request")]
    KeyReused,
    /// It was not answered.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}
