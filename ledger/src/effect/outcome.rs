//! What a decision means to the one who asked: whole objects.

use super::{Effect, Refusal};
use crate::command::Envelope;
use crate::directory::DirectoryEffect;
use crate::id::Position;
use crate::object::{Account, Payment, Refund, Transfer};
use serde::{Deserialize, Serialize};

/// The answer to a command, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The rules said no.
    Refused(Refusal),
    /// The account, as it was opened.
    Account(Account),
    /// The transfer, as it stood after the command.
    Transfer(Transfer),
    /// One for each transfer of the batch, in order.
    Transfers(Vec<Result<Transfer, Refusal>>),
    /// The payment, as it stood after the command.
    Payment(Payment),
    /// The refund.
    Refund(Refund),
    /// The item of the directory.
    Directory(DirectoryEffect),
    /// Time passed.
    Ticked,
}

impl Effect {
    /// Makes the answer whole from the command that was answered and the decision's position.
    pub fn outcome(&self, _envelope: &Envelope, _position: Position) -> Outcome {
        todo!()
    }
}
