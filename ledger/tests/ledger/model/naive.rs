//! The rules once more, as simply as can be: a list of movements, and every balance a sum over it.

mod payments;
mod transfers;

use florin_ledger::command::*;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::limits;
use florin_ledger::object::{PaymentStatus, TransferStatus};

/// What is expected of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Done,
    No(Refusal),
    Each(Vec<Option<Refusal>>),
}

pub(super) struct Opened {
    pub(super) ledger: LedgerId,
    pub(super) id: Id,
    new: NewAccount,
    merchant: bool,
}

/// A transfer, or the transfer of a payment or refund.
#[derive(Clone)]
pub(super) struct Moved {
    pub(super) ledger: LedgerId,
    pub(super) id: Id,
    debit: Id,
    credit: Id,
    pub(super) posted: i128,
    held: i128,
    pub(super) status: TransferStatus,
    expires_at: Option<u64>,
    reference: Option<Text>,
    /// Itself for a payment's, the payment for a refund's.
    pub(super) payment: Option<Id>,
}

struct Remembered {
    ledger: LedgerId,
    once: Once,
    position: Position,
    expected: Expected,
}

#[derive(Default)]
pub(super) struct Naive {
    pub(super) now: u64,
    pub(super) accounts: Vec<Opened>,
    pub(super) moved: Vec<Moved>,
    keys: Vec<Remembered>,
}

impl Naive {
    /// Expected decisions of a batch, with positions and whether they are replayed.
    pub(super) fn batch(
        &mut self,
        stamp: u64,
        batch: &[Envelope],
    ) -> Vec<(Position, Expected, bool)> {
        self.now = stamp.max(self.now + 1);
        self.expire();
        let mut ordinal = 0;
        let mut answers = Vec::new();
        for envelope in batch {
            let position = Position {
                time: Timestamp(self.now),
                ordinal,
            };
            let (position, expected, replayed) = self.envelope(envelope, position);
            ordinal += match &expected {
                Expected::Each(each) if !replayed => each.len() as u16,
                _ => 1,
            };
            answers.push((position, expected, replayed));
        }
        answers
    }

    fn envelope(&mut self, envelope: &Envelope, position: Position) -> (Position, Expected, bool) {
        let Some(once) = envelope.once else {
            return (position, self.command(envelope, position), false);
        };
        let fresh = |known: &&Remembered| known.position.time.0 + limits::KEY_RETENTION > self.now;
        let same =
            |known: &&Remembered| known.ledger == envelope.ledger && known.once.key == once.key;
        if let Some(known) = self.keys.iter().filter(fresh).find(same) {
            return if known.once == once {
                (known.position, known.expected.clone(), true)
            } else {
                (position, Expected::No(Refusal::KeyReused), false)
            };
        }
        let expected = self.command(envelope, position);
        let (ledger, remembered) = (envelope.ledger, expected.clone());
        self.keys.push(Remembered {
            ledger,
            once,
            position,
            expected: remembered,
        });
        (position, expected, false)
    }

    fn command(&mut self, envelope: &Envelope, at: Position) -> Expected {
        let ledger = envelope.ledger;
        let id = at.id(ledger);
        let done = match &envelope.command {
            Command::CreateAccount(new) => self.open(ledger, id, new, false),
            Command::CreateTransfer(new) => self.transfer(ledger, id, new),
            Command::CreateTransfers { atomic, transfers } => {
                return self.transfers(ledger, at, *atomic, transfers);
            }
            Command::PostTransfer { transfer, amount } => self.post(ledger, *transfer, *amount),
            Command::VoidTransfer { transfer } => {
                self.waiting(ledger, *transfer, Action::Void).map(|at| {
                    self.moved[at].held = 0;
                    self.moved[at].status = TransferStatus::Voided;
                })
            }
            Command::ReverseTransfer { transfer } => self.reverse(ledger, id, *transfer),
            Command::CreatePayment(new) => self.pay(ledger, id, new),
            Command::CapturePayment { payment, amount } => {
                self.capture(ledger, *payment, amount.map(|amount| amount.get()))
            }
            Command::CancelPayment { payment } => {
                let status = PaymentStatus::RequiresCapture;
                self.payment(ledger, *payment, status, Action::Cancel)
                    .map(|at| {
                        self.moved[at].held = 0;
                        self.moved[at].status = TransferStatus::Voided;
                    })
            }
            Command::CreateRefund { payment, amount } => {
                self.refund(ledger, id, *payment, amount.map(|amount| amount.get()))
            }
            Command::Directory(_) => Err(Refusal::WrongGroup),
            Command::Tick => Ok(()),
        };
        done.map_or_else(Expected::No, |()| Expected::Done)
    }

    /// Sums of an account's side: posted and held.
    pub(super) fn side(&self, account: Id, debit: bool) -> (i128, i128) {
        let of = |moved: &&Moved| (if debit { moved.debit } else { moved.credit }) == account;
        let posted = self.moved.iter().filter(of).map(|moved| moved.posted).sum();
        (
            posted,
            self.moved.iter().filter(of).map(|moved| moved.held).sum(),
        )
    }

    fn open(
        &mut self,
        ledger: LedgerId,
        id: Id,
        new: &NewAccount,
        merchant: bool,
    ) -> Result<(), Refusal> {
        let same =
            |opened: &&Opened| opened.ledger == ledger && opened.new.reference == new.reference;
        if let (Some(_), Some(taken)) = (&new.reference, self.accounts.iter().find(same)) {
            return Err(Refusal::ReferenceTaken(taken.id));
        }
        self.accounts.push(Opened {
            ledger,
            id,
            new: new.clone(),
            merchant,
        });
        Ok(())
    }

    fn account(&self, ledger: LedgerId, param: Param, account: Id) -> Result<&Opened, Refusal> {
        let mut found = self
            .accounts
            .iter()
            .filter(|opened| opened.ledger == ledger);
        let found = found.find(|opened| opened.id == account);
        found.ok_or(Refusal::AccountNotFound { param, account })
    }

    /// Whether both accounts admit an amount; the names of the request's fields go along.
    fn admit(
        &self,
        debit: (&Opened, Param),
        credit: (&Opened, Param),
        needed: i128,
    ) -> Result<(), Refusal> {
        for ((account, param), is_debit) in [(debit, true), (credit, false)] {
            let (posted, held) = self.side(account.id, is_debit);
            let (other_posted, _) = self.side(account.id, !is_debit);
            let constrained = match account.new.constraint {
                Constraint::None => false,
                Constraint::DebitsWithinCredits => is_debit,
                Constraint::CreditsWithinDebits => !is_debit,
            };
            let room = i128::MAX - posted - held;
            if needed > room {
                return Err(Refusal::Overflow {
                    account: account.id,
                });
            }
            let available =
                other_posted.saturating_add(account.new.overdraft_limit) - posted - held;
            if constrained && needed > available {
                return Err(Refusal::InsufficientFunds {
                    param,
                    account: account.id,
                    available,
                    needed,
                });
            }
        }
        Ok(())
    }

    /// A movement the other way.
    fn back(
        &mut self,
        ledger: LedgerId,
        id: Id,
        of: &Moved,
        amount: i128,
        params: (Param, Param),
        payment: Option<Id>,
    ) -> Result<(), Refusal> {
        let debit = self.account(ledger, params.0, of.credit)?;
        let credit = self.account(ledger, params.1, of.debit)?;
        self.admit((debit, params.0), (credit, params.1), amount)?;
        self.moved.push(Moved {
            id,
            debit: of.credit,
            credit: of.debit,
            posted: amount,
            held: 0,
            status: TransferStatus::Posted,
            expires_at: None,
            reference: None,
            payment,
            ledger,
        });
        Ok(())
    }

    fn expire(&mut self) {
        let now = self.now;
        let mut due: Vec<&mut Moved> = self
            .moved
            .iter_mut()
            .filter(|moved| {
                moved.status == TransferStatus::Pending
                    && moved.expires_at.is_some_and(|at| at <= now)
            })
            .collect();
        due.sort_by_key(|moved| (moved.expires_at, moved.id));
        for moved in due.into_iter().take(limits::EXPIRIES_PER_BATCH) {
            (moved.held, moved.status) = (0, TransferStatus::Expired);
        }
    }
}
