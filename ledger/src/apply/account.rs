//! Accounts are opened.

use super::Apply;
use crate::command::NewAccount;
use crate::effect::{Effect, Refusal};
use crate::id::{Id, Position};
use crate::object::{Account, Kind};
use crate::state::accounts::AccountIndex;
use crate::state::book::BookIndex;
use crate::store::Store;

impl<S: Store> Apply<'_, S> {
    pub(super) fn create_account(
        &mut self,
        book: BookIndex,
        new: NewAccount,
        position: Position,
    ) -> Result<Effect, Refusal> {
        self.reference_free(book, Kind::Account, new.reference.as_deref())?;
        let id = self.id(book, position);
        self.take_reference(book, Kind::Account, new.reference.as_deref(), id);
        self.open_account(book, Account::opened(new, id));
        Ok(Effect::AccountCreated)
    }

    /// Adds an account that nothing speaks against.
    pub(super) fn open_account(&mut self, book: BookIndex, account: Account) -> AccountIndex {
        let ledger = self.state.books.get(book).ledger;
        self.store.put_account(ledger, &account);
        self.store.add_to_list(ledger, Kind::Account, account.id);
        // So that the sums of a currency exist from its first account on.
        self.state.books.get_mut(book).sums(account.currency);
        self.count_event(book);
        let (at, _) = self.state.accounts.put(ledger, account);
        at
    }

    /// The identifier of what is made here.
    pub(super) fn id(&self, book: BookIndex, position: Position) -> Id {
        Id::new(
            position.time,
            position.ordinal,
            self.state.books.get(book).tag,
        )
    }

    /// Whether nothing of that kind has that reference yet.
    pub(super) fn reference_free(
        &self,
        book: BookIndex,
        kind: Kind,
        reference: Option<&str>,
    ) -> Result<(), Refusal> {
        let Some(reference) = reference else {
            return Ok(());
        };
        let ledger = self.state.books.get(book).ledger;
        match self.store.reference(ledger, kind, reference) {
            Some(id) => Err(Refusal::ReferenceTaken(id)),
            None => Ok(()),
        }
    }

    pub(super) fn take_reference(
        &mut self,
        book: BookIndex,
        kind: Kind,
        reference: Option<&str>,
        id: Id,
    ) {
        if let Some(reference) = reference {
            let ledger = self.state.books.get(book).ledger;
            self.store.put_reference(ledger, kind, reference, id);
        }
    }
}
