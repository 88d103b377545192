//! Payments, naively.

use super::{Moved, Naive, Opened};
use crate::support::amount;
use florin_ledger::command::*;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::object::{PaymentStatus, TransferStatus};

impl Naive {
    pub(in crate::model) fn payments(&self) -> Vec<Id> {
        let own = self
            .moved
            .iter()
            .filter(|moved| moved.payment == Some(moved.id));
        own.map(|moved| moved.id).collect()
    }

    pub(super) fn pay(
        &mut self,
        ledger: LedgerId,
        id: Id,
        new: &NewPayment,
    ) -> Result<(), Refusal> {
        let merchant = self.accounts.iter().find(|opened| {
            opened.ledger == ledger && opened.merchant && opened.new.currency == new.currency
        });
        let destination = new.destination.or(merchant.map(|opened| opened.id));
        // A merchant account that is still to come is like an empty one.
        let fresh = Opened {
            ledger,
            id,
            merchant: true,
            new: NewAccount {
                currency: new.currency,
                ..crate::support::account(AccountKind::Liability, Constraint::None)
            },
        };
        let source = self.account(ledger, Param::Source, new.source)?;
        let credit = match destination {
            Some(account) => self.account(ledger, Param::Destination, account)?,
            None => &fresh,
        };
        if source.id == credit.id {
            return Err(Refusal::SameAccount);
        }
        for (account, param) in [(source, Param::Source), (credit, Param::Destination)] {
            if account.new.currency != new.currency {
                return Err(Refusal::CurrencyMismatch {
                    param,
                    account: account.id,
                });
            }
        }
        let amount = new.amount.get();
        self.admit(
            (source, Param::Source),
            (credit, Param::Destination),
            amount,
        )?;
        self.reference(ledger, &new.reference, |moved| {
            moved.payment == Some(moved.id)
        })?;
        let manual = new.capture == CaptureMethod::Manual;
        self.moved.push(Moved {
            ledger,
            id,
            debit: new.source,
            credit: credit.id,
            posted: if manual { 0 } else { amount },
            held: if manual { amount } else { 0 },
            status: if manual {
                TransferStatus::Pending
            } else {
                TransferStatus::Posted
            },
            expires_at: None,
            reference: new.reference.clone(),
            payment: Some(id),
        });
        if destination.is_none() {
            self.accounts.push(fresh);
        }
        Ok(())
    }

    pub(super) fn payment(
        &self,
        ledger: LedgerId,
        id: Id,
        wanted: PaymentStatus,
        action: Action,
    ) -> Result<usize, Refusal> {
        let at = self
            .find(ledger, id)
            .filter(|at| self.moved[*at].payment == Some(id));
        let at = at.ok_or(Refusal::PaymentNotFound(id))?;
        let status = match self.moved[at].status {
            TransferStatus::Pending => PaymentStatus::RequiresCapture,
            TransferStatus::Voided => PaymentStatus::Cancelled,
            _ => PaymentStatus::Succeeded,
        };
        if status != wanted {
            let status = Status::Payment(status);
            return Err(Refusal::InvalidState { id, status, action });
        }
        Ok(at)
    }

    pub(super) fn capture(
        &mut self,
        ledger: LedgerId,
        id: Id,
        asked: Option<i128>,
    ) -> Result<(), Refusal> {
        let at = self.payment(ledger, id, PaymentStatus::RequiresCapture, Action::Capture)?;
        let (available, needed) = (self.moved[at].held, asked.unwrap_or(self.moved[at].held));
        if needed > available {
            return Err(Refusal::AmountTooLarge { available, needed });
        }
        let moved = &mut self.moved[at];
        (moved.posted, moved.held, moved.status) = (needed, 0, TransferStatus::Posted);
        Ok(())
    }

    pub(in crate::model) fn refunded(&self, payment: Id) -> i128 {
        let of = |moved: &&Moved| moved.payment == Some(payment) && moved.id != payment;
        self.moved.iter().filter(of).map(|moved| moved.posted).sum()
    }

    pub(super) fn refund(
        &mut self,
        ledger: LedgerId,
        new: Id,
        id: Id,
        asked: Option<i128>,
    ) -> Result<(), Refusal> {
        let at = self.payment(ledger, id, PaymentStatus::Succeeded, Action::Refund)?;
        let original = self.moved[at].clone();
        let available = original.posted - self.refunded(id);
        let needed = asked.unwrap_or(if available > 0 {
            available
        } else {
            original.posted
        });
        if needed > available {
            return Err(Refusal::AmountTooLarge { available, needed });
        }
        assert_eq!(amount(needed).get(), needed);
        self.back(
            ledger,
            new,
            &original,
            needed,
            (Param::Destination, Param::Source),
            Some(id),
        )
    }
}
