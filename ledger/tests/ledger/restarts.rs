//! Replicas agree, restarts lose nothing, and a journal that was changed is found out.

use crate::support::*;
use florin_ledger::apply::apply_batch;
use florin_ledger::command::*;
use florin_ledger::id::*;
use florin_ledger::invariants::Violation;
use florin_ledger::journal::{Record, encode_record};
use florin_ledger::memory::MemoryStore;
use florin_ledger::replay::{ReplayError, replay};
use florin_ledger::state::*;

/// Batches in which everything happens.
fn busy_world() -> World {
    let mut world = World::new(1);
    let outside = world.make(Command::CreateAccount(crate::support::world()));
    let wallet = world.make(Command::CreateAccount(wallet()));
    world.make(Command::CreateTransfer(transfer(outside, wallet, 1_000)));
    let hold = NewTransfer {
        pending: true,
        expires_in: Some(1_000_000_000),
        ..transfer(wallet, outside, 5)
    };
    world.make(Command::CreateTransfer(hold));
    for at in 0..20 {
        let capture = if at % 2 == 0 {
            CaptureMethod::Automatic
        } else {
            CaptureMethod::Manual
        };
        let command = Command::CreatePayment(payment(wallet, 10, capture));
        let once = Some(Once {
            key: [at; 16],
            fingerprint: [0; 16],
        });
        let envelope = Envelope {
            once,
            ..plain(command)
        };
        world.batch(&[envelope.clone(), envelope]);
    }
    world
}

#[test]
fn replicas_with_the_same_batches_are_the_same() {
    let (one, other) = (busy_world(), busy_world());
    assert_eq!(one.state.hash(), other.state.hash());
    assert_eq!(one.state.chain(), other.state.chain());
    let mut ahead = busy_world();
    ahead.make(Command::Tick);
    assert_ne!(one.state.hash(), ahead.state.hash());
}

/// Restarted after each batch, a replica goes on as if nothing had been.
#[test]
fn a_restart_at_any_point_changes_nothing() {
    let world = busy_world();
    let settings = GroupSettings::default();
    let mut state = State::new(GroupId(1), settings.clone());
    let mut store = MemoryStore::forgetful();
    for bytes in world.store.records() {
        let record = Record::decode(bytes).unwrap();
        replay(&mut state, &mut store, &record).unwrap();
        state = store.restore(GroupId(1), settings.clone());
        state.check().unwrap();
    }
    assert_eq!(state.hash(), world.state.hash());
}

/// Everything in memory that matters shows in the hash.
#[test]
fn the_hash_sees_every_part() {
    let world = busy_world();
    let restored = || world.store.restore(GroupId(1), GroupSettings::default());
    let hash = world.state.hash();
    assert_eq!(restored().hash(), hash);
    let with = |change: &dyn Fn(&mut State)| {
        let mut state = restored();
        change(&mut state);
        state.hash()
    };
    let account = world
        .state
        .account(PARTNER, world.store_account())
        .unwrap()
        .clone();
    let changed = Account {
        sequence: account.sequence + 1,
        ..account
    };
    let meta = world.state.ledger(PARTNER).unwrap().clone();
    let expiry = Expiry {
        at: Timestamp(1),
        transfer: Id(1),
        ledger: PARTNER,
        debit_account: Id(1),
        credit_account: Id(2),
        amount: amount(1),
    };
    assert_ne!(
        with(&|state| state.restore_account(PARTNER, changed.clone())),
        hash
    );
    let more = LedgerMeta {
        sequence: meta.sequence + 1,
        ..meta
    };
    assert_ne!(
        with(&|state| state.restore_ledger(PARTNER, more.clone())),
        hash
    );
    assert_ne!(with(&|state| state.restore_expiry(expiry)), hash);
    // Without its keys, a state is another.
    let mut forgot = State::restore(world.state.meta().clone());
    assert_ne!(forgot.hash(), hash);
    for bytes in world.store.records() {
        let before = forgot.hash();
        let record = Record::decode(bytes).unwrap();
        let keyed = record
            .lines()
            .any(|line| line.decode().unwrap().once.is_some());
        forgot.remember(&record);
        assert_eq!(forgot.hash() != before, keyed);
    }
}

use florin_ledger::object::Account;

impl World {
    /// Some account.
    fn store_account(&self) -> Id {
        self.state.ledger(PARTNER).unwrap().merchants[0].1
    }
}

#[test]
fn a_broken_state_is_found_out() {
    let world = busy_world();
    let id = world.store_account();
    let account = world.state.account(PARTNER, id).unwrap().clone();
    let broken = |change: &dyn Fn(&mut Account)| {
        let mut state = world.store.restore(GroupId(1), GroupSettings::default());
        let mut account = account.clone();
        change(&mut account);
        state.restore_account(PARTNER, account);
        state.check()
    };
    assert_eq!(broken(&|_| ()), Ok(()));
    assert_eq!(
        broken(&|account| account.totals.credits_posted += 1),
        Err(Violation::Conservation(PARTNER))
    );
    assert_eq!(
        broken(&|account| account.totals.debits_pending = -1),
        Err(Violation::Negative(id))
    );
    assert_eq!(
        broken(&|account| account.constraint = Constraint::CreditsWithinDebits),
        Err(Violation::Overdraft(id))
    );
    let mut state = world.store.restore(GroupId(1), GroupSettings::default());
    state.restore_ledger(PARTNER, LedgerMeta::default());
    assert_eq!(state.check(), Err(Violation::Gapless(PARTNER)));
}

#[test]
fn a_journal_that_was_changed_is_found_out() {
    let world = busy_world();
    let records: Vec<_> = world.store.records().map(<[u8]>::to_vec).collect();
    let run = |records: &[Vec<u8>]| {
        let mut state = State::new(GroupId(1), GroupSettings::default());
        let mut store = MemoryStore::new();
        let mut outcomes = records.iter().map(|bytes| {
            let record = Record::decode(bytes).unwrap();
            replay(&mut state, &mut store, &record).map_err(|why| (why, record.time()))
        });
        outcomes.find(Result::is_err).unwrap_or(Ok(()))
    };
    assert_eq!(run(&records), Ok(()));
    let time = |at: usize| Record::decode(&records[at]).unwrap().time();

    let mut without = records.clone();
    without.remove(5);
    assert_eq!(run(&without), Err((ReplayError::Chain(time(6)), time(6))));

    // A record that is whole in itself but tells of decisions that nobody made.
    let mut forged = records.clone();
    let record = Record::decode(&records[5]).unwrap();
    let (bytes, _) = encode_record(record.time(), record.batch(), &[], &[], record.previous());
    forged[5] = bytes;
    assert_eq!(run(&forged), Err((ReplayError::Differs(time(5)), time(5))));
}

#[test]
fn events_are_counted_without_gaps() {
    let world = busy_world();
    // Two accounts and the merchant's, two transfers, twenty payments.
    assert_eq!(world.state.ledger(PARTNER).unwrap().sequence, 3 + 2 + 20);
    for number in 1..=world
        .state
        .account(PARTNER, world.store_account())
        .unwrap()
        .sequence
    {
        let at = Some(florin_ledger::query::At::Sequence(number));
        let query = florin_ledger::query::Query::Balance {
            account: world.store_account(),
            at,
        };
        assert!(matches!(
            world.ask(&query),
            florin_ledger::query::Answer::Balance { .. }
        ));
    }
}

#[test]
fn applying_needs_nothing_but_what_the_store_kept() {
    let world = busy_world();
    let mut state = world.store.restore(GroupId(1), GroupSettings::default());
    let mut store = world.store.clone();
    let mut same = world;
    let tick = encode_envelope(&plain(Command::Tick));
    let mut batch = BatchBuilder::new();
    batch.push(&tick).unwrap();
    let batch = batch.finish(Timestamp(same.clock + 10_000_000_000));
    let one = apply_batch(&mut state, &mut store, &batch);
    assert_eq!(one, same.bytes(&batch));
    assert_eq!(one.expired.len(), 1);
    assert_eq!(state.hash(), same.state.hash());
}
