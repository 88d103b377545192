//! Bare books, for the criterion benches to apply commands to: a state, and a store that keeps nothing, so that what is measured
//! is the rules alone.

use florin_ledger::amount::{Amount, Currency};
use florin_ledger::apply::apply_batch;
use florin_ledger::command::{
    AccountKind, BatchBuilder, CaptureMethod, Command, Constraint, Envelope, NewAccount,
    NewPayment, NewTransfer, Once, encode_envelope,
};
use florin_ledger::directory::Item;
use florin_ledger::effect::Effect;
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, Position, Timestamp};
use florin_ledger::object::{Account, Entry, Kind, Payment, Refund, Transfer};
use florin_ledger::state::{Expiry, GroupSettings, LedgerMeta, State};
use florin_ledger::store::{Records, Store};
use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;

/// What a wallet may owe: no bench can empty it.
const OVERDRAFT: i128 = 1 << 100;

/// Ledgers of many partners, each with two accounts.
pub struct Books {
    state: State,
    ledgers: Vec<(LedgerId, Id, Id)>,
    /// The batches that opened the accounts, for other books that are to be the same.
    pub opening: Vec<Vec<u8>>,
    time: Cell<u64>,
    keys: Cell<u64>,
}

impl Books {
    /// Opens them.
    pub fn open(partners: u64) -> RefCell<Books> {
        // Keys are forgotten after a minute, that is, after 60 batches: a table of a steady size.
        let settings = GroupSettings {
            key_retention: 60_000_000,
        };
        let mut books = Books {
            state: State::new(GroupId(1), settings),
            ledgers: Vec::new(),
            opening: Vec::new(),
            time: Cell::new(1_000_000),
            keys: Cell::new(0),
        };
        for partner in 1..=partners {
            let ledger = LedgerId {
                partner: Id(u128::from(partner)),
                mode: Mode::Live,
            };
            let account = || encode_envelope(&books.envelope(ledger, new_account()));
            let batch = batch(books.tick(), &[account(), account()]);
            let applied = apply_batch(&mut books.state, &mut Nowhere, &batch);
            let accounts: Vec<Id> = applied
                .decisions
                .iter()
                .map(|decision| decision.position.id(ledger))
                .collect();
            books.ledgers.push((ledger, accounts[0], accounts[1]));
            books.opening.push(batch);
        }
        RefCell::new(books)
    }

    /// A batch of payments, partners in turn.
    pub fn payments(&self, count: usize) -> Vec<u8> {
        let envelopes: Vec<Vec<u8>> = (0..count)
            .map(|_| encode_envelope(&self.payment()))
            .collect();
        batch(self.tick(), &envelopes)
    }

    /// A batch of one command with many transfers.
    pub fn transfers(&self, count: usize) -> Vec<u8> {
        let (ledger, from, to) = self.next_ledger();
        let transfer = NewTransfer {
            debit_account: from,
            credit_account: to,
            amount: amount(),
            currency: currency(),
            pending: false,
            expires_in: None,
            reference: None,
            metadata: Vec::new(),
        };
        let command = Command::CreateTransfers {
            atomic: false,
            transfers: vec![transfer; count],
        };
        batch(
            self.tick(),
            &[encode_envelope(&self.envelope(ledger, command))],
        )
    }

    /// A payment of the next partner, with a key of its own.
    pub fn payment(&self) -> Envelope {
        let (ledger, source, destination) = self.next_ledger();
        let payment = NewPayment {
            amount: amount(),
            currency: currency(),
            source,
            destination: Some(destination),
            capture: CaptureMethod::Automatic,
            reference: None,
            description: None,
            metadata: Vec::new(),
        };
        self.envelope(ledger, Command::CreatePayment(payment))
    }

    /// Applies a batch, and sees to it that nothing was refused.
    pub fn apply(&mut self, batch: &[u8]) {
        let applied = apply_batch(&mut self.state, &mut Nowhere, batch);
        let refused = applied
            .decisions
            .iter()
            .find(|decision| decision.replayed || matches!(decision.effect, Effect::Refused(_)));
        assert!(refused.is_none(), "{refused:?}");
    }

    fn envelope(&self, ledger: LedgerId, command: Command) -> Envelope {
        let key = u128::from(self.keys.replace(self.keys.get() + 1)) << 64 | 0x5eed;
        // Real keys are hashes, so their bytes are spread.
        let key = key.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Envelope {
            ledger,
            once: Some(Once {
                key: key.to_be_bytes(),
                fingerprint: key.to_le_bytes(),
            }),
            command,
        }
    }

    fn next_ledger(&self) -> (LedgerId, Id, Id) {
        self.ledgers[self.keys.get() as usize % self.ledgers.len()]
    }

    fn tick(&self) -> u64 {
        self.time.replace(self.time.get() + 1_000_000)
    }
}

/// A batch, stamped.
pub fn batch(time: u64, envelopes: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for envelope in envelopes {
        builder.push(envelope.as_ref()).expect("the batch has room");
    }
    builder.finish(Timestamp(time))
}

fn new_account() -> Command {
    Command::CreateAccount(NewAccount {
        currency: currency(),
        kind: AccountKind::Liability,
        constraint: Constraint::DebitsWithinCredits,
        overdraft_limit: OVERDRAFT,
        reference: None,
        metadata: Vec::new(),
    })
}

fn amount() -> Amount {
    Amount::from_minor(100).expect("it is positive")
}

fn currency() -> Currency {
    Currency::parse("EUR").expect("it exists")
}

/// A store that keeps nothing.
struct Nowhere;

impl Records for Nowhere {
    fn transfer(&self, _: LedgerId, _: Id) -> Option<Transfer> {
        None
    }
    fn payment(&self, _: LedgerId, _: Id) -> Option<Payment> {
        None
    }
    fn refund(&self, _: LedgerId, _: Id) -> Option<Refund> {
        None
    }
    fn reference(&self, _: LedgerId, _: Kind, _: &str) -> Option<Id> {
        None
    }
    fn effect(&self, _: LedgerId, _: Position) -> Option<Effect> {
        None
    }
    fn entries(&self, _: LedgerId, _: Id, _: RangeInclusive<u64>, _: bool, _: usize) -> Vec<Entry> {
        Vec::new()
    }
    fn list(&self, _: LedgerId, _: Kind, _: RangeInclusive<Id>, _: bool, _: usize) -> Vec<Id> {
        Vec::new()
    }
}

impl Store for Nowhere {
    fn put_account(&mut self, _: LedgerId, _: &Account) {}
    fn put_transfer(&mut self, _: LedgerId, _: Transfer, _: bool) {}
    fn put_payment(&mut self, _: LedgerId, _: Payment, _: bool) {}
    fn put_refund(&mut self, _: LedgerId, _: Refund, _: bool) {}
    fn put_reference(&mut self, _: LedgerId, _: Kind, _: &str, _: Id) {}
    fn add_entry(&mut self, _: LedgerId, _: Id, _: Entry) {}
    fn add_to_list(&mut self, _: LedgerId, _: Kind, _: Id) {}
    fn put_directory(&mut self, _: Item) {}
    fn put_ledger(&mut self, _: LedgerId, _: &LedgerMeta) {}
    fn put_expiry(&mut self, _: &Expiry) {}
    fn remove_expiry(&mut self, _: &Expiry) {}
    fn put_record(&mut self, _: Timestamp, _: Vec<u8>) {}
}
