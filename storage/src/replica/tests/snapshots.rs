//! A snapshot is of one moment, whatever goes on, and only whole ones are installed.

use super::support::{GROUP, Place, World};
use crate::position::LogPosition;
use crate::replica::{InstallError, Replica, SnapshotError, Store};
use bytes::Bytes;
use florin_ledger::id::GroupId;

fn fed(world: &mut World, store: &Store, batches: usize) -> Replica {
    for _ in 0..batches {
        world.random_batch();
    }
    world.open(store)
}

fn install(replica: &Replica, chunks: &[Bytes]) -> Result<LogPosition, InstallError> {
    let mut writer = replica.install()?;
    for chunk in chunks {
        writer.chunk(chunk.clone())?;
    }
    Ok(writer.finish()?.position)
}

#[test]
fn a_snapshot_taken_under_load_installs_as_of_its_position() {
    for (from, to) in Place::both().into_iter().zip(Place::both()) {
        let mut world = World::new(31);
        let source = fed(&mut world, &from.open(), 60);
        source.apply_membership(
            LogPosition {
                term: 1,
                index: 1_000,
            },
            Bytes::from_static(b"abc"),
        );
        source.persist(u64::MAX).unwrap();
        let (hash, applied) = (world.state.hash(), source.applied().unwrap());
        let reader = source.snapshot().unwrap().in_chunks_of(4_096);
        assert_eq!(reader.position(), applied);
        let membership = reader.membership();
        let mut chunks = Vec::new();
        for (index, chunk) in (applied.index + 1..).zip(reader) {
            let chunk = chunk.unwrap();
            chunks.push(chunk);
            world.random_batch();
            let (_, batch) = world.log.last().unwrap();
            source.apply(LogPosition { term: 1, index }, batch);
            source.persist(u64::MAX).unwrap();
        }
        assert!(chunks.len() > 20, "{}", chunks.len());
        let later = world.state.hash();
        assert_eq!(source.state_hash().hash, later);
        source.persist(u64::MAX).unwrap();
        assert_eq!(source.persisted(), source.applied());
        {
            // It takes the place of what is there.
            let target = fed(&mut World::new(99), &to.open(), 20);
            target.persist(u64::MAX).unwrap();
            assert_eq!(install(&target, &chunks).unwrap(), applied);
            assert_eq!(target.state_hash().hash, hash);
            assert_eq!(target.persisted(), Some(applied));
            assert_eq!(target.membership(), membership);
            assert_eq!(target.scrub().problems, Vec::<String>::new());
        }
        let target = Replica::open(&to.open(), GROUP).unwrap();
        assert_eq!(target.state_hash().hash, hash);
        for (at, (_, batch)) in world.log.iter().skip(60).enumerate() {
            let index = applied.index + 1 + at as u64;
            target.apply(LogPosition { term: 1, index }, batch);
        }
        assert_eq!(target.state_hash().hash, later);
        world.check_reads(&target);
    }
}

#[test]
fn chunks_are_small_and_begin_with_a_header() {
    let store = Store::in_memory();
    let mut world = World::new(32);
    let source = fed(&mut world, &store, 400);
    source.persist(u64::MAX).unwrap();
    let chunks: Vec<Bytes> = source.snapshot().unwrap().map(Result::unwrap).collect();
    let longest = chunks.iter().map(Bytes::len).max().unwrap();
    assert!((200 << 10..=256 << 10).contains(&longest), "{longest}");
    let tags: Vec<u8> = chunks.iter().map(|chunk| chunk[0]).collect();
    assert_eq!(tags.first(), Some(&1));
    assert_eq!(tags.last(), Some(&3));
}

#[test]
fn nothing_is_persisted_while_the_mutable_part_is_read() {
    let store = Store::in_memory();
    let mut world = World::new(33);
    let source = fed(&mut world, &store, 40);
    assert!(matches!(source.snapshot(), Err(SnapshotError::Empty)));
    source.persist(u64::MAX).unwrap();
    let persisted = source.persisted();
    let mut reader = source.snapshot().unwrap().in_chunks_of(4_096);
    assert!(matches!(source.snapshot(), Err(SnapshotError::Busy)));
    world.random_batch();
    world.feed(&source);
    reader.next().unwrap().unwrap();
    source.persist(u64::MAX).unwrap();
    assert_eq!(source.persisted(), persisted);
    assert!(source.unwritten_bytes() > 0);
    drop(reader);
    source.persist(u64::MAX).unwrap();
    assert_eq!(source.persisted(), source.applied());
}

#[test]
fn a_reader_that_holds_nothing_still_any_more_waits_for_nobody_at_its_end() {
    let store = Store::in_memory();
    let mut world = World::new(35);
    let source = fed(&mut world, &store, 40);
    source.persist(u64::MAX).unwrap();
    let mut reader = source.snapshot().unwrap().in_chunks_of(4_096);
    while reader.holds_still() {
        reader.next().unwrap().unwrap();
    }
    let writing = source.shared.persister();
    let ending = std::thread::spawn(move || drop(reader));
    while !ending.is_finished() {
        assert!(source.shared.may_rest(), "it waits for whoever writes");
        std::thread::yield_now();
    }
    drop(writing);
}

#[test]
fn a_snapshot_that_takes_too_long_is_given_up() {
    let store = Store::in_memory();
    let mut world = World::new(34);
    let source = fed(&mut world, &store, 40);
    source.persist(u64::MAX).unwrap();
    source.shared.persister().patience = 1;
    let mut reader = source.snapshot().unwrap().in_chunks_of(4_096);
    reader.next().unwrap().unwrap();
    world.random_batch();
    world.feed(&source);
    source.persist(u64::MAX).unwrap();
    assert_eq!(source.persisted(), source.applied());
    assert!(matches!(reader.next(), Some(Err(SnapshotError::Overtaken))));
    assert!(reader.next().is_none());
    world.check_reads(&source);
}

#[test]
fn a_snapshot_gives_way_to_whoever_needs_room() {
    let mut world = World::new(36);
    let source = fed(&mut world, &Store::in_memory(), 40);
    source.persist(u64::MAX).unwrap();
    let mut reader = source.snapshot().unwrap().in_chunks_of(4_096);
    reader.next().unwrap().unwrap();
    world.random_batch();
    world.feed(&source);
    source.persist(u64::MAX).unwrap();
    assert!(
        source.unwritten_bytes() > 0,
        "the reader holds the tree still"
    );
    source.make_room(u64::MAX).unwrap();
    assert_eq!(source.unwritten_bytes(), 0);
    assert_eq!(source.persisted(), source.applied());
    assert!(matches!(reader.next(), Some(Err(SnapshotError::Overtaken))));
    world.check_reads(&source);
}

#[test]
fn nothing_rests_while_room_is_made() {
    let mut world = World::new(37);
    let source = fed(&mut world, &Store::in_memory(), 40);
    let waited_for = source.shared.waited_for();
    assert!(!source.shared.may_rest());
    drop(waited_for);
    assert!(source.shared.may_rest());
}

#[test]
fn what_was_changed_on_the_way_is_not_installed() {
    let mut world = World::new(35);
    let source = fed(&mut world, &Store::in_memory(), 20);
    source.persist(u64::MAX).unwrap();
    let reader = source.snapshot().unwrap().in_chunks_of(4_096);
    let chunks: Vec<Bytes> = reader.map(Result::unwrap).collect();
    let store = Store::in_memory();
    let target = fed(&mut World::new(36), &store, 5);
    target.persist(u64::MAX).unwrap();
    let before = target.state_hash();
    for at in 0..chunks.len() {
        for byte in [0, chunks[at].len() / 2, chunks[at].len() - 1] {
            let mut flipped = chunks.clone();
            let mut bytes = flipped[at].to_vec();
            bytes[byte] ^= 0x10;
            flipped[at] = bytes.into();
            assert!(
                install(&target, &flipped).is_err(),
                "chunk {at} byte {byte}"
            );
        }
        let mut lacking = chunks.clone();
        lacking.remove(at);
        assert!(install(&target, &lacking).is_err(), "without chunk {at}");
        assert_eq!(target.state_hash(), before);
    }
    assert_eq!(
        install(&target, &chunks).unwrap(),
        source.applied().unwrap()
    );
    assert_eq!(target.state_hash(), source.state_hash());
}

#[test]
fn a_snapshot_goes_into_its_own_group_only_and_never_back() {
    let mut world = World::new(37);
    let source = fed(&mut world, &Store::in_memory(), 20);
    source.persist(u64::MAX).unwrap();
    let chunks: Vec<Bytes> = source.snapshot().unwrap().map(Result::unwrap).collect();
    let other = Replica::open(&Store::in_memory(), GroupId(4)).unwrap();
    assert!(install(&other, &chunks).is_err());
    assert!(other.is_empty());
    let ahead = fed(&mut world, &Store::in_memory(), 1);
    let before = ahead.state_hash();
    assert!(install(&ahead, &chunks).is_err());
    assert_eq!(ahead.state_hash(), before);
    let one = ahead.install().unwrap();
    assert!(matches!(ahead.install(), Err(InstallError::Busy)));
    drop(one);
    assert!(ahead.install().is_ok());
}

#[test]
fn a_snapshot_is_checked_whole_before_anything_is_switched() {
    let mut world = World::new(38);
    let source = fed(&mut world, &Store::in_memory(), 20);
    source.persist(u64::MAX).unwrap();
    let chunks: Vec<Bytes> = source.snapshot().unwrap().map(Result::unwrap).collect();
    let target = fed(&mut World::new(39), &Store::in_memory(), 5);
    let before = target.state_hash();
    let mut short = target.install().unwrap();
    for chunk in chunks.iter().take(chunks.len() - 1) {
        short.chunk(chunk.clone()).unwrap();
    }
    assert!(matches!(short.check(), Err(InstallError::Malformed(_))));
    drop(short);
    let mut whole = target.install().unwrap();
    for chunk in &chunks {
        whole.chunk(chunk.clone()).unwrap();
    }
    let checked = whole.check().unwrap();
    assert_eq!(Some(checked.position), source.applied());
    assert_eq!(target.state_hash(), before);
    assert_eq!(whole.finish().unwrap(), checked);
    assert_eq!(target.state_hash(), source.state_hash());
}
