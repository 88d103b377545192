//! What must always hold, by name. Asserted where it could break, in release builds too: a
//! group that stops can be repaired, one that goes on with wrong books cannot.
//!
//! *Once* is asserted in the key table, *time* and *chain* in [`crate::apply`] and
//! [`crate::replay`]; the others here.

use crate::command::Constraint;
use crate::id::{Id, LedgerId};
use crate::object::{Account, Totals};
use crate::state::State;
use std::collections::BTreeMap;

/// A broken invariant, found by [`crate::state::State::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Debits and credits of a ledger and currency differ.
    #[error("conservation: debits and credits of ledger {0:?} differ")]
    Conservation(LedgerId),
    /// An account passed its constraint.
    #[error("no overdraft: account {0:?} passed its constraint")]
    Overdraft(Id),
    /// A total is negative.
    #[error("totals: account {0:?} has a negative total")]
    Negative(Id),
    /// Transfers that wait for their time hold more of an account than it says.
    #[error("pending: account {0:?} holds less than the transfers that wait for their time")]
    Pending(Id),
    /// There are entries or merchant accounts that no event made.
    #[error("gapless: ledger {0:?} has fewer events than its accounts say")]
    Gapless(LedgerId),
}

/// **conservation**: debits equal credits, what is held apart from what is posted.
pub(crate) fn assert_conservation(sums: &Totals) {
    assert!(
        sums.debits_posted == sums.credits_posted && sums.debits_pending == sums.credits_pending,
        "conservation: debits and credits differ: {sums:?}"
    );
}

/// **no overdraft**: an account with a constraint never passes it, pending amounts counted.
pub(crate) fn assert_account(account: &Account) {
    assert!(non_negative(&account.totals), "totals: {account:?}");
    assert!(within(account), "no overdraft: {account:?}");
}

/// What a sum of a total and a change must be; that it fits was checked before anything changed.
pub(crate) fn total(sum: Option<i128>) -> i128 {
    match sum {
        Some(total) => total,
        None => panic!("totals: a total left the range that was checked before"),
    }
}

/// What a store must have, for the state says so.
pub(crate) fn stored<T>(found: Option<T>, what: &str, id: Id) -> T {
    match found {
        Some(found) => found,
        None => panic!("store: {what} {id:?} is in the state and not in the store"),
    }
}

/// Sums in which an account's totals were replaced.
pub(crate) fn replaced(sums: Totals, former: Totals, now: Totals) -> Totals {
    let replace = |sum: i128, former: i128, now: i128| sum.wrapping_sub(former).wrapping_add(now);
    Totals {
        debits_posted: replace(sums.debits_posted, former.debits_posted, now.debits_posted),
        credits_posted: replace(
            sums.credits_posted,
            former.credits_posted,
            now.credits_posted,
        ),
        debits_pending: replace(
            sums.debits_pending,
            former.debits_pending,
            now.debits_pending,
        ),
        credits_pending: replace(
            sums.credits_pending,
            former.credits_pending,
            now.credits_pending,
        ),
    }
}

fn non_negative(totals: &Totals) -> bool {
    let Totals {
        debits_posted,
        credits_posted,
        debits_pending,
        credits_pending,
    } = *totals;
    debits_posted >= 0 && credits_posted >= 0 && debits_pending >= 0 && credits_pending >= 0
}

/// Both sides fit 128 bits with what is held by construction, so these sums do too.
fn within(account: &Account) -> bool {
    let totals = &account.totals;
    let limit = account.overdraft_limit;
    match account.constraint {
        Constraint::None => true,
        Constraint::DebitsWithinCredits => {
            totals.debits_posted.saturating_add(totals.debits_pending)
                <= totals.credits_posted.saturating_add(limit)
        }
        Constraint::CreditsWithinDebits => {
            totals.credits_posted.saturating_add(totals.credits_pending)
                <= totals.debits_posted.saturating_add(limit)
        }
    }
}

/// Everything, from the accounts themselves and not from running sums.
pub(crate) fn check(state: &State) -> Result<(), Violation> {
    let mut sums: BTreeMap<_, Totals> = BTreeMap::new();
    let mut accounts: BTreeMap<LedgerId, u64> = BTreeMap::new();
    for (ledger, account) in state.accounts.sorted() {
        if !non_negative(&account.totals) {
            return Err(Violation::Negative(account.id));
        }
        if !within(account) {
            return Err(Violation::Overdraft(account.id));
        }
        let sum = sums.entry((ledger, account.currency)).or_default();
        *sum = replaced(*sum, Totals::default(), account.totals);
        *accounts.entry(ledger).or_default() += 1;
    }
    for ((ledger, currency), sum) in sums {
        let book = state.books.find(ledger).map(|at| state.books.get(at));
        let running = book.and_then(|book| book.sums.iter().find(|(of, _)| *of == currency));
        let balanced =
            sum.debits_posted == sum.credits_posted && sum.debits_pending == sum.credits_pending;
        if !balanced || running.map(|(_, running)| *running) != Some(sum) {
            return Err(Violation::Conservation(ledger));
        }
    }
    for (ledger, opened) in accounts {
        let events = state.ledger(ledger).map_or(0, |meta| meta.sequence);
        if events < opened {
            return Err(Violation::Gapless(ledger));
        }
    }
    check_expiries(state)
}

/// What waits for its time is held by both its accounts.
fn check_expiries(state: &State) -> Result<(), Violation> {
    let mut held: BTreeMap<_, (i128, i128)> = BTreeMap::new();
    for expiry in &state.expiries {
        let debit = held
            .entry((expiry.ledger, expiry.debit_account))
            .or_default();
        debit.0 = debit.0.saturating_add(expiry.amount.get());
        let credit = held
            .entry((expiry.ledger, expiry.credit_account))
            .or_default();
        credit.1 = credit.1.saturating_add(expiry.amount.get());
    }
    for ((ledger, id), (debits, credits)) in held {
        let totals = state.account(ledger, id).map(|account| account.totals);
        let totals = totals.unwrap_or_default();
        if debits > totals.debits_pending || credits > totals.credits_pending {
            return Err(Violation::Pending(id));
        }
    }
    Ok(())
}
