//! Transfers, naively.

use super::{Expected, Moved, Naive};
use florin_ledger::command::*;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::object::TransferStatus;

impl Naive {
    pub(super) fn transfer(
        &mut self,
        ledger: LedgerId,
        id: Id,
        new: &NewTransfer,
    ) -> Result<(), Refusal> {
        let debit = self.account(ledger, Param::DebitAccount, new.debit_account)?;
        let credit = self.account(ledger, Param::CreditAccount, new.credit_account)?;
        if debit.id == credit.id {
            return Err(Refusal::SameAccount);
        }
        for (account, param) in [(debit, Param::DebitAccount), (credit, Param::CreditAccount)] {
            if account.new.currency != new.currency {
                return Err(Refusal::CurrencyMismatch {
                    param,
                    account: account.id,
                });
            }
        }
        let amount = new.amount.get();
        self.admit(
            (debit, Param::DebitAccount),
            (credit, Param::CreditAccount),
            amount,
        )?;
        self.reference(ledger, &new.reference, |moved| moved.payment.is_none())?;
        self.moved.push(Moved {
            ledger,
            id,
            debit: new.debit_account,
            credit: new.credit_account,
            posted: if new.pending { 0 } else { amount },
            held: if new.pending { amount } else { 0 },
            status: if new.pending {
                TransferStatus::Pending
            } else {
                TransferStatus::Posted
            },
            expires_at: new
                .expires_in
                .filter(|_| new.pending)
                .map(|after| self.now + after),
            reference: new.reference.clone(),
            payment: None,
        });
        Ok(())
    }

    pub(super) fn reference(
        &self,
        ledger: LedgerId,
        reference: &Option<Text>,
        kind: impl Fn(&Moved) -> bool,
    ) -> Result<(), Refusal> {
        let mut same = self
            .moved
            .iter()
            .filter(|moved| moved.ledger == ledger && kind(moved));
        match same.find(|moved| reference.is_some() && moved.reference == *reference) {
            Some(taken) => Err(Refusal::ReferenceTaken(taken.id)),
            None => Ok(()),
        }
    }

    pub(super) fn transfers(
        &mut self,
        ledger: LedgerId,
        at: Position,
        atomic: bool,
        all: &[NewTransfer],
    ) -> Expected {
        let before = self.moved.clone();
        let mut answers = Vec::new();
        for (place, new) in all.iter().enumerate() {
            let at = Position {
                ordinal: at.ordinal + place as u16,
                ..at
            };
            let refused = self.transfer(ledger, at.id(ledger), new).err();
            if let (true, Some(why)) = (atomic, &refused) {
                self.moved = before;
                let (at, why) = (place as u16, Box::new(why.clone()));
                return Expected::No(Refusal::BatchRefused { at, why });
            }
            answers.push(refused);
        }
        Expected::Each(answers)
    }

    pub(super) fn find(&self, ledger: LedgerId, id: Id) -> Option<usize> {
        self.moved
            .iter()
            .position(|moved| moved.ledger == ledger && moved.id == id)
    }

    pub(super) fn own(&self, ledger: LedgerId, id: Id) -> Result<usize, Refusal> {
        let at = self.find(ledger, id).ok_or(Refusal::TransferNotFound(id))?;
        self.moved[at]
            .payment
            .map_or(Ok(at), |payment| Err(Refusal::OwnedByPayment(payment)))
    }

    pub(super) fn waiting(
        &self,
        ledger: LedgerId,
        id: Id,
        action: Action,
    ) -> Result<usize, Refusal> {
        let at = self.own(ledger, id)?;
        let status = self.moved[at].status;
        if status != TransferStatus::Pending {
            return Err(Refusal::InvalidState {
                id,
                status: Status::Transfer(status),
                action,
            });
        }
        if self.moved[at].expires_at.is_some_and(|at| at <= self.now) {
            return Err(Refusal::Expired(id));
        }
        Ok(at)
    }

    pub(super) fn post(
        &mut self,
        ledger: LedgerId,
        id: Id,
        asked: Option<florin_ledger::amount::Amount>,
    ) -> Result<(), Refusal> {
        let at = self.waiting(ledger, id, Action::Post)?;
        let (available, needed) = (
            self.moved[at].held,
            asked.map_or(self.moved[at].held, |asked| asked.get()),
        );
        if needed > available {
            return Err(Refusal::AmountTooLarge { available, needed });
        }
        let moved = &mut self.moved[at];
        (moved.posted, moved.held, moved.status) = (needed, 0, TransferStatus::Posted);
        Ok(())
    }

    pub(super) fn reverse(&mut self, ledger: LedgerId, new: Id, id: Id) -> Result<(), Refusal> {
        let at = self.own(ledger, id)?;
        let status = self.moved[at].status;
        if status != TransferStatus::Posted {
            let status = Status::Transfer(status);
            return Err(Refusal::InvalidState {
                id,
                status,
                action: Action::Reverse,
            });
        }
        let original = self.moved[at].clone();
        self.back(
            ledger,
            new,
            &original,
            original.posted,
            (Param::CreditAccount, Param::DebitAccount),
            None,
        )?;
        self.moved[at].status = TransferStatus::Reversed;
        Ok(())
    }
}
