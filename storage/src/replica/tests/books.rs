//! A replica and a model that keeps everything agree, whatever is persisted when.

use super::support::{Place, World};
use crate::position::LogPosition;
use crate::replica::{Replica, Store};
use bytes::Bytes;

#[test]
fn random_commands_with_random_persists_read_as_in_the_model() {
    for place in Place::both() {
        for seed in 0..3 {
            let mut world = World::new(seed);
            let store = match &place {
                Place::Memory(_) => Store::in_memory(),
                Place::Disk(_) => place.open(),
            };
            if seed > 0 {
                store.remove_group(world.group).unwrap();
            }
            let replica = Replica::open(&store, world.group).unwrap();
            for step in 0..120 {
                let expected = world.random_batch();
                let (at, batch) = world.log.last().cloned().unwrap();
                assert_eq!(
                    replica.apply(at, &batch),
                    expected,
                    "seed {seed} step {step}"
                );
                if world.random.one_in(5) {
                    replica.persist(at.index).unwrap();
                    assert_eq!(replica.persisted(), Some(at));
                }
                if step % 40 == 39 {
                    world.check_hash(&replica);
                    world.check_reads(&replica);
                }
            }
            replica.persist(u64::MAX).unwrap();
            assert_eq!(replica.unwritten_bytes(), 0);
            world.check_reads(&replica);
            assert_eq!(replica.scrub().problems, Vec::<String>::new());
        }
    }
}

#[test]
fn a_restart_goes_on_from_what_was_persisted() {
    for place in Place::both() {
        let mut world = World::new(7);
        for _ in 0..12 {
            let store = place.open();
            let replica = world.open(&store);
            world.check_hash(&replica);
            for _ in 0..1 + world.random.below(15) {
                world.random_batch();
                world.feed(&replica);
                if world.random.one_in(4) {
                    replica.persist(u64::MAX).unwrap();
                }
            }
            // What was not persisted is lost here, and comes back from the log.
        }
        let store = place.open();
        let replica = world.open(&store);
        world.check_hash(&replica);
        world.check_reads(&replica);
    }
}

#[test]
fn only_what_the_log_holds_durably_is_persisted() {
    let store = Store::in_memory();
    let mut world = World::new(1);
    world.random_batch();
    world.random_batch();
    let replica = world.open(&store);
    replica.persist(1).unwrap();
    assert_eq!(replica.persisted(), None);
    assert_eq!(replica.checkpoint(1).unwrap(), None);
    assert!(replica.unwritten_bytes() > 0);
    replica.persist(2).unwrap();
    assert_eq!(replica.persisted(), replica.applied());
}

#[test]
fn positions_and_membership_come_back() {
    for place in Place::both() {
        let at = |index| LogPosition { term: 2, index };
        {
            let replica = Replica::open(&place.open(), super::support::GROUP).unwrap();
            assert!(replica.is_empty());
            assert_eq!(replica.membership(), None);
            replica.apply_membership(at(1), Bytes::from_static(b"three nodes"));
            replica.apply_blank(at(2));
            replica.persist(2).unwrap();
            replica.apply_membership(at(3), Bytes::from_static(b"five nodes"));
        }
        let replica = Replica::open(&place.open(), super::support::GROUP).unwrap();
        assert_eq!(replica.applied(), Some(at(2)));
        assert_eq!(replica.persisted(), Some(at(2)));
        let expected = (Some(at(1)), Bytes::from_static(b"three nodes"));
        assert_eq!(replica.membership(), Some(expected));
    }
}

#[test]
fn bytes_that_are_no_batch_change_nothing_but_time() {
    for place in Place::both() {
        let store = place.open();
        let replica = Replica::open(&store, super::support::GROUP).unwrap();
        let at = LogPosition { term: 1, index: 1 };
        assert_eq!(
            replica.apply(at, &Bytes::from_static(b"\xff\x00rubbish")),
            []
        );
        replica.persist(1).unwrap();
        assert_eq!(replica.applied(), Some(at));
        assert_eq!(replica.scrub().problems, Vec::<String>::new());
    }
}

#[test]
#[should_panic(expected = "was applied before")]
fn an_entry_given_twice_is_a_broken_invariant() {
    let replica = Replica::open(&Store::in_memory(), super::support::GROUP).unwrap();
    replica.apply_blank(LogPosition { term: 1, index: 5 });
    replica.apply_blank(LogPosition { term: 1, index: 5 });
}
