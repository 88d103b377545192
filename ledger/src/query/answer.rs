//! Answers questions from the state and the records.

use super::pages::{Walk, entry_page, fit};
use super::{Answer, At, List, Page, Query};
use crate::command::Text;
use crate::id::{Id, LedgerId};
use crate::object::{Account, Kind, Payment, Refund, Totals, Transfer};
use crate::state::State;
use crate::store::Records;

/// Answers a question about a ledger. A payment's or refund's own transfer is found by its
/// number, but only transfers that were made as such are listed.
pub fn answer(state: &State, records: &impl Records, ledger: LedgerId, query: &Query) -> Answer {
    let mut reading = Reading::new(ledger, query);
    loop {
        if let Some(answer) = reading.piece(state, records) {
            return answer;
        }
    }
}

/// A question that is being answered in pieces, each of which reads a bounded number of objects:
/// whoever holds the books still for a piece can let go of them before the next. Lists only grow
/// at their new end, so what was read stays right meanwhile.
pub struct Reading<'a> {
    ledger: LedgerId,
    query: &'a Query,
    walk: Option<Walk>,
    accounts: Vec<Account>,
    transfers: Vec<Transfer>,
    payments: Vec<Payment>,
    refunds: Vec<Refund>,
    /// What refunds of the payment that is asked for are still to be found, in minor units.
    unfound: i128,
}

impl<'a> Reading<'a> {
    /// Nothing is read yet.
    pub fn new(ledger: LedgerId, query: &'a Query) -> Reading<'a> {
        Reading {
            ledger,
            query,
            walk: None,
            accounts: Vec::new(),
            transfers: Vec::new(),
            payments: Vec::new(),
            refunds: Vec::new(),
            unfound: 0,
        }
    }

    /// Reads on, for at most [`crate::limits::LIST_PIECE`] objects of a list; the answer once
    /// there is no need for more.
    pub fn piece(&mut self, state: &State, records: &impl Records) -> Option<Answer> {
        let ledger = self.ledger;
        let asked = Asked {
            state,
            records,
            ledger,
        };
        match self.query {
            Query::Accounts {
                reference: None,
                currency,
                page,
            } => {
                let walk = self.walk.get_or_insert_with(|| Walk::of(page));
                let read = |id| {
                    let account = asked.account(id)?;
                    let wanted = currency.is_none_or(|only| account.currency == only);
                    wanted.then(|| account.clone())
                };
                let ended = walk.piece(records, ledger, Kind::Account, &mut self.accounts, read);
                ended.then(|| Answer::Accounts(walk.list(std::mem::take(&mut self.accounts))))
            }
            Query::Transfers {
                reference: None,
                page,
            } => {
                let walk = self.walk.get_or_insert_with(|| Walk::of(page));
                let read = |id| records.transfer(ledger, asked.mine(id)?);
                let ended = walk.piece(records, ledger, Kind::Transfer, &mut self.transfers, read);
                ended.then(|| Answer::Transfers(walk.list(std::mem::take(&mut self.transfers))))
            }
            Query::Payments {
                reference: None,
                page,
            } => {
                let walk = self.walk.get_or_insert_with(|| Walk::of(page));
                let read = |id| records.payment(ledger, id);
                let ended = walk.piece(records, ledger, Kind::Payment, &mut self.payments, read);
                ended.then(|| Answer::Payments(walk.list(std::mem::take(&mut self.payments))))
            }
            Query::Refunds {
                payment: None,
                page,
            } => {
                let walk = self.walk.get_or_insert_with(|| Walk::of(page));
                let read = |id| records.refund(ledger, id);
                let ended = walk.piece(records, ledger, Kind::Refund, &mut self.refunds, read);
                ended.then(|| Answer::Refunds(walk.list(std::mem::take(&mut self.refunds))))
            }
            Query::Refunds {
                payment: Some(payment),
                page,
            } => self.refunds_of(&asked, *payment, page),
            single => Some(asked.at_once(single).unwrap_or(Answer::NotFound)),
        }
    }

    /// The refunds of a payment. They are newer than it, and when their amounts reach what was
    /// refunded there are no more.
    fn refunds_of(
        &mut self,
        asked: &Asked<'_, impl Records>,
        payment: Id,
        page: &Page,
    ) -> Option<Answer> {
        let ledger = asked.ledger;
        let walk = self.walk.get_or_insert_with(|| {
            let found = asked.mine(payment);
            let found = found.and_then(|id| asked.records.payment(ledger, id));
            self.unfound = found.map_or(0, |payment| payment.amount_refunded);
            Walk::since(payment)
        });
        let unfound = &mut self.unfound;
        let read = |id| {
            if *unfound == 0 {
                return None;
            }
            let refund = asked.records.refund(ledger, id)?;
            if refund.payment != payment {
                return None;
            }
            *unfound -= refund.amount.get();
            Some(refund)
        };
        let ended = walk.piece(asked.records, ledger, Kind::Refund, &mut self.refunds, read);
        (ended || self.unfound == 0).then(|| {
            self.refunds.reverse();
            let refunds = std::mem::take(&mut self.refunds);
            Answer::Refunds(fit(refunds, |refund| refund.id, page))
        })
    }
}

/// One ledger, being asked.
struct Asked<'a, R> {
    state: &'a State,
    records: &'a R,
    ledger: LedgerId,
}

impl<R: Records> Asked<'_, R> {
    /// Answers what takes a few reads at most. Lists without a reference are not among it.
    fn at_once(&self, query: &Query) -> Option<Answer> {
        let (records, ledger) = (self.records, self.ledger);
        Some(match query {
            Query::Account(id) => Answer::Account(self.account(*id)?.clone()),
            Query::Accounts {
                reference,
                currency,
                page,
            } => {
                let read = |id| self.account(id).cloned();
                let wanted =
                    |account: &Account| currency.is_none_or(|only| account.currency == only);
                Answer::Accounts(self.only(Kind::Account, reference, page, read, wanted))
            }
            Query::Balance { account, at } => self.balance(*account, *at)?,
            Query::Entries { account, page } => {
                let account = self.account(*account)?;
                Answer::Entries(account.clone(), entry_page(records, ledger, account, page))
            }
            Query::Transfer(id) => Answer::Transfer(self.transfer(*id)?),
            Query::Transfers { reference, page } => {
                let read = |id| records.transfer(ledger, self.mine(id)?);
                Answer::Transfers(self.only(Kind::Transfer, reference, page, read, |_| true))
            }
            Query::Payment(id) => Answer::Payment(records.payment(ledger, self.mine(*id)?)?),
            Query::Payments { reference, page } => {
                let read = |id| records.payment(ledger, id);
                Answer::Payments(self.only(Kind::Payment, reference, page, read, |_| true))
            }
            Query::Refund(id) => Answer::Refund(records.refund(ledger, self.mine(*id)?)?),
            Query::Refunds { .. } => return None,
        })
    }

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
        reference: &Option<Text>,
        page: &Page,
        read: impl Fn(Id) -> Option<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> List<T> {
        let id = reference.as_deref();
        let id = id.and_then(|text| self.records.reference(self.ledger, kind, text));
        let object = id.and_then(|id| Some((id, read(id)?)));
        let object = object.filter(|(_, object)| wanted(object));
        let list = fit(object.into_iter().collect(), |(id, _)| *id, page);
        List {
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
}
