//! A crash at every single write, with and without losing what was not synced.

use super::faulty::FaultyMemory;
use super::support::{GROUP, World};
use crate::replica::backend::Backend;
use crate::replica::{Replica, Store};
use bytes::Bytes;
use florin_ledger::id::LedgerId;
use florin_ledger::object::Kind;
use florin_ledger::query::{Answer, Query};

fn crash(faulty: &FaultyMemory, power_cut: bool) -> Store {
    faulty.faults.allow_writes(None);
    if power_cut {
        faulty.memory.power_cut();
    }
    faulty.open()
}

#[test]
fn a_crash_while_persisting_loses_nothing_that_the_log_still_has() {
    for power_cut in [false, true] {
        for writes in 0.. {
            let faulty = FaultyMemory::new();
            let mut world = World::new(21);
            let purged = {
                let replica = Replica::open(&faulty.open(), GROUP).unwrap();
                for _ in 0..10 {
                    world.random_batch();
                }
                world.feed(&replica);
                let purged = replica.checkpoint(u64::MAX).unwrap().unwrap();
                for _ in 0..10 {
                    world.random_batch();
                }
                world.feed(&replica);
                faulty.faults.allow_writes(Some(writes));
                let _ = replica.checkpoint(u64::MAX);
                purged
            };
            let store = crash(&faulty, power_cut);
            let replica = Replica::open(&store, GROUP).unwrap();
            assert_eq!(replica.notices(), Vec::<String>::new());
            let applied = replica.applied().unwrap();
            assert!(applied >= purged);
            check_future_unseen(&world, &replica);
            // Entries and lists are cut elsewhere this time.
            for last in [applied.index + 2, applied.index + 5] {
                world.feed_up_to(&replica, last);
                replica.persist(u64::MAX).unwrap();
            }
            world.feed(&replica);
            world.check_hash(&replica);
            world.check_reads(&replica);
            replica.checkpoint(u64::MAX).unwrap();
            world.check_reads(&replica);
            assert_eq!(replica.scrub().problems, Vec::<String>::new());
            if applied == world.log.last().unwrap().0 {
                break;
            }
        }
    }
}

/// Records that were written before the crash, but not the header, must not be seen: a replica
/// that applies the same entries meets them absent on its peers.
fn check_future_unseen(world: &World, replica: &Replica) {
    for partner in 100..103 {
        let ledger = LedgerId {
            partner: florin_ledger::id::Id(partner),
            mode: florin_ledger::id::Mode::Live,
        };
        for id in world.made(ledger, Kind::Payment) {
            if id.position().time > replica.time() {
                let answer = replica.query(ledger, &Query::Payment(id));
                assert_eq!(answer, Answer::NotFound);
            }
        }
    }
}

#[test]
fn a_crash_while_installing_leaves_the_old_ledger_or_the_new_one() {
    let mut world = World::new(22);
    let source = Replica::open(&Store::in_memory(), GROUP).unwrap();
    for _ in 0..15 {
        world.random_batch();
    }
    world.feed(&source);
    let old = world.state.hash();
    let early = world.log.clone();
    for _ in 0..30 {
        world.random_batch();
    }
    world.feed(&source);
    source.persist(u64::MAX).unwrap();
    let chunks: Vec<Bytes> = source.snapshot().unwrap().map(Result::unwrap).collect();
    for power_cut in [false, true] {
        let mut was_old = 0;
        for writes in 0.. {
            let faulty = FaultyMemory::new();
            let replica = Replica::open(&faulty.open(), GROUP).unwrap();
            for (at, batch) in &early {
                replica.apply(*at, batch);
            }
            replica.checkpoint(u64::MAX).unwrap();
            faulty.faults.allow_writes(Some(writes));
            let installed = install(&replica, &chunks);
            drop(replica);
            let store = crash(&faulty, power_cut);
            let replica = Replica::open(&store, GROUP).unwrap();
            assert_eq!(replica.notices(), Vec::<String>::new());
            let groups = faulty
                .memory
                .names()
                .iter()
                .filter(|it| it.starts_with("group-"))
                .count();
            assert_eq!(groups, 1, "leftovers are dropped");
            let hash = replica.state_hash().hash;
            if hash == old {
                assert!(!installed, "an installed snapshot is durable");
                was_old += 1;
            } else {
                assert_eq!(hash, world.state.hash());
            }
            world.feed(&replica);
            world.check_hash(&replica);
            if installed {
                break;
            }
        }
        assert!(was_old > 5);
    }
}

fn install(replica: &Replica, chunks: &[Bytes]) -> bool {
    let Ok(mut writer) = replica.install() else {
        return false;
    };
    for chunk in chunks {
        if writer.chunk(chunk.clone()).is_err() {
            return false;
        }
    }
    writer.finish().is_ok()
}

#[test]
fn a_failed_sync_is_fatal_and_never_asked_again() {
    let mut world = World::new(23);
    let faulty = FaultyMemory::new();
    let replica = Replica::open(&faulty.open(), GROUP).unwrap();
    for _ in 0..5 {
        world.random_batch();
    }
    world.feed(&replica);
    assert_eq!(faulty.faults.fatal(), Vec::<String>::new());
    faulty.faults.allow_syncs(Some(0));
    assert!(replica.checkpoint(u64::MAX).is_err());
    assert_eq!(faulty.faults.fatal().len(), 1);
    assert!(faulty.faults.fatal()[0].contains("cannot sync"));
}

#[test]
fn a_failed_sync_of_an_install_does_not_drop_the_ledger_that_it_named() {
    let mut world = World::new(24);
    let source = Replica::open(&Store::in_memory(), GROUP).unwrap();
    for _ in 0..15 {
        world.random_batch();
    }
    world.feed(&source);
    source.persist(u64::MAX).unwrap();
    let chunks: Vec<Bytes> = source.snapshot().unwrap().map(Result::unwrap).collect();
    for syncs in [0, 1] {
        let faulty = FaultyMemory::new();
        let replica = Replica::open(&faulty.open(), GROUP).unwrap();
        faulty.faults.allow_syncs(Some(syncs));
        assert!(!install(&replica, &chunks));
        assert_eq!(faulty.faults.fatal().len(), 1);
        drop(replica);
        faulty.faults.allow_syncs(None);
        let replica = Replica::open(&crash(&faulty, false), GROUP).unwrap();
        assert_eq!(replica.notices(), Vec::<String>::new());
        assert_eq!(replica.is_empty(), syncs == 0);
        world.feed(&replica);
        world.check_hash(&replica);
    }
}

#[test]
fn a_checkpoint_syncs_what_a_killed_process_left() {
    let mut world = World::new(25);
    let faulty = FaultyMemory::new();
    let replica = Replica::open(&faulty.open(), GROUP).unwrap();
    for _ in 0..5 {
        world.random_batch();
    }
    world.feed(&replica);
    replica.persist(u64::MAX).unwrap();
    drop(replica);
    let replica = Replica::open(&crash(&faulty, false), GROUP).unwrap();
    let sure = replica.checkpoint(u64::MAX).unwrap();
    assert_eq!(sure, world.log.last().map(|(at, _)| *at));
    drop(replica);
    let replica = Replica::open(&crash(&faulty, true), GROUP).unwrap();
    assert_eq!(replica.persisted(), sure);
}
