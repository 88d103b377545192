//! A small world to try the rules in: one ledger, named objects, one `check` per table row.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

use florin_ledger::amount::{Amount, Currency};
use florin_ledger::apply::{AppliedBatch, apply_batch};
use florin_ledger::command::*;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::memory::MemoryStore;
use florin_ledger::state::{GroupSettings, State};

pub const PARTNER: LedgerId = LedgerId {
    partner: Id(7),
    mode: Mode::Live,
};

pub fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub fn eur() -> Currency {
    Currency::parse("EUR").unwrap()
}

pub fn amount(minor: i128) -> Amount {
    Amount::new(minor).unwrap()
}

pub fn once(key: u8, fingerprint: u8) -> Option<Once> {
    Some(Once {
        key: [key; 16],
        fingerprint: [fingerprint; 16],
    })
}

pub fn transfer(debit: Id, credit: Id, minor: i128) -> NewTransfer {
    NewTransfer {
        debit_account: debit,
        credit_account: credit,
        amount: amount(minor),
        currency: usd(),
        pending: false,
        expires_in: None,
        reference: None,
        metadata: Vec::new(),
    }
}

pub fn pending(debit: Id, credit: Id, minor: i128, expires_in: Option<u64>) -> NewTransfer {
    NewTransfer {
        pending: true,
        expires_in,
        ..transfer(debit, credit, minor)
    }
}

pub fn payment(source: Id, minor: i128, capture: CaptureMethod) -> NewPayment {
    NewPayment {
        amount: amount(minor),
        currency: usd(),
        source,
        destination: None,
        capture,
        reference: None,
        description: None,
        metadata: Vec::new(),
    }
}

pub fn account(kind: AccountKind, constraint: Constraint) -> NewAccount {
    NewAccount {
        currency: usd(),
        kind,
        constraint,
        overdraft_limit: 0,
        reference: None,
        metadata: Vec::new(),
    }
}

/// A customer's wallet: it can give only what it has.
pub fn wallet() -> NewAccount {
    account(AccountKind::Liability, Constraint::DebitsWithinCredits)
}

/// The world outside, where money comes from.
pub fn world() -> NewAccount {
    account(AccountKind::Asset, Constraint::None)
}

pub struct World {
    pub state: State,
    pub store: MemoryStore,
    /// The leader's clock.
    pub clock: u64,
}

impl World {
    pub fn new(group: u32) -> World {
        World {
            state: State::new(GroupId(group), GroupSettings::default()),
            store: MemoryStore::forgetful(),
            clock: 1_000_000_000,
        }
    }

    pub fn batch(&mut self, envelopes: &[Envelope]) -> AppliedBatch {
        self.clock += 1_000;
        let mut batch = BatchBuilder::new();
        for envelope in envelopes {
            batch.push(&encode_envelope(envelope)).unwrap();
        }
        let applied = apply_batch(
            &mut self.state,
            &mut self.store,
            &batch.finish(Timestamp(self.clock)),
        );
        self.state.check().unwrap();
        applied
    }

    pub fn submit(&mut self, envelope: Envelope) -> Decision {
        let applied = self.batch(std::slice::from_ref(&envelope));
        applied.decisions.into_iter().next().unwrap()
    }

    pub fn run(&mut self, command: Command) -> Decision {
        self.submit(Envelope {
            ledger: PARTNER,
            once: None,
            command,
        })
    }

    /// Runs a command that must not be refused and returns what it made.
    pub fn make(&mut self, command: Command) -> Id {
        let decision = self.run(command);
        assert!(
            !matches!(decision.effect, Effect::Refused(_)),
            "{decision:?}"
        );
        decision.position.id(PARTNER)
    }

    /// A wallet with money in it.
    pub fn funded(&mut self, from: Id, minor: i128) -> Id {
        let wallet = self.make(Command::CreateAccount(wallet()));
        if minor > 0 {
            self.make(Command::CreateTransfer(transfer(from, wallet, minor)));
        }
        wallet
    }

    pub fn available(&self, account: Id) -> i128 {
        let account = self.state.account(PARTNER, account).unwrap();
        account.available(&account.totals)
    }

    pub fn tick(&mut self, micros: u64) -> AppliedBatch {
        self.clock += micros;
        self.batch(&[Envelope {
            ledger: PARTNER,
            once: None,
            command: Command::Tick,
        }])
    }
}
