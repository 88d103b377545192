//! Answers questions from the state and the records.

use super::pages::{entry_page, filtered, fit, listed};
use super::{Answer, At, Query};
use crate::id::{Id, LedgerId};
use crate::limits;
use crate::object::{Account, Kind, Refund, Totals, Transfer};
use crate::state::State;
use crate::store::Records;

/// Answers a question about a ledger. A payment's or refund's own transfer is found by its
/// number, but only transfers that were made as such are listed.
pub fn answer(state: &State, records: &impl Records, ledger: LedgerId, query: &Query) -> Answer {
    let asked = Asked {
        state,
        records,
        ledger,
    };
    let found = match query {
        Query::Account(id) => asked.account(*id).cloned().map(Answer::Account),
        Query::Accounts {
            reference,
            currency,
            page,
        } => {
            let read = |id| asked.account(id).cloned();
            let wanted = |account: &Account| currency.is_none_or(|only| account.currency == only);
            Some(Answer::Accounts(match reference {
                Some(reference) => asked.only(Kind::Account, reference, page, read, wanted),
                None => filtered(records, ledger, Kind::Account, page, read, wanted),
            }))
        }
        Query::Balance { account, at } => asked.balance(*account, *at),
        Query::Entries { account, page } => asked.account(*account).map(|account| {
            Answer::Entries(account.clone(), entry_page(records, ledger, account, page))
        }),
        Query::Transfer(id) => asked.transfer(*id).map(Answer::Transfer),
        Query::Transfers { reference, page } => {
            let read = |id| asked.mine(id).and_then(|id| records.transfer(ledger, id));
            Some(Answer::Transfers(match reference {
                Some(reference) => asked.only(Kind::Transfer, reference, page, read, |_| true),
                None => filtered(records, ledger, Kind::Transfer, page, read, |_| true),
            }))
        }
        Query::Payment(id) => {
            let id = asked.mine(*id);
            id.and_then(|id| records.payment(ledger, id))
                .map(Answer::Payment)
        }
        Query::Payments { reference, page } => {
            let read = |id| records.payment(ledger, id);
            Some(Answer::Payments(match reference {
                Some(reference) => asked.only(Kind::Payment, reference, page, read, |_| true),
                None => filtered(records, ledger, Kind::Payment, page, read, |_| true),
            }))
        }
        Query::Refund(id) => {
            let id = asked.mine(*id);
            id.and_then(|id| records.refund(ledger, id))
                .map(Answer::Refund)
        }
        Query::Refunds {
            payment: None,
            page,
        } => {
            let read = |id| records.refund(ledger, id);
            let refunds = filtered(records, ledger, Kind::Refund, page, read, |_| true);
            Some(Answer::Refunds(refunds))
        }
        Query::Refunds {
            payment: Some(payment),
            page,
        } => {
            let refunds = asked.refunds_of(*payment);
            Some(Answer::Refunds(fit(refunds, |refund| refund.id, page)))
        }
    };
    found.unwrap_or(Answer::NotFound)
}

/// One ledger, being asked.
struct Asked<'a, R> {
    state: &'a State,
    records: &'a R,
    ledger: LedgerId,
}

impl<R: Records> Asked<'_, R> {
    fn account(&self, id: Id) -> Option<&Account> {
        self.state.account(self.ledger, id)
    }

    /// An identifier that may be this ledger's; a store need not look for others.
    fn mine(&self, id: Id) -> Option<Id> {
        let may_be = id.tag() == self.ledger.tag() && id.position().time <= self.state.time();
        may_be.then_some(id)
    }

    fn transfer(&self, id: Id) -> Option<Transfer> {
        let id = self.mine(id)?;
        if let Some(transfer) = self.records.transfer(self.ledger, id) {
            return Some(transfer);
        }
        if let Some(payment) = self.records.payment(self.ledger, id) {
            return Some(payment.transfer());
        }
        let refund = self.records.refund(self.ledger, id)?;
        let payment = self.records.payment(self.ledger, refund.payment)?;
        Some(refund.transfer(&payment))
    }

    /// A list that can hold one object only: the one with that reference.
    fn only<T>(
        &self,
        kind: Kind,
        reference: &str,
        page: &super::Page,
        read: impl Fn(Id) -> Option<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> super::List<T> {
        let id = self.records.reference(self.ledger, kind, reference);
        let object = id.and_then(|id| Some((id, read(id)?)));
        let object = object.filter(|(_, object)| wanted(object));
        let list = fit(object.into_iter().collect(), |(id, _)| *id, page);
        super::List {
            items: list.items.into_iter().map(|(_, object)| object).collect(),
            has_more: list.has_more,
        }
    }

    fn balance(&self, id: Id, at: Option<At>) -> Option<Answer> {
        let account = self.account(id)?.clone();
        let now = self.state.time();
        let (totals, sequence, as_of) = match at {
            None => (account.totals, account.sequence, now),
            Some(At::Sequence(0)) => (Totals::default(), 0, account.created),
            Some(At::Sequence(sequence)) if sequence > account.sequence => {
                let newest = account.sequence;
                return Some(Answer::NoSuchEntry { newest });
            }
            Some(At::Sequence(sequence)) => {
                let entry = self.entry(id, sequence)?;
                (entry.totals, sequence, entry.time)
            }
            Some(At::Time(time)) if time >= now => (account.totals, account.sequence, now),
            Some(At::Time(time)) => {
                let sequence = self.last_until(&account, time)?;
                let entry = if sequence == 0 {
                    None
                } else {
                    Some(self.entry(id, sequence)?)
                };
                (
                    entry.map(|entry| entry.totals).unwrap_or_default(),
                    sequence,
                    time,
                )
            }
        };
        Some(Answer::Balance {
            account,
            totals,
            sequence,
            as_of,
        })
    }

    fn entry(&self, account: Id, sequence: u64) -> Option<crate::object::Entry> {
        let range = sequence..=sequence;
        self.records
            .entries(self.ledger, account, range, true, 1)
            .pop()
    }

    /// The sequence of the last entry up to and including a time: entries are in order of time,
    /// so halving finds it in few reads.
    fn last_until(&self, account: &Account, time: crate::id::Timestamp) -> Option<u64> {
        let (mut before, mut after) = (0, account.sequence + 1);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.entry(account.id, middle)?.time <= time {
                before = middle;
            } else {
                after = middle;
            }
        }
        Some(before)
    }

    /// All refunds of a payment, newest first. They are newer than it, and when their amounts
    /// reach what was refunded there are no more.
    fn refunds_of(&self, payment: Id) -> Vec<Refund> {
        let found = self.mine(payment);
        let found = found.and_then(|id| self.records.payment(self.ledger, id));
        let mut left = found.map_or(0, |payment| payment.amount_refunded);
        let mut refunds = Vec::new();
        let ids = listed(
            self.records,
            self.ledger,
            Kind::Refund,
            payment..=Id(u128::MAX),
            false,
            limits::LIST_CHUNK,
        );
        for id in ids {
            if left == 0 {
                break;
            }
            let refund = self.records.refund(self.ledger, id);
            if let Some(refund) = refund.filter(|refund| refund.payment == payment) {
                left -= refund.amount.get();
                refunds.push(refund);
            }
        }
        refunds.reverse();
        refunds
    }
}
