//! Payments: authorized, captured, cancelled, refunded. Each moves money by a transfer of its own
//! number, which is not stored apart: the payment says everything about it.

use super::Apply;
use super::books::{Movement, Pair, admit};
use super::settle::up_to;
use crate::amount::Amount;
use crate::command::{CaptureMethod, NewPayment};
use crate::effect::{Action, Effect, Param, Refusal, Status};
use crate::id::{Id, Position};
use crate::object::{Account, EntryKind, Kind, Payment, PaymentStatus, Refund, Side};
use crate::state::accounts::AccountIndex;
use crate::state::book::BookIndex;
use crate::store::Store;

impl<S: Store> Apply<'_, S> {
    pub(super) fn create_payment(
        &mut self,
        book: BookIndex,
        new: NewPayment,
        position: Position,
    ) -> Result<Effect, Refusal> {
        let (source, destination) = self.check_payment(book, &new)?;
        self.reference_free(book, Kind::Payment, new.reference.as_deref())?;

        let id = self.id(book, position);
        let opened = destination.is_none();
        let credit = match destination {
            Some(account) => account,
            None => self.open_merchant(book, Account::merchant(id, new.currency)),
        };
        let destination = self.state.accounts.get(credit).id;
        let amount = new.amount.get();
        let movement = match new.capture {
            CaptureMethod::Automatic => Movement::Post(amount),
            CaptureMethod::Manual => Movement::Hold(amount),
        };
        self.shift(
            book,
            Pair {
                debit: source,
                credit,
            },
            id,
            movement,
        );
        self.take_reference(book, Kind::Payment, new.reference.as_deref(), id);
        let ledger = self.state.books.get(book).ledger;
        let payment = Payment::made(new, id, destination);
        self.store.put_payment(ledger, payment, true);
        self.store.add_to_list(ledger, Kind::Payment, id);
        self.count_event(book);
        Ok(Effect::PaymentCreated {
            destination,
            opened,
        })
    }

    /// Everything that speaks against a payment, but for its reference. No destination means
    /// that the merchant account is still to be opened.
    fn check_payment(
        &self,
        book: BookIndex,
        new: &NewPayment,
    ) -> Result<(AccountIndex, Option<AccountIndex>), Refusal> {
        let book = self.state.books.get(book);
        let accounts = &self.state.accounts;
        let find = |param, account| {
            let found = accounts.find(book.ledger, account);
            found.ok_or(Refusal::AccountNotFound { param, account })
        };
        let source = find(Param::Source, new.source)?;
        let destination = new.destination.or_else(|| book.merchant(new.currency));
        let destination = match destination {
            Some(account) => Some(find(Param::Destination, account)?),
            None => None,
        };
        if destination == Some(source) {
            return Err(Refusal::SameAccount);
        }
        let sides = [
            (Some(source), Side::Debit, Param::Source),
            (destination, Side::Credit, Param::Destination),
        ];
        let known = |(at, side, param): (Option<AccountIndex>, Side, Param)| {
            at.map(|at| (accounts.get(at), side, param))
        };
        for (account, _, param) in sides.into_iter().filter_map(known) {
            if account.currency != new.currency {
                return Err(Refusal::CurrencyMismatch {
                    param,
                    account: account.id,
                });
            }
        }
        for (account, side, param) in sides.into_iter().filter_map(known) {
            admit(account, side, new.amount.get(), param)?;
        }
        Ok((source, destination))
    }

    fn open_merchant(&mut self, book: BookIndex, account: Account) -> AccountIndex {
        let (id, currency) = (account.id, account.currency);
        let at = self.open_account(book, account);
        let meta = &mut self.state.books.get_mut(book).meta;
        meta.merchants.push((currency, id));
        at
    }

    pub(super) fn capture(
        &mut self,
        book: BookIndex,
        id: Id,
        amount: Option<Amount>,
    ) -> Result<Effect, Refusal> {
        let mut payment =
            self.payment_in(book, id, PaymentStatus::RequiresCapture, Action::Capture)?;
        let held = payment.amount_capturable;
        let posted = up_to(held, amount)?;
        payment.status = PaymentStatus::Succeeded;
        payment.amount_captured = posted;
        Ok(self.settle_payment(book, payment, Movement::PostHeld { held, posted }))
    }

    pub(super) fn cancel(&mut self, book: BookIndex, id: Id) -> Result<Effect, Refusal> {
        let mut payment =
            self.payment_in(book, id, PaymentStatus::RequiresCapture, Action::Cancel)?;
        let (held, kind) = (payment.amount_capturable, EntryKind::PendingVoided);
        payment.status = PaymentStatus::Cancelled;
        Ok(self.settle_payment(book, payment, Movement::Release { held, kind }))
    }

    fn settle_payment(
        &mut self,
        book: BookIndex,
        mut payment: Payment,
        movement: Movement,
    ) -> Effect {
        let ledger = self.state.books.get(book).ledger;
        let pair = self.pair(book, payment.source, payment.destination);
        self.shift(book, pair, payment.id, movement);
        payment.amount_capturable = 0;
        self.store.put_payment(ledger, payment.clone(), false);
        self.count_event(book);
        Effect::Payment(Box::new(payment))
    }

    pub(super) fn create_refund(
        &mut self,
        book: BookIndex,
        id: Id,
        amount: Option<Amount>,
        position: Position,
    ) -> Result<Effect, Refusal> {
        let mut payment = self.payment_in(book, id, PaymentStatus::Succeeded, Action::Refund)?;
        let left = payment.amount_captured - payment.amount_refunded;
        let given = up_to(left, amount)?;
        let Ok(amount) = Amount::new(given) else {
            // Nothing is left and nothing in particular was asked for.
            let needed = payment.amount_captured;
            return Err(Refusal::AmountTooLarge {
                available: left,
                needed,
            });
        };
        let pair = self.pair(book, payment.destination, payment.source);
        let Pair { debit, credit } = pair;
        admit(
            self.state.accounts.get(debit),
            Side::Debit,
            given,
            Param::Destination,
        )?;
        admit(
            self.state.accounts.get(credit),
            Side::Credit,
            given,
            Param::Source,
        )?;

        let refund = Refund {
            id: self.id(book, position),
            payment: payment.id,
            amount,
            currency: payment.currency,
            created: self.now,
        };
        let ledger = self.state.books.get(book).ledger;
        self.shift(book, pair, refund.id, Movement::Post(given));
        payment.amount_refunded += given;
        self.store.put_payment(ledger, payment, false);
        self.store.put_refund(ledger, refund.clone(), true);
        self.store.add_to_list(ledger, Kind::Refund, refund.id);
        self.count_event(book);
        Ok(Effect::Refund(Box::new(refund)))
    }

    fn payment_in(
        &self,
        book: BookIndex,
        id: Id,
        status: PaymentStatus,
        action: Action,
    ) -> Result<Payment, Refusal> {
        let book = self.state.books.get(book);
        if !book.owns(id) || id.position().time > self.now {
            return Err(Refusal::PaymentNotFound(id));
        }
        let payment = self.store.payment(book.ledger, id);
        let payment = payment.ok_or(Refusal::PaymentNotFound(id))?;
        if payment.status != status {
            let status = Status::Payment(payment.status);
            return Err(Refusal::InvalidState { id, status, action });
        }
        Ok(payment)
    }
}
