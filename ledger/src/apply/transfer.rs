//! Transfers are made: one, each of many, or all of many.

use super::Apply;
use super::books::{Movement, Pair, admit, moved};
use crate::command::NewTransfer;
use crate::effect::{Effect, Param, Refusal};
use crate::id::{Id, Position};
use crate::object::{Kind, Side, Totals, Transfer};
use crate::state::Expiry;
use crate::state::accounts::AccountIndex;
use crate::state::book::BookIndex;
use crate::store::Store;
use std::collections::BTreeMap;

impl<S: Store> Apply<'_, S> {
    pub(super) fn create_transfer(
        &mut self,
        book: BookIndex,
        new: NewTransfer,
        position: Position,
    ) -> Result<(), Refusal> {
        let pair = self.check_transfer(book, &new)?;
        self.reference_free(book, Kind::Transfer, new.reference.as_deref())?;
        self.make_transfer(book, pair, new, position);
        Ok(())
    }

    /// Each on its own.
    pub(super) fn create_each(
        &mut self,
        book: BookIndex,
        transfers: Vec<NewTransfer>,
        position: Position,
    ) -> Effect {
        let made = positions(position)
            .zip(transfers)
            .map(|(position, new)| self.create_transfer(book, new, position).err());
        Effect::TransfersCreated(made.collect())
    }

    /// All or none. A rehearsal changes nothing but totals in memory and takes that back; once it
    /// went well, nothing can be refused.
    pub(super) fn create_all(
        &mut self,
        book: BookIndex,
        transfers: Vec<NewTransfer>,
        position: Position,
    ) -> Result<Effect, Refusal> {
        let pairs = self.rehearse(book, &transfers, position)?;
        let count = transfers.len();
        for ((position, new), pair) in positions(position).zip(transfers).zip(pairs) {
            self.make_transfer(book, pair, new, position);
        }
        Ok(Effect::TransfersCreated(vec![None; count]))
    }

    fn rehearse(
        &mut self,
        book: BookIndex,
        transfers: &[NewTransfer],
        position: Position,
    ) -> Result<Vec<Pair>, Refusal> {
        let mut pairs = Vec::with_capacity(transfers.len());
        let mut former: Vec<(AccountIndex, Totals)> = Vec::with_capacity(transfers.len() * 2);
        let mut references: BTreeMap<&str, Id> = BTreeMap::new();
        let mut refused = None;
        for (at, (position, new)) in positions(position).zip(transfers).enumerate() {
            let checked = self.check_transfer(book, new).and_then(|pair| {
                let reference = new.reference.as_deref();
                self.reference_free(book, Kind::Transfer, reference)?;
                let id = self.id(book, position);
                match reference.and_then(|reference| references.insert(reference, id)) {
                    Some(taken) => Err(Refusal::ReferenceTaken(taken)),
                    None => Ok(pair),
                }
            });
            match checked {
                Ok(pair) => {
                    pairs.push(pair);
                    let movement = first_movement(new);
                    for (at, side) in [(pair.debit, Side::Debit), (pair.credit, Side::Credit)] {
                        let account = self.state.accounts.get_mut(at);
                        former.push((at, account.totals));
                        account.totals = moved(account.totals, side, movement);
                    }
                }
                Err(why) => {
                    let at = u16::try_from(at).unwrap_or(u16::MAX);
                    refused = Some(Refusal::BatchRefused {
                        at,
                        why: Box::new(why),
                    });
                    break;
                }
            }
        }
        for (at, totals) in former.into_iter().rev() {
            self.state.accounts.get_mut(at).totals = totals;
        }
        refused.map_or(Ok(pairs), Err)
    }

    /// Everything that speaks against a transfer, but for its reference.
    fn check_transfer(&self, book: BookIndex, new: &NewTransfer) -> Result<Pair, Refusal> {
        let ledger = self.state.books.get(book).ledger;
        let find = |param, account| {
            let found = self.state.accounts.find(ledger, account);
            found.ok_or(Refusal::AccountNotFound { param, account })
        };
        let debit = find(Param::DebitAccount, new.debit_account)?;
        let credit = find(Param::CreditAccount, new.credit_account)?;
        if debit == credit {
            return Err(Refusal::SameAccount);
        }
        let amount = new.amount.get();
        let sides = [
            (debit, Side::Debit, Param::DebitAccount),
            (credit, Side::Credit, Param::CreditAccount),
        ];
        for (at, _, param) in sides {
            let account = self.state.accounts.get(at);
            if account.currency != new.currency {
                return Err(Refusal::CurrencyMismatch {
                    param,
                    account: account.id,
                });
            }
        }
        for (at, side, param) in sides {
            admit(self.state.accounts.get(at), side, amount, param)?;
        }
        Ok(Pair { debit, credit })
    }

    /// Makes a transfer that nothing speaks against.
    fn make_transfer(&mut self, book: BookIndex, pair: Pair, new: NewTransfer, position: Position) {
        let id = self.id(book, position);
        let ledger = self.state.books.get(book).ledger;
        self.shift(book, pair, id, first_movement(&new));
        self.take_reference(book, Kind::Transfer, new.reference.as_deref(), id);
        let transfer = Transfer::made(new, id);
        if let Some(expiry) = Expiry::of(ledger, &transfer) {
            self.state.expiries.insert(expiry);
            self.store.put_expiry(&expiry);
        }
        self.store.put_transfer(ledger, transfer, true);
        self.store.add_to_list(ledger, Kind::Transfer, id);
        self.count_event(book);
    }
}

fn first_movement(new: &NewTransfer) -> Movement {
    let amount = new.amount.get();
    if new.pending {
        Movement::Hold(amount)
    } else {
        Movement::Post(amount)
    }
}

/// The positions of the objects that one command makes.
fn positions(first: Position) -> impl Iterator<Item = Position> {
    (first.ordinal..=u16::MAX).map(move |ordinal| Position {
        time: first.time,
        ordinal,
    })
}
