//! Long walks come in pieces: each reads little, and together they say what one walk says.

use crate::queries::{Shop, shop};
use crate::support::*;
use florin_ledger::command::*;
use florin_ledger::effect::Effect;
use florin_ledger::id::*;
use florin_ledger::limits::LIST_PIECE;
use florin_ledger::memory::MemoryStore;
use florin_ledger::object::*;
use florin_ledger::query::*;
use florin_ledger::store::Records;
use std::cell::Cell;
use std::ops::RangeInclusive;

/// Counts what is read.
struct Counting<'a> {
    store: &'a MemoryStore,
    reads: Cell<usize>,
}

impl<'a> Counting<'a> {
    fn more<T>(&self, count: usize, read: T) -> T {
        self.reads.set(self.reads.get() + count);
        read
    }
}

impl Records for Counting<'_> {
    fn transfer(&self, ledger: LedgerId, id: Id) -> Option<Transfer> {
        self.more(1, self.store.transfer(ledger, id))
    }
    fn payment(&self, ledger: LedgerId, id: Id) -> Option<Payment> {
        self.more(1, self.store.payment(ledger, id))
    }
    fn refund(&self, ledger: LedgerId, id: Id) -> Option<Refund> {
        self.more(1, self.store.refund(ledger, id))
    }
    fn reference(&self, ledger: LedgerId, kind: Kind, reference: &str) -> Option<Id> {
        self.more(1, self.store.reference(ledger, kind, reference))
    }
    fn effect(&self, ledger: LedgerId, position: Position) -> Option<Effect> {
        self.more(1, self.store.effect(ledger, position))
    }
    fn entries(
        &self,
        ledger: LedgerId,
        account: Id,
        range: RangeInclusive<u64>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Entry> {
        let entries = self
            .store
            .entries(ledger, account, range, newest_first, limit);
        self.more(entries.len(), entries)
    }
    fn list(
        &self,
        ledger: LedgerId,
        kind: Kind,
        range: RangeInclusive<Id>,
        newest_first: bool,
        limit: usize,
    ) -> Vec<Id> {
        let ids = self.store.list(ledger, kind, range, newest_first, limit);
        self.more(ids.len(), ids)
    }
}

/// The answer, and how many pieces it took. No piece reads more than its identifiers, their
/// objects, and the one object that the question names.
fn in_pieces(world: &World, query: &Query) -> (Answer, usize) {
    let mut reading = Reading::new(PARTNER, query);
    for pieces in 1.. {
        let records = Counting {
            store: &world.store,
            reads: Cell::new(0),
        };
        let answer = reading.piece(&world.state, &records);
        assert!(records.reads.get() <= 2 * LIST_PIECE + 1, "{query:?}");
        if let Some(answer) = answer {
            return (answer, pieces);
        }
    }
    unreachable!()
}

const MANY: usize = 5 * LIST_PIECE;

fn page(limit: u16) -> Page {
    Page {
        limit,
        ..Page::default()
    }
}

/// Two payments; the first is refunded first and last, the second often in between.
fn refunded() -> (World, Id, [Id; 2]) {
    let Shop {
        mut world, wallet, ..
    } = shop(60);
    let mut pay = |minor| {
        let new = payment(wallet, minor, CaptureMethod::Automatic);
        world.make(Command::CreatePayment(new))
    };
    let (asked, other) = (pay(2), pay(MANY as i128));
    let mut refund = |payment| {
        world.make(Command::CreateRefund {
            payment,
            amount: Some(amount(1)),
        })
    };
    let first = refund(asked);
    for _ in 0..MANY {
        refund(other);
    }
    let last = refund(asked);
    (world, asked, [last, first])
}

#[test]
fn refunds_of_a_payment_are_found_among_many_in_pieces() {
    let (world, asked, refunds) = refunded();
    let query = |page| Query::Refunds {
        payment: Some(asked),
        page,
    };
    let ids = |answer| match answer {
        Answer::Refunds(list) => {
            let ids: Vec<Id> = list.items.iter().map(|refund: &Refund| refund.id).collect();
            (ids, list.has_more)
        }
        other => panic!("{other:?}"),
    };
    let (answer, pieces) = in_pieces(&world, &query(page(10)));
    assert_eq!(ids(answer), (refunds.to_vec(), false));
    assert!(pieces > 5, "{pieces}");
    let (answer, _) = in_pieces(&world, &query(page(1)));
    assert_eq!(ids(answer), (refunds[..1].to_vec(), true));
    let after = Page {
        starting_after: Some(refunds[0]),
        ..page(10)
    };
    let (answer, _) = in_pieces(&world, &query(after));
    assert_eq!(ids(answer), (refunds[1..].to_vec(), false));
}

#[test]
fn accounts_of_a_rare_currency_are_found_among_many_in_pieces() {
    let Shop { mut world, .. } = shop(0);
    let rare = NewAccount {
        currency: currency("JPY"),
        ..wallet()
    };
    let rare = world.make(Command::CreateAccount(rare));
    for _ in 0..MANY {
        world.make(Command::CreateAccount(wallet()));
    }
    let query = Query::Accounts {
        reference: None,
        currency: Some(currency("JPY")),
        page: page(10),
    };
    let (answer, pieces) = in_pieces(&world, &query);
    assert!(pieces > 5, "{pieces}");
    let Answer::Accounts(list) = answer else {
        panic!()
    };
    let ids: Vec<Id> = list.items.iter().map(|account| account.id).collect();
    assert_eq!((ids, list.has_more), (vec![rare], false));
}

#[test]
fn what_is_made_between_two_pieces_disturbs_nothing() {
    let (mut world, asked, refunds) = refunded();
    let Answer::Payment(of) = world.ask(&Query::Payment(asked)) else {
        panic!()
    };
    assert_eq!(of.amount_refunded, 2);
    let query = Query::Refunds {
        payment: Some(asked),
        page: page(10),
    };
    let mut reading = Reading::new(PARTNER, &query);
    let answer = loop {
        if let Some(answer) = reading.piece(&world.state, &world.store) {
            break answer;
        }
        world.make(Command::CreateAccount(wallet()));
    };
    let Answer::Refunds(list) = answer else {
        panic!()
    };
    let ids: Vec<Id> = list.items.iter().map(|refund| refund.id).collect();
    assert_eq!(ids, refunds);
}
