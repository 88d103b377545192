//! Accounts as naively as possible: a balance, and what it was after each entry.

use crate::history::{Account, History, Move, Side};
use std::collections::HashMap;

/// All accounts of a run, at one place of the order.
pub(super) struct Model<'a> {
    opened: HashMap<&'a str, &'a Account>,
    /// The balance after each entry.
    balances: HashMap<&'a str, Vec<i128>>,
}

impl<'a> Model<'a> {
    pub(super) fn new(history: &'a History) -> Model<'a> {
        let opened = history.accounts.iter();
        Model {
            opened: opened.map(|account| (&*account.id, account)).collect(),
            balances: HashMap::new(),
        }
    }

    /// The account that would go below zero though it may not, and what it holds.
    pub(super) fn short_by(&self, moves: &Move<'a>) -> Option<(&'a str, i128)> {
        let sides = [(moves.debit, Side::Debits), (moves.credit, Side::Credits)];
        sides.into_iter().find_map(|(id, side)| {
            let floored = self.opened.get(id).is_some_and(|account| account.floored);
            let held = self.balance(id);
            (floored && held + self.change(id, side, moves.amount) < 0).then_some((id, held))
        })
    }

    /// One entry more for both accounts.
    pub(super) fn apply(&mut self, moves: &Move<'a>) {
        let sides = [(moves.debit, Side::Debits), (moves.credit, Side::Credits)];
        for (id, side) in sides {
            let next = self.balance(id) + self.change(id, side, moves.amount);
            self.balances.entry(id).or_default().push(next);
        }
    }

    /// The balance after an account's entry of that number; entry 0 is its beginning.
    pub(super) fn after(&self, id: &str, entry: u64) -> Option<i128> {
        let Some(before) = entry.checked_sub(1) else {
            return Some(0);
        };
        let balances = self.balances.get(id)?;
        balances.get(usize::try_from(before).ok()?).copied()
    }

    /// How many entries an account has.
    pub(super) fn entries(&self, id: &str) -> usize {
        self.balances.get(id).map_or(0, Vec::len)
    }

    fn balance(&self, id: &str) -> i128 {
        let last = self.balances.get(id).and_then(|all| all.last());
        last.copied().unwrap_or_default()
    }

    fn change(&self, id: &str, side: Side, amount: u64) -> i128 {
        let grows_by = self
            .opened
            .get(id)
            .map_or(Side::Credits, |account| account.grows_by);
        if grows_by == side {
            i128::from(amount)
        } else {
            -i128::from(amount)
        }
    }
}
