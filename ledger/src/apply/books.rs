//! The arithmetic of double entry: what an account admits, and how a movement changes both sides.

use super::Apply;
use crate::amount::Currency;
use crate::command::Constraint;
use crate::effect::{Param, Refusal};
use crate::id::Id;
use crate::invariants::{self, assert_account, assert_conservation, total};
use crate::object::{Account, Entry, EntryKind, Side, Totals};
use crate::state::accounts::AccountIndex;
use crate::state::book::BookIndex;
use crate::store::Store;

/// The two accounts of a movement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) debit: AccountIndex,
    pub(super) credit: AccountIndex,
}

/// How money moves between two accounts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Movement {
    /// At once.
    Post(i128),
    /// It is held.
    Hold(i128),
    /// Of what was held, some moves and the rest is released.
    PostHeld { held: i128, posted: i128 },
    /// What was held is released.
    Release { held: i128, kind: EntryKind },
}

impl Movement {
    fn entry(self) -> (EntryKind, i128) {
        match self {
            Movement::Post(amount) => (EntryKind::Posted, amount),
            Movement::Hold(amount) => (EntryKind::Pending, amount),
            Movement::PostHeld { posted, .. } => (EntryKind::PendingPosted, posted),
            Movement::Release { held, kind } => (kind, held),
        }
    }

    /// What it adds to what is posted and to what is held.
    fn changes(self) -> (i128, i128) {
        match self {
            Movement::Post(amount) => (amount, 0),
            Movement::Hold(amount) => (0, amount),
            Movement::PostHeld { held, posted } => (posted, -held),
            Movement::Release { held, .. } => (0, -held),
        }
    }
}

/// Whether an account admits that much more on that side, moved or held.
///
/// What is posted and what is held on one side fit 128 bits together, always: this is where it
/// is checked, so that posting what was held can never overflow.
pub(super) fn admit(
    account: &Account,
    side: Side,
    amount: i128,
    param: Param,
) -> Result<(), Refusal> {
    let totals = &account.totals;
    let (used, against, constrained) = match side {
        Side::Debit => (
            total(totals.debits_posted.checked_add(totals.debits_pending)),
            totals.credits_posted,
            account.constraint == Constraint::DebitsWithinCredits,
        ),
        Side::Credit => (
            total(totals.credits_posted.checked_add(totals.credits_pending)),
            totals.debits_posted,
            account.constraint == Constraint::CreditsWithinDebits,
        ),
    };
    let Some(after) = used.checked_add(amount) else {
        return Err(Refusal::Overflow {
            account: account.id,
        });
    };
    let limit = against.saturating_add(account.overdraft_limit);
    if constrained && after > limit {
        return Err(Refusal::InsufficientFunds {
            param,
            account: account.id,
            available: limit - used,
            needed: amount,
        });
    }
    Ok(())
}

/// The totals after a movement.
pub(super) fn moved(mut totals: Totals, side: Side, movement: Movement) -> Totals {
    let (posted, pending) = movement.changes();
    match side {
        Side::Debit => {
            totals.debits_posted = total(totals.debits_posted.checked_add(posted));
            totals.debits_pending = total(totals.debits_pending.checked_add(pending));
        }
        Side::Credit => {
            totals.credits_posted = total(totals.credits_posted.checked_add(posted));
            totals.credits_pending = total(totals.credits_pending.checked_add(pending));
        }
    }
    totals
}

impl<S: Store> Apply<'_, S> {
    /// Both accounts of a stored transfer or payment.
    pub(super) fn pair(&self, book: BookIndex, debit: Id, credit: Id) -> Pair {
        let ledger = self.state.books.get(book).ledger;
        let find = |id| invariants::stored(self.state.accounts.find(ledger, id), "account", id);
        Pair {
            debit: find(debit),
            credit: find(credit),
        }
    }

    /// Moves money that both accounts were asked for. Nothing here can be refused.
    pub(super) fn shift(&mut self, book: BookIndex, pair: Pair, transfer: Id, movement: Movement) {
        let Pair { debit, credit } = pair;
        assert!(
            debit != credit,
            "conservation: an account cannot pay itself"
        );
        let (of_debit, currency) = self.enter(book, debit, Side::Debit, transfer, movement);
        let (of_credit, other) = self.enter(book, credit, Side::Credit, transfer, movement);
        assert!(currency == other, "conservation: currencies cannot mix");
        // The sums follow what the accounts did, not what was asked of them.
        let sums = self.state.books.get_mut(book).sums(currency);
        for (former, now) in [of_debit, of_credit] {
            *sums = invariants::replaced(*sums, former, now);
        }
        assert_conservation(sums);
    }

    /// Enters one side, and says what the totals were and are.
    fn enter(
        &mut self,
        book: BookIndex,
        at: AccountIndex,
        side: Side,
        transfer: Id,
        movement: Movement,
    ) -> ((Totals, Totals), Currency) {
        let ledger = self.state.books.get(book).ledger;
        let account = self.state.accounts.get_mut(at);
        let former = account.totals;
        account.totals = moved(former, side, movement);
        account.sequence += 1;
        assert_account(account);
        let (kind, amount) = movement.entry();
        let entry = Entry {
            sequence: account.sequence,
            transfer,
            time: self.now,
            kind,
            side,
            amount,
            totals: account.totals,
        };
        self.store.add_entry(ledger, account.id, entry);
        ((former, account.totals), account.currency)
    }
}
