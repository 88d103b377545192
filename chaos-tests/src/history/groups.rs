//! Which shard group an operation was asked of.

use super::{History, Operation, Request};
use std::collections::{BTreeSet, HashMap};

/// The group of each account, as the run noted it or as answers told.
pub struct Groups<'a> {
    of: HashMap<&'a str, u64>,
}

impl<'a> Groups<'a> {
    /// Learns the groups of a history. In one that says nothing of groups, all is in group 0.
    pub fn of(history: &'a History) -> Groups<'a> {
        let noted = history.accounts.iter();
        let mut of: HashMap<&str, u64> = noted
            .filter_map(|account| Some((&*account.id, account.group?)))
            .collect();
        for one in &history.operations {
            if let Some(group) = one.group {
                of.entry(account(one)).or_insert(group);
            }
        }
        Groups { of }
    }

    /// The group of an operation.
    pub fn asked(&self, one: &Operation) -> u64 {
        let known = || self.of.get(account(one)).copied();
        one.group.or_else(known).unwrap_or_default()
    }

    /// Every group that payments were asked of.
    pub fn all(&self, history: &History) -> BTreeSet<u64> {
        let asked = history.operations.iter().filter(|one| one.key.is_some());
        asked.map(|one| self.asked(one)).collect()
    }
}

/// An account that the operation touches.
fn account(one: &Operation) -> &str {
    match &one.request {
        Request::Payment { source, .. } => source,
        Request::Transfer { debit, .. } => debit,
        Request::Balance { account } => account,
    }
}
