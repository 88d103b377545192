//! A replica beside a model that keeps everything in memory, fed with the same batches.

use crate::position::LogPosition;
use crate::replica::{OpenStoreError, Replica, Store, StoreOptions};
use bytes::Bytes;
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::apply::apply_batch;
use florin_ledger::command::*;
use florin_ledger::effect::{Decision, Effect};
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, Timestamp};
use florin_ledger::memory::MemoryStore;
use florin_ledger::object::Kind;
use florin_ledger::query::{EntryPage, Page, Query, answer};
use florin_ledger::state::{GroupSettings, State};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(super) const GROUP: GroupId = GroupId(3);

/// Where a store's bytes are while no store is open on them.
pub(super) enum Place {
    Disk(TempDir),
    Memory(Store),
}

impl Place {
    /// One on disk and one in memory.
    pub(super) fn both() -> [Place; 2] {
        [Place::disk(), Place::Memory(Store::in_memory())]
    }

    pub(super) fn disk() -> Place {
        Place::Disk(tempfile::tempdir().unwrap())
    }

    pub(super) fn open(&self) -> Store {
        match self {
            Place::Disk(_) => {
                // sled's threads may hold the folder for a moment after the last handle is gone.
                let until = Instant::now() + Duration::from_secs(30);
                let (store, notices) = loop {
                    match Store::open(&self.dir(), StoreOptions::default()) {
                        Err(OpenStoreError::Locked(_)) if Instant::now() < until => {
                            std::thread::yield_now();
                        }
                        opened => break opened.unwrap(),
                    }
                };
                assert_eq!(notices, Vec::<String>::new());
                store
            }
            Place::Memory(store) => store.clone(),
        }
    }

    pub(super) fn dir(&self) -> PathBuf {
        match self {
            Place::Disk(dir) => dir.path().join("store"),
            Place::Memory(_) => panic!("memory has no folder"),
        }
    }
}

/// Numbers from a seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() {
            None
        } else {
            Some(from[self.below(from.len() as u64) as usize])
        }
    }
}

/// The model, the log so far, and what the commands made.
pub(super) struct World {
    pub(super) group: GroupId,
    pub(super) random: Random,
    pub(super) state: State,
    pub(super) model: MemoryStore,
    pub(super) log: Vec<(LogPosition, Bytes)>,
    pub(super) clock: u64,
    made: Vec<(LedgerId, Kind, Id)>,
    sent: Vec<Envelope>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        World {
            group: GROUP,
            random: Random(seed),
            state: State::new(GROUP, GroupSettings::default()),
            model: MemoryStore::new(),
            log: Vec::new(),
            clock: 1_700_000_000_000_000,
            made: Vec::new(),
            sent: Vec::new(),
        }
    }

    pub(super) fn made(&self, ledger: LedgerId, kind: Kind) -> Vec<Id> {
        let of_kind = self.made.iter().filter(|it| it.0 == ledger && it.1 == kind);
        of_kind.map(|it| it.2).collect()
    }

    /// Appends a batch to the log and applies it to the model.
    pub(super) fn batch(&mut self, envelopes: &[Envelope]) -> Vec<Decision> {
        self.clock += 1 + self.random.below(2_000);
        let mut batch = BatchBuilder::new();
        for envelope in envelopes {
            batch.push(&encode_envelope(envelope)).unwrap();
        }
        let batch = Bytes::from(batch.finish(Timestamp(self.clock)));
        let index = self.log.last().map_or(1, |(at, _)| at.index + 1);
        self.log
            .push((LogPosition { term: 1, index }, batch.clone()));
        let decisions = apply_batch(&mut self.state, &mut self.model, &batch).decisions;
        for (envelope, decision) in envelopes.iter().zip(&decisions) {
            self.note(envelope, decision);
        }
        decisions
    }

    fn note(&mut self, envelope: &Envelope, decision: &Decision) {
        let kind = match (&envelope.command, &decision.effect) {
            (_, Effect::AccountCreated) => Kind::Account,
            (_, Effect::TransferCreated) => Kind::Transfer,
            (_, Effect::PaymentCreated { .. }) => Kind::Payment,
            (_, Effect::Refund(_)) => Kind::Refund,
            (_, Effect::TransfersCreated(refusals)) => {
                let first = decision.position.id(envelope.ledger).0;
                for (at, refusal) in refusals.iter().enumerate() {
                    if refusal.is_none() {
                        let id = Id(first + ((at as u128) << 56));
                        self.made.push((envelope.ledger, Kind::Transfer, id));
                    }
                }
                return;
            }
            _ => return,
        };
        let id = decision.position.id(envelope.ledger);
        self.made.push((envelope.ledger, kind, id));
    }

    /// A batch of up to a dozen random commands, some of them sent before.
    pub(super) fn random_batch(&mut self) -> Vec<Decision> {
        let count = 1 + self.random.below(12);
        let mut envelopes = Vec::new();
        for _ in 0..count {
            if self.random.one_in(12) && !self.sent.is_empty() {
                let again = self.random.below(self.sent.len() as u64) as usize;
                envelopes.push(self.sent[again].clone());
                continue;
            }
            let mode = [Mode::Live, Mode::Test][usize::from(self.random.one_in(4))];
            let partner = Id(u128::from(100 + self.random.below(3)));
            let ledger = LedgerId { partner, mode };
            let key = u128::from(self.random.next());
            let envelope = Envelope {
                ledger,
                once: Some(Once {
                    key: key.to_le_bytes(),
                    fingerprint: [9; 16],
                }),
                command: self.random_command(ledger),
            };
            self.sent.push(envelope.clone());
            envelopes.push(envelope);
        }
        self.batch(&envelopes)
    }

    fn random_command(&mut self, ledger: LedgerId) -> Command {
        let accounts = self.made(ledger, Kind::Account);
        let transfers = self.made(ledger, Kind::Transfer);
        let payments = self.made(ledger, Kind::Payment);
        let (Some(one), Some(two)) = (self.random.pick(&accounts), self.random.pick(&accounts))
        else {
            return Command::CreateAccount(self.new_account());
        };
        let some = |random: &mut Random, from: &[Id]| random.pick(from).unwrap_or(Id(5));
        let part = self
            .random
            .one_in(2)
            .then(|| amount(1 + self.random.below(90)));
        match self.random.below(14) {
            0 => Command::CreateAccount(self.new_account()),
            1..4 => Command::CreateTransfer(self.new_transfer(one, two)),
            4 => Command::CreateTransfers {
                atomic: self.random.one_in(2),
                transfers: (0..1 + self.random.below(40))
                    .map(|_| self.new_transfer(one, two))
                    .collect(),
            },
            5 => Command::PostTransfer {
                transfer: some(&mut self.random, &transfers),
                amount: part,
            },
            6 => Command::VoidTransfer {
                transfer: some(&mut self.random, &transfers),
            },
            7 => Command::ReverseTransfer {
                transfer: some(&mut self.random, &transfers),
            },
            8..11 => Command::CreatePayment(self.new_payment(one)),
            11 => Command::CapturePayment {
                payment: some(&mut self.random, &payments),
                amount: part,
            },
            12 => Command::CancelPayment {
                payment: some(&mut self.random, &payments),
            },
            _ => Command::CreateRefund {
                payment: some(&mut self.random, &payments),
                amount: part,
            },
        }
    }

    fn reference(&mut self) -> Option<Text> {
        let number = self.random.below(60);
        self.random
            .one_in(3)
            .then(|| format!("ref-{number}").into_boxed_str())
    }

    fn metadata(&mut self) -> Metadata {
        let length = self.random.below(300) as usize;
        match self.random.below(4) {
            0 => vec![("note".into(), "x".repeat(length).into())],
            _ => Vec::new(),
        }
    }

    fn new_account(&mut self) -> NewAccount {
        let constrained = self.random.one_in(3);
        NewAccount {
            currency: usd(),
            kind: [AccountKind::Liability, AccountKind::Asset][usize::from(!constrained)],
            constraint: if constrained {
                Constraint::DebitsWithinCredits
            } else {
                Constraint::None
            },
            overdraft_limit: 0,
            reference: self.reference(),
            metadata: self.metadata(),
        }
    }

    fn new_transfer(&mut self, debit_account: Id, credit_account: Id) -> NewTransfer {
        let pending = self.random.one_in(3);
        NewTransfer {
            debit_account,
            credit_account,
            amount: amount(1 + self.random.below(100)),
            currency: usd(),
            pending,
            expires_in: (pending && self.random.one_in(2)).then(|| 1 + self.random.below(40_000)),
            reference: self.reference(),
            metadata: self.metadata(),
        }
    }

    fn new_payment(&mut self, source: Id) -> NewPayment {
        NewPayment {
            amount: amount(1 + self.random.below(100)),
            currency: usd(),
            source,
            destination: None,
            capture: if self.random.one_in(2) {
                CaptureMethod::Automatic
            } else {
                CaptureMethod::Manual
            },
            reference: self.reference(),
            description: Some("a cup of tea".into()),
            metadata: self.metadata(),
        }
    }

    /// Gives a replica what it has not applied yet.
    pub(super) fn feed(&self, replica: &Replica) {
        self.feed_up_to(replica, u64::MAX);
    }

    /// Gives a replica what it has not applied yet, up to an entry.
    pub(super) fn feed_up_to(&self, replica: &Replica, last: u64) {
        let applied = replica.applied().map_or(0, |at| at.index);
        for (at, batch) in &self.log {
            if at.index > applied && at.index <= last {
                replica.apply(*at, batch);
            }
        }
    }

    /// Opens the replica and feeds it.
    pub(super) fn open(&self, store: &Store) -> Replica {
        let replica = Replica::open(store, self.group).unwrap();
        assert_eq!(replica.notices(), Vec::<String>::new());
        self.feed(&replica);
        replica
    }

    pub(super) fn check_hash(&self, replica: &Replica) {
        let stands = replica.state_hash();
        assert_eq!(stands.applied, self.log.last().map(|(at, _)| *at));
        assert_eq!(stands.chain, self.state.chain());
        assert_eq!(stands.hash, self.state.hash());
        assert_eq!(replica.time(), self.state.time());
        assert_eq!(replica.next_expiry(), self.state.next_expiry());
    }

    /// Every object, every list and every account's entries, as the model has them.
    pub(super) fn check_reads(&mut self, replica: &Replica) {
        for (ledger, kind, id) in self.made.clone() {
            let query = match kind {
                Kind::Account => Query::Account(id),
                Kind::Transfer => Query::Transfer(id),
                Kind::Payment => Query::Payment(id),
                Kind::Refund => Query::Refund(id),
            };
            self.check_query(replica, ledger, &query);
            if kind == Kind::Account {
                let page = EntryPage {
                    limit: 1 + self.random.below(100) as u16,
                    starting_after: self.random.one_in(2).then(|| self.random.below(60)),
                    ending_before: self.random.one_in(4).then(|| self.random.below(60)),
                };
                self.check_query(replica, ledger, &Query::Entries { account: id, page });
            }
        }
        for partner in 100..103 {
            for mode in [Mode::Live, Mode::Test] {
                let partner = Id(partner);
                self.check_lists(replica, LedgerId { partner, mode });
            }
        }
    }

    fn check_lists(&mut self, replica: &Replica, ledger: LedgerId) {
        for kind in [Kind::Account, Kind::Transfer, Kind::Payment, Kind::Refund] {
            let made = self.made(ledger, kind);
            let mut page = Page {
                limit: 1 + self.random.below(100) as u16,
                ..Page::default()
            };
            match self.random.below(4) {
                0 => page.starting_after = self.random.pick(&made),
                1 => page.ending_before = self.random.pick(&made),
                2 => page.created_from = self.random.pick(&made).map(|it| it.position().time),
                _ => {}
            }
            let reference = self.reference();
            self.check_query(replica, ledger, &list_query(kind, reference, page));
        }
    }

    pub(super) fn check_query(&self, replica: &Replica, ledger: LedgerId, query: &Query) {
        let expected = answer(&self.state, &self.model, ledger, query);
        assert_eq!(replica.query(ledger, query), expected, "{query:?}");
    }
}

pub(super) fn list_query(kind: Kind, reference: Option<Text>, page: Page) -> Query {
    match kind {
        Kind::Account => Query::Accounts {
            reference,
            currency: None,
            page,
        },
        Kind::Transfer => Query::Transfers { reference, page },
        Kind::Payment => Query::Payments { reference, page },
        Kind::Refund => Query::Refunds {
            payment: None,
            page,
        },
    }
}

pub(super) fn usd() -> Currency {
    Currency::parse("USD").unwrap()
}

pub(super) fn amount(minor: u64) -> Amount {
    Amount::new(i128::from(minor)).unwrap()
}
