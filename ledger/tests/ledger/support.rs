//! A small world to try the rules in: one group, one ledger.

use florin_ledger::amount::{Amount, Currency};
use florin_ledger::apply::{AppliedBatch, apply_batch};
use florin_ledger::command::*;
use florin_ledger::effect::*;
use florin_ledger::id::*;
use florin_ledger::journal::Record;
use florin_ledger::memory::MemoryStore;
use florin_ledger::query::{Answer, Query, answer};
use florin_ledger::replay::replay;
use florin_ledger::state::{GroupSettings, State};

/// Whose books are tried.
pub(crate) const PARTNER: LedgerId = LedgerId {
    partner: Id(7),
    mode: Mode::Live,
};

pub(crate) fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

pub(crate) fn amount(minor: i128) -> Amount {
    Amount::new(minor).unwrap()
}

/// An envelope of [`PARTNER`]'s without a key.
pub(crate) fn plain(command: Command) -> Envelope {
    Envelope {
        ledger: PARTNER,
        once: None,
        command,
    }
}

pub(crate) fn transfer(debit: Id, credit: Id, minor: i128) -> NewTransfer {
    NewTransfer {
        debit_account: debit,
        credit_account: credit,
        amount: amount(minor),
        currency: currency("USD"),
        pending: false,
        expires_in: None,
        reference: None,
        metadata: Vec::new(),
    }
}

pub(crate) fn payment(source: Id, minor: i128, capture: CaptureMethod) -> NewPayment {
    NewPayment {
        amount: amount(minor),
        currency: currency("USD"),
        source,
        destination: None,
        capture,
        reference: None,
        description: None,
        metadata: Vec::new(),
    }
}

pub(crate) fn account(kind: AccountKind, constraint: Constraint) -> NewAccount {
    NewAccount {
        currency: currency("USD"),
        kind,
        constraint,
        overdraft_limit: 0,
        reference: None,
        metadata: Vec::new(),
    }
}

/// A customer's wallet: it can give only what it has.
pub(crate) fn wallet() -> NewAccount {
    account(AccountKind::Liability, Constraint::DebitsWithinCredits)
}

/// The world outside, where money comes from.
pub(crate) fn world() -> NewAccount {
    account(AccountKind::Asset, Constraint::None)
}

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) store: MemoryStore,
    /// The leader's clock, microseconds.
    pub(crate) clock: u64,
}

impl World {
    pub(crate) fn new(group: u32) -> World {
        World {
            state: State::new(GroupId(group), GroupSettings::default()),
            store: MemoryStore::forgetful(),
            clock: 1_000_000_000,
        }
    }

    pub(crate) fn bytes(&mut self, batch: &[u8]) -> AppliedBatch {
        let applied = apply_batch(&mut self.state, &mut self.store, batch);
        self.state.check().unwrap();
        applied
    }

    pub(crate) fn batch(&mut self, envelopes: &[Envelope]) -> AppliedBatch {
        self.clock += 1_000;
        let mut batch = BatchBuilder::new();
        for envelope in envelopes {
            batch.push(&encode_envelope(envelope)).unwrap();
        }
        self.bytes(&batch.finish(Timestamp(self.clock)))
    }

    pub(crate) fn submit(&mut self, envelope: Envelope) -> Decision {
        let applied = self.batch(std::slice::from_ref(&envelope));
        applied.decisions.into_iter().next().unwrap()
    }

    pub(crate) fn run(&mut self, command: Command) -> Decision {
        self.submit(plain(command))
    }

    /// Runs a command that must not be refused and returns what it made.
    pub(crate) fn make(&mut self, command: Command) -> Id {
        let decision = self.run(command);
        assert!(
            !matches!(decision.effect, Effect::Refused(_)),
            "{decision:?}"
        );
        decision.position.id(PARTNER)
    }

    pub(crate) fn ask(&self, query: &Query) -> Answer {
        answer(&self.state, &self.store, PARTNER, query)
    }

    /// Nothing is lost by a restart, and the journal alone makes the same state again.
    pub(crate) fn check_restart_and_replay(&self) {
        let (group, settings) = (self.state.group(), GroupSettings::default());
        let restored = self.store.restore(group, settings.clone());
        restored.check().unwrap();
        assert_eq!(
            restored.hash(),
            self.state.hash(),
            "a restart changed the state"
        );

        let mut state = State::new(group, settings);
        let mut store = MemoryStore::new();
        for bytes in self.store.records() {
            replay(&mut state, &mut store, &Record::decode(bytes).unwrap()).unwrap();
        }
        assert_eq!(
            state.hash(),
            self.state.hash(),
            "the journal tells another story"
        );
    }
}
