//! Reads and applies go on while a persist is under way, and across its edges.

use super::faulty::FaultyMemory;
use super::support::{GROUP, World, usd};
use crate::replica::{PersistError, Replica, Store, StoreOptions};
use florin_ledger::amount::Currency;
use florin_ledger::command::*;
use florin_ledger::id::{Id, LedgerId, Mode};
use florin_ledger::limits::LIST_PIECE;
use florin_ledger::query::{Answer, Page, Query};
use std::sync::Arc;

#[test]
fn reads_see_front_frozen_and_tree_as_one() {
    for seed in 0..4 {
        let faulty = FaultyMemory::new();
        let mut world = World::new(seed);
        let replica = Replica::open(&faulty.open(), GROUP).unwrap();
        for _ in 0..6 {
            for _ in 0..10 {
                world.random_batch();
            }
            world.feed(&replica);
            faulty.faults.shut();
            let persisting = std::thread::spawn({
                let replica = replica.clone();
                move || replica.persist(u64::MAX)
            });
            faulty.faults.wait_for_a_batch();
            world.check_reads(&replica);
            for _ in 0..10 {
                world.random_batch();
            }
            // The persist stands still, and apply does not wait for it.
            world.feed(&replica);
            world.check_reads(&replica);
            world.check_hash(&replica);
            faulty.faults.open();
            persisting.join().unwrap().unwrap();
            world.check_reads(&replica);
        }
    }
}

/// Accounts are written as they stood when the persist began, although the state, which says part of
/// them, has moved on by the time at which it comes to them.
#[test]
fn what_is_applied_during_a_persist_is_not_in_it() {
    for seed in 50..54 {
        let faulty = FaultyMemory::new();
        let mut world = World::new(seed);
        for _ in 0..6 {
            // The state of the last round was lost, but for what was persisted.
            let replica = world.open(&faulty.open());
            world.check_hash(&replica);
            for _ in 0..10 {
                world.random_batch();
            }
            world.feed(&replica);
            let applied = replica.applied();
            faulty.faults.shut_to_all();
            let persisting = std::thread::spawn({
                let replica = replica.clone();
                move || replica.persist(u64::MAX)
            });
            faulty.faults.wait_for_a_batch();
            for _ in 0..10 {
                world.random_batch();
            }
            world.feed(&replica);
            faulty.faults.open();
            persisting.join().unwrap().unwrap();
            assert_eq!(replica.persisted(), applied);
        }
    }
}

#[test]
fn no_persist_rests_while_somebody_waits_or_at_the_end() {
    let replica = Replica::open(&Store::in_memory(), GROUP).unwrap();
    let shared = replica.shared.clone();
    assert!(shared.may_rest());
    let writing = shared.persister();
    assert!(shared.may_rest());
    let waiting = std::thread::spawn({
        let shared = shared.clone();
        move || drop(shared.persister())
    });
    while shared.may_rest() {
        std::thread::yield_now();
    }
    drop(writing);
    waiting.join().unwrap();
    assert!(shared.may_rest());
    replica.hurry();
    assert!(!shared.may_rest());
}

#[test]
fn a_persist_that_failed_is_tried_again_and_nothing_is_lost_meanwhile() {
    let faulty = FaultyMemory::new();
    let mut world = World::new(5);
    let replica = Replica::open(&faulty.open(), GROUP).unwrap();
    for writes in 0..30 {
        for _ in 0..5 {
            world.random_batch();
        }
        world.feed(&replica);
        let before = replica.persisted();
        faulty.faults.allow_writes(Some(writes % 6));
        assert!(replica.persist(u64::MAX).is_err() || writes % 6 == 5);
        assert!(replica.persisted() == before || writes % 6 == 5);
        world.random_batch();
        world.feed(&replica);
        world.check_reads(&replica);
        faulty.faults.allow_writes(None);
        replica.persist(u64::MAX).unwrap();
        assert_eq!(replica.persisted(), replica.applied());
        world.check_reads(&replica);
    }
    assert_eq!(replica.scrub().problems, Vec::<String>::new());
}

#[test]
fn payments_are_applied_while_a_long_list_is_read() {
    let mut world = World::new(9);
    let replica = world.open(&Store::in_memory());
    let ledger = LedgerId {
        partner: Id(100),
        mode: Mode::Live,
    };
    let open = Envelope {
        ledger,
        once: None,
        command: Command::CreateAccount(NewAccount {
            currency: usd(),
            kind: AccountKind::Liability,
            constraint: Constraint::None,
            overdraft_limit: 0,
            reference: None,
            metadata: Vec::new(),
        }),
    };
    world.batch(&vec![open; 5 * LIST_PIECE + 1]);
    world.feed(&replica);
    replica.persist(u64::MAX).unwrap();
    let query = Query::Accounts {
        reference: None,
        currency: Currency::parse("JPY").ok(),
        page: Page::default(),
    };
    let mut pieces = 0;
    // Applying takes the lock that reading shares: here, in the midst of the reading, it is free.
    let answer = replica.query_while(ledger, &query, || {
        pieces += 1;
        assert!(replica.shared.core.try_write().is_some());
        world.random_batch();
        world.feed(&replica);
        true
    });
    assert!(matches!(answer, Some(Answer::Accounts(list)) if list.items.is_empty()));
    assert!(pieces >= 5, "{pieces}");
    assert_eq!(replica.query_while(ledger, &query, || false), None);
    world.check_hash(&replica);
}

#[test]
fn a_scrub_gives_up_when_told_and_leaves_the_lock_alone() {
    let mut world = World::new(10);
    for _ in 0..20 {
        world.random_batch();
    }
    let replica = world.open(&Store::in_memory());
    replica.persist(u64::MAX).unwrap();
    let mut bytes = 0;
    let report = replica.scrub_while(|more| {
        bytes += more;
        replica.shared.core.try_write().is_some()
    });
    let report = report.unwrap();
    assert_eq!((report.bytes, report.problems), (bytes, Vec::new()));
    let mut turns = 3;
    let given_up = replica.scrub_while(|_| {
        turns -= 1;
        turns > 0
    });
    assert_eq!((given_up, turns), (None, 0));
}

#[test]
fn nothing_is_persisted_with_too_little_room() {
    let faulty = FaultyMemory::new();
    let replica = Replica::open(
        &faulty.open_with(StoreOptions {
            min_free_bytes: 1 << 40,
            ..StoreOptions::default()
        }),
        GROUP,
    )
    .unwrap();
    let mut world = World::new(6);
    world.random_batch();
    world.feed(&replica);
    let refused = replica.persist(u64::MAX);
    assert!(
        matches!(refused, Err(PersistError::DiskFull(_))),
        "{refused:?}"
    );
    world.check_reads(&replica);
}

#[test]
#[should_panic(expected = "the process ends")]
fn a_read_that_fails_ends_the_process_rather_than_answer() {
    let faulty = FaultyMemory::new();
    let store = faulty.open_with(StoreOptions {
        on_fatal: Arc::new(|_| panic!("the process ends")),
        ..StoreOptions::default()
    });
    let replica = Replica::open(&store, GROUP).unwrap();
    let mut world = World::new(8);
    for _ in 0..30 {
        world.random_batch();
    }
    world.feed(&replica);
    replica.persist(u64::MAX).unwrap();
    faulty.faults.fail_reads();
    world.check_reads(&replica);
}
