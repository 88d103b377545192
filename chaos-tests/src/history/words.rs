//! Operations in words, for verdicts.

use super::{Answer, Operation, Request};
use std::fmt;

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.session, self.request)?;
        if let Some(key) = &self.key {
            write!(f, " by key {key}")?;
        }
        write!(f, ", {}..{} us", self.invoked, self.returned)?;
        write!(f, ", {}", self.answer)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Payment {
                source,
                destination,
                amount,
            } => write!(f, "pays {amount} from {source} to {destination}"),
            Request::Transfer {
                debit,
                credit,
                amount,
            } => write!(f, "transfers {amount} from {debit} to {credit}"),
            Request::Balance { account } => write!(f, "reads {account}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Acknowledged { id, amount } => write!(f, "acknowledged {id} of {amount}"),
            Answer::Balance { balance, sequence } => {
                write!(f, "{balance} after entry {sequence}")
            }
            Answer::Refused { code } => write!(f, "refused {code}"),
            Answer::SurelyNot => f.write_str("surely not done"),
            Answer::Unknown => f.write_str("unknown"),
        }
    }
}
