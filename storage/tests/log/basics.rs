//! What a caller sees while nothing goes wrong.

use crate::support::*;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::disk::sim::SimDisk;
use florin_storage::log::{CreateGroupError, Log, LogOptions};
use std::sync::Arc;

#[test]
fn entries_are_readable_at_once_and_durable_when_answered() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    let calls = Calls::default();
    group.append(vec![entry(1, 0, b"a"), entry(1, 1, b"b")], calls.done(1));
    assert_eq!(indexes(&group), [0, 1]);
    assert_eq!(group.state().last, Some(at(1, 1)));
    assert_eq!((group.durable(), calls.all()), (None, vec![]));
    assert!(log.step());
    assert_eq!((group.durable(), calls.all()), (Some(1), vec![(1, true)]));
}

#[test]
fn everything_waiting_shares_one_write_and_one_sync_and_is_answered_in_order() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let one = log.create_group(G1).unwrap();
    let two = log.create_group(G2).unwrap();
    let before = disk.counts();
    let calls = Calls::default();
    for name in 0..50 {
        match name % 3 {
            0 => one.append(vec![entry(1, name / 3, b"one")], calls.done(name)),
            1 => two.append(vec![entry(1, name / 3, b"two")], calls.done(name)),
            _ => two.save_vote(Bytes::from(vec![name as u8]), calls.done(name)),
        }
    }
    log.step();
    let names: Vec<u64> = calls.all().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, (0..50).collect::<Vec<_>>());
    let after = disk.counts();
    assert_eq!(
        (after.writes - before.writes, after.syncs - before.syncs),
        (2, 1),
        "the round, and behind it the mark, which is not synced"
    );
}

#[test]
fn a_restart_finds_all_of_it() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let one = log.create_group(G1).unwrap();
    let two = log.create_group(G2).unwrap();
    append(
        &one,
        (5..40).map(|i| entry(2, i, &payload(1, i, 300))).collect(),
    );
    two.save_vote(Bytes::from_static(b"vote"), ignore());
    one.truncate_after(Some(20));
    append(&one, vec![entry(3, 21, b"new")]);
    one.purge(at(2, 7));
    let before = (entries(&one), one.state(), two.state());
    log.close();
    let (log, recovery) = open(&disk);
    assert_eq!(recovery, Default::default());
    assert_eq!(log.groups(), [G1, G2]);
    let (one, two) = (log.group(G1).unwrap(), log.group(G2).unwrap());
    assert_eq!((entries(&one), one.state(), two.state()), before);
    assert_eq!(one.durable(), Some(21));
    append(&one, vec![entry(3, 22, b"more")]);
    log.step();
    assert_eq!(indexes(&one), (8..=22).collect::<Vec<_>>());
}

#[test]
fn what_does_not_follow_is_refused_in_its_turn() {
    let (log, _) = open(&SimDisk::new());
    let group = log.create_group(G1).unwrap();
    let calls = Calls::default();
    group.append(vec![entry(1, 3, b"first may be any")], calls.done(1));
    group.append(vec![entry(1, 5, b"gap")], calls.done(2));
    group.append(vec![entry(1, 3, b"again")], calls.done(3));
    group.append(vec![entry(1, 4, &[1; SEGMENT as usize])], calls.done(4));
    group.save_vote(
        Bytes::from(vec![1; florin_storage::log::VOTE_BYTES + 1]),
        calls.done(5),
    );
    group.append(vec![], calls.done(6));
    group.append(vec![entry(1, 4, b"follows")], calls.done(7));
    log.step();
    let expected = [
        (1, true),
        (2, false),
        (3, false),
        (4, false),
        (5, false),
        (6, true),
        (7, true),
    ];
    assert_eq!(calls.all(), expected);
    assert_eq!(indexes(&group), [3, 4]);
}

#[test]
fn a_purge_beyond_the_end_leaves_the_place_after_it() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    append(&group, vec![entry(1, 0, b"a")]);
    group.purge(at(4, 100));
    assert_eq!(group.state().last, Some(at(4, 100)));
    assert_eq!(group.durable(), Some(100));
    append(&group, vec![entry(4, 101, b"b")]);
    group.truncate_after(None);
    assert_eq!(group.state().last, Some(at(4, 100)));
    append(&group, vec![entry(5, 101, b"c")]);
    log.close();
    let (log, _) = open(&disk);
    let group = log.group(G1).unwrap();
    assert_eq!(entries(&group), [(5, 101, b"c".to_vec())]);
    assert_eq!(group.state().purged, Some(at(4, 100)));
}

#[test]
fn a_purge_that_contradicts_the_log_drops_its_tail() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    append(&group, (0..20).map(|i| entry(3, i, b"old")).collect());
    log.step();
    group.purge(at(4, 10));
    assert_eq!((indexes(&group), group.durable()), (vec![], Some(10)));
    assert_eq!(group.state().last, Some(at(4, 10)));
    append(&group, vec![entry(4, 11, b"new")]);
    log.step();
    group.purge(at(4, 11));
    append(&group, vec![entry(4, 12, b"kept"), entry(4, 13, b"kept")]);
    group.purge(at(4, 12));
    assert_eq!(indexes(&group), [13]);
    log.close();
    let (log, _) = open(&disk);
    let group = log.group(G1).unwrap();
    assert_eq!(entries(&group), [(4, 13, b"kept".to_vec())]);
    assert_eq!(group.state().purged, Some(at(4, 12)));
    assert_eq!(group.position(13), Some(at(4, 13)));
    assert_eq!(group.position(12), None);
}

#[test]
fn waiting_for_an_index() {
    let (log, _) = open(&SimDisk::new());
    let group = log.create_group(G1).unwrap();
    let calls = Calls::default();
    group.on_durable(1, calls.done(1));
    append(&group, vec![entry(1, 0, b"a")]);
    log.step();
    assert_eq!(calls.all(), []);
    append(&group, vec![entry(1, 1, b"b"), entry(1, 2, b"c")]);
    group.on_durable(2, calls.done(2));
    log.step();
    assert_eq!(calls.all(), [(1, true), (2, true)]);
    group.on_durable(0, calls.done(3));
    group.on_durable(9, calls.done(4));
    group.purge(at(1, 9));
    group.on_durable(10, calls.done(5));
    log.close();
    group.on_durable(11, calls.done(6));
    let expected = [
        (1, true),
        (2, true),
        (3, true),
        (4, true),
        (5, false),
        (6, false),
    ];
    assert_eq!(calls.all(), expected);
}

#[test]
fn reads_are_bounded_and_reach_the_disk() {
    let disk = SimDisk::new();
    let options = LogOptions {
        cache_bytes: 1_000,
        ..options()
    };
    let (log, _) = Log::open_stepped(Arc::new(disk), options).unwrap();
    let group = log.create_group(G1).unwrap();
    let all: Vec<_> = (0..100).map(|i| entry(1, i, &payload(1, i, 700))).collect();
    for one in &all {
        append(&group, vec![one.clone()]);
        log.step();
    }
    assert_eq!(group.read(0..100, usize::MAX).unwrap(), all);
    assert_eq!(group.read(40..60, 2_100).unwrap(), all[40..43]);
    assert_eq!(group.read(40..60, 0).unwrap(), all[40..41]);
    assert_eq!(group.read(98..500, usize::MAX).unwrap(), all[98..]);
    assert_eq!(group.read(100..500, usize::MAX).unwrap(), []);
    group.purge(at(1, 89));
    assert_eq!(group.read(0..95, usize::MAX).unwrap(), all[90..95]);
}

#[test]
fn groups_are_created_removed_and_created_again() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let old = log.create_group(G1).unwrap();
    assert!(matches!(
        log.create_group(G1),
        Err(CreateGroupError::Exists(G1))
    ));
    append(&old, vec![entry(1, 0, b"old")]);
    old.save_vote(Bytes::from_static(b"old"), ignore());
    assert!(log.remove_group(G1).unwrap());
    assert!(!log.remove_group(G1).unwrap());
    assert!(log.group(G1).is_none());
    let calls = Calls::default();
    old.append(vec![entry(1, 1, b"late")], calls.done(1));
    let new = log.create_group(G1).unwrap();
    append(&new, vec![entry(7, 3, b"new")]);
    log.step();
    assert_eq!(calls.all(), [(1, false)]);
    log.close();
    let (log, _) = open(&disk);
    let new = log.group(G1).unwrap();
    assert_eq!(entries(&new), [(7, 3, b"new".to_vec())]);
    assert_eq!(new.state().vote, None);
}

#[test]
fn there_are_as_many_groups_as_a_summary_holds() {
    let (log, _) = open(&SimDisk::new());
    let made = (0..100)
        .take_while(|n| log.create_group(GroupId(*n)).is_ok())
        .count();
    assert!((5..30).contains(&made), "{made}");
    assert!(matches!(
        log.create_group(GroupId(99)),
        Err(CreateGroupError::TooMany)
    ));
}

#[test]
fn closing_writes_what_is_queued_and_refuses_the_rest() {
    let disk = SimDisk::new();
    let (log, _) = Log::open(Arc::new(disk.clone()), options()).unwrap();
    let group = log.create_group(G1).unwrap();
    let calls = Calls::default();
    for index in 0..200 {
        group.append(vec![entry(1, index, b"queued")], calls.done(index));
    }
    drop(log);
    group.append(vec![entry(1, 200, b"late")], calls.done(200));
    let expected: Vec<_> = (0..=200).map(|index| (index, index < 200)).collect();
    assert_eq!(calls.all(), expected);
    let (log, _) = open(&disk);
    assert_eq!(
        indexes(&log.group(G1).unwrap()),
        (0..200).collect::<Vec<_>>()
    );
}

#[test]
fn options_out_of_bounds_are_refused() {
    for segment_bytes in [0, 512, (16 << 10) + 1, 2 << 30] {
        let options = LogOptions {
            segment_bytes,
            ..options()
        };
        assert!(Log::open(Arc::new(SimDisk::new()), options).is_err());
    }
}
