//! Transfers that were made already are posted, voided, reversed, or expire.

use super::Apply;
use super::books::{Movement, Pair, admit};
use crate::amount::Amount;
use crate::effect::{Action, Effect, Param, Refusal, Status};
use crate::id::{Id, LedgerId, Position};
use crate::invariants::stored;
use crate::limits;
use crate::object::{EntryKind, Kind, Side, Transfer, TransferStatus};
use crate::state::Expiry;
use crate::state::book::BookIndex;
use crate::store::Store;

impl<S: Store> Apply<'_, S> {
    pub(super) fn post(
        &mut self,
        book: BookIndex,
        id: Id,
        amount: Option<Amount>,
    ) -> Result<Effect, Refusal> {
        let mut transfer = self.pending(book, id, Action::Post)?;
        let held = transfer.amount.get();
        let posted = up_to(held, amount)?;
        transfer.amount_posted = posted;
        transfer.status = TransferStatus::Posted;
        Ok(self.settle(book, transfer, Movement::PostHeld { held, posted }))
    }

    pub(super) fn void(&mut self, book: BookIndex, id: Id) -> Result<Effect, Refusal> {
        let mut transfer = self.pending(book, id, Action::Void)?;
        let held = transfer.amount.get();
        transfer.status = TransferStatus::Voided;
        let kind = EntryKind::PendingVoided;
        Ok(self.settle(book, transfer, Movement::Release { held, kind }))
    }

    pub(super) fn reverse(
        &mut self,
        book: BookIndex,
        id: Id,
        position: Position,
    ) -> Result<Effect, Refusal> {
        let mut transfer = self.transfer(book, id)?;
        if transfer.status != TransferStatus::Posted {
            return Err(wrong_status(&transfer, Action::Reverse));
        }
        let amount = transfer.amount_posted;
        let pair = self.pair(book, transfer.credit_account, transfer.debit_account);
        let Pair { debit, credit } = pair;
        // The parameters are the original's: its credited account pays back.
        admit(
            self.state.accounts.get(debit),
            Side::Debit,
            amount,
            Param::CreditAccount,
        )?;
        admit(
            self.state.accounts.get(credit),
            Side::Credit,
            amount,
            Param::DebitAccount,
        )?;
        let opposite = self.id(book, position);
        let ledger = self.state.books.get(book).ledger;
        self.shift(book, pair, opposite, Movement::Post(amount));
        transfer.status = TransferStatus::Reversed;
        transfer.reversed_by = Some(opposite);
        self.store.put_transfer(ledger, transfer.clone(), false);
        if let Some(reversal) = transfer.reversal() {
            self.store.put_transfer(ledger, reversal, true);
        }
        self.store.add_to_list(ledger, Kind::Transfer, opposite);
        self.count_event(book);
        Ok(Effect::Transfer(Box::new(transfer)))
    }

    /// What is due expires before anything else happens; what a batch has no room for is refused
    /// as expired already and follows with the next.
    pub(super) fn expire_due(&mut self) -> Vec<(LedgerId, Id)> {
        let mut expired = Vec::new();
        while expired.len() < limits::EXPIRIES_PER_BATCH {
            let Some(expiry) = self.state.expiries.first().copied() else {
                break;
            };
            if expiry.at > self.now {
                break;
            }
            let book = self.state.books.open(expiry.ledger);
            let found = self.store.transfer(expiry.ledger, expiry.transfer);
            let mut transfer = stored(found, "transfer", expiry.transfer);
            assert!(
                transfer.status == TransferStatus::Pending && transfer.amount == expiry.amount,
                "pending: {transfer:?} does not wait for its time"
            );
            transfer.status = TransferStatus::Expired;
            let (held, kind) = (expiry.amount.get(), EntryKind::PendingExpired);
            self.settle(book, transfer, Movement::Release { held, kind });
            let book = self.state.books.get(book);
            self.store.put_ledger(book.ledger, &book.meta);
            expired.push((expiry.ledger, expiry.transfer));
        }
        expired
    }

    /// Ends the waiting of a pending transfer, which says by now how.
    fn settle(&mut self, book: BookIndex, transfer: Transfer, movement: Movement) -> Effect {
        let ledger = self.state.books.get(book).ledger;
        let pair = self.pair(book, transfer.debit_account, transfer.credit_account);
        self.shift(book, pair, transfer.id, movement);
        if let Some(expiry) = Expiry::of(ledger, &transfer) {
            let waited = self.state.expiries.remove(&expiry);
            assert!(waited, "pending: {transfer:?} did not wait for its time");
            self.store.remove_expiry(&expiry);
        }
        self.store.put_transfer(ledger, transfer.clone(), false);
        self.count_event(book);
        Effect::Transfer(Box::new(transfer))
    }

    fn pending(&self, book: BookIndex, id: Id, action: Action) -> Result<Transfer, Refusal> {
        let transfer = self.transfer(book, id)?;
        if transfer.status != TransferStatus::Pending {
            return Err(wrong_status(&transfer, action));
        }
        if transfer.expires_at.is_some_and(|at| at <= self.now) {
            return Err(Refusal::Expired(id));
        }
        Ok(transfer)
    }

    fn transfer(&self, book: BookIndex, id: Id) -> Result<Transfer, Refusal> {
        let book = self.state.books.get(book);
        if !book.owns(id) || id.position().time > self.now {
            return Err(Refusal::TransferNotFound(id));
        }
        if let Some(transfer) = self.store.transfer(book.ledger, id) {
            return Ok(transfer);
        }
        if self.store.payment(book.ledger, id).is_some() {
            return Err(Refusal::OwnedByPayment(id));
        }
        match self.store.refund(book.ledger, id) {
            Some(refund) => Err(Refusal::OwnedByPayment(refund.payment)),
            None => Err(Refusal::TransferNotFound(id)),
        }
    }
}

fn wrong_status(transfer: &Transfer, action: Action) -> Refusal {
    Refusal::InvalidState {
        id: transfer.id,
        status: Status::Transfer(transfer.status),
        action,
    }
}

/// The amount asked for, all of it unless told.
pub(super) fn up_to(available: i128, asked: Option<Amount>) -> Result<i128, Refusal> {
    let needed = asked.map_or(available, Amount::get);
    if needed > available {
        return Err(Refusal::AmountTooLarge { available, needed });
    }
    Ok(needed)
}
