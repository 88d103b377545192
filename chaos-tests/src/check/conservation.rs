//! *conservation*: debits equal credits, every account holds what its payments and transfers add up
//! to, and no wallet is below zero.

use super::NO_BOOKS;
use crate::history::{Books, History, Side};
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Adds the books up again.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("conservation");
    let Some(books) = &history.books else {
        return wrongs.or(history, Finding::Inconclusive(NO_BOOKS.into()));
    };
    both_sides_are_equal(books, &mut wrongs);
    accounts_hold_their_sums(books, &mut wrongs);
    balances_follow(history, books, &mut wrongs);
    let (accounts, effects) = (books.accounts.len(), books.effects.len());
    let otherwise = if effects == 0 {
        Finding::Inconclusive("the books are empty".into())
    } else {
        Finding::Pass(format!("{effects} movements between {accounts} accounts"))
    };
    wrongs.or(history, otherwise)
}

fn both_sides_are_equal(books: &Books, wrongs: &mut Wrongs) {
    let mut sums: BTreeMap<&str, (u128, u128)> = BTreeMap::new();
    for account in &books.accounts {
        let (debits, credits) = sums.entry(account.currency.as_str()).or_default();
        *debits += u128::from(account.debits);
        *credits += u128::from(account.credits);
    }
    for (currency, (debits, credits)) in sums {
        if debits != credits {
            wrongs.books(format_args!(
                "{currency}: debits {debits}, credits {credits}"
            ));
        }
    }
}

fn accounts_hold_their_sums(books: &Books, wrongs: &mut Wrongs) {
    let mut sums: HashMap<&str, (u128, u128)> = HashMap::new();
    for effect in &books.effects {
        sums.entry(&effect.debit).or_default().0 += u128::from(effect.moved);
        sums.entry(&effect.credit).or_default().1 += u128::from(effect.moved);
    }
    let mut seen = HashSet::new();
    for account in &books.accounts {
        let id = &*account.id;
        let (debits, credits) = sums.get(id).copied().unwrap_or_default();
        let held = (u128::from(account.debits), u128::from(account.credits));
        if held != (debits, credits) {
            wrongs.books(format_args!(
                "{id} has debits {} and credits {}, its payments and transfers add up to {debits} and {credits}",
                held.0, held.1
            ));
        }
        if !seen.insert(id) {
            wrongs.books(format_args!("{id} is there twice"));
        }
    }
    for effect in &books.effects {
        for account in [&effect.debit, &effect.credit] {
            if !seen.contains(&**account) {
                let id = &effect.id;
                wrongs.books(format_args!("{id} names {account}, which is not there"));
            }
        }
    }
}

fn balances_follow(history: &History, books: &Books, wrongs: &mut Wrongs) {
    for opened in &history.accounts {
        let id = &opened.id;
        let Some(account) = books.accounts.iter().find(|one| one.id == *id) else {
            wrongs.books(format_args!("{id} was opened and is not there"));
            continue;
        };
        let (debits, credits) = (i128::from(account.debits), i128::from(account.credits));
        let balance = match opened.grows_by {
            Side::Debits => debits - credits,
            Side::Credits => credits - debits,
        };
        if i128::from(account.balance) != balance {
            let said = account.balance;
            wrongs.books(format_args!("{id} says {said}, its totals say {balance}"));
        }
        if opened.floored && balance < 0 {
            wrongs.books(format_args!("{id} is at {balance}, below zero"));
        }
    }
}
