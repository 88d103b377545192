//! What a decision means to the one who asked: whole objects.

use super::{Effect, Refusal};
use crate::command::{Command, Envelope};
use crate::directory::DirectoryEffect;
use crate::id::{Id, Position};
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
    ///
    /// An effect of another kind of command cannot come back for a command; should it, because
    /// bytes were mixed up on the way, the answer is `Refused(Malformed)`.
    pub fn outcome(&self, envelope: &Envelope, position: Position) -> Outcome {
        let id = position.id(envelope.ledger);
        match (self, &envelope.command) {
            (Effect::Refused(why), _) => Outcome::Refused(why.clone()),
            (Effect::AccountCreated, Command::CreateAccount(new)) => {
                Outcome::Account(Account::opened(new.clone(), id))
            }
            (Effect::TransferCreated, Command::CreateTransfer(new)) => {
                Outcome::Transfer(Transfer::made(new.clone(), id))
            }
            (Effect::TransfersCreated(refusals), Command::CreateTransfers { transfers, .. }) => {
                let ids = (position.ordinal..=u16::MAX)
                    .map(|ordinal| Id::new(position.time, ordinal, id.tag()));
                let made = ids.zip(transfers).zip(refusals);
                let made = made.map(|((id, new), refusal)| match refusal {
                    Some(why) => Err(why.clone()),
                    None => Ok(Transfer::made(new.clone(), id)),
                });
                Outcome::Transfers(made.collect())
            }
            (Effect::PaymentCreated { destination, .. }, Command::CreatePayment(new)) => {
                Outcome::Payment(Payment::made(new.clone(), id, *destination))
            }
            (Effect::Transfer(transfer), _) => Outcome::Transfer(transfer.as_ref().clone()),
            (Effect::Payment(payment), _) => Outcome::Payment(payment.as_ref().clone()),
            (Effect::Refund(refund), _) => Outcome::Refund(refund.as_ref().clone()),
            (Effect::Directory(effect), _) => Outcome::Directory(effect.clone()),
            (Effect::Ticked, _) => Outcome::Ticked,
            _ => Outcome::Refused(Refusal::Malformed),
        }
    }

    /// How many ordinals its command took.
    pub fn ordinals(&self) -> usize {
        match self {
            Effect::TransfersCreated(refusals) => refusals.len().max(1),
            _ => 1,
        }
    }

    /// Whether its command's key is remembered by it. A reused key must not overwrite what is
    /// remembered; what was not for this group, or no command at all, was not decided.
    pub fn is_remembered(&self) -> bool {
        !matches!(
            self,
            Effect::Refused(Refusal::KeyReused | Refusal::WrongGroup | Refusal::Malformed)
        )
    }
}

impl Command {
    /// How many ordinals it takes if it is not refused.
    pub fn ordinals(&self) -> usize {
        match self {
            Command::CreateTransfers { transfers, .. } => transfers.len().max(1),
            _ => 1,
        }
    }
}
