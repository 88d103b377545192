//! Segments go when no group needs them.

use crate::support::*;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::disk::Disk;
use florin_storage::disk::sim::SimDisk;
use florin_storage::log::{GroupLog, Log};

fn write(log: &Log, group: &GroupLog, count: u64) {
    let first = group.state().last.map_or(0, |last| last.index + 1);
    for index in first..first + count {
        append(
            group,
            vec![entry(1, index, &payload(group.id().0, index, 1_500))],
        );
        assert!(log.step());
    }
}

fn first_segment(disk: &SimDisk) -> String {
    disk.list().unwrap().remove(0)
}

#[test]
fn the_slowest_group_decides() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let slow = log.create_group(G1).unwrap();
    let fast = log.create_group(G2).unwrap();
    let votes = log.create_group(GroupId(7)).unwrap();
    votes.save_vote(Bytes::from_static(b"kept"), ignore());
    write(&log, &slow, 2);
    write(&log, &fast, 50);
    assert_eq!(log.usage().slowest, Some(G1));
    let all = log.usage().segments;
    assert!(all > 5, "{all}");
    fast.purge(at(1, 48));
    assert!(log.step());
    assert_eq!(log.usage().segments, all, "the slow group needs the first");
    slow.purge(at(1, 0));
    assert!(log.step());
    assert_eq!(log.usage().segments, all);
    slow.purge(at(1, 1));
    assert!(log.step());
    assert!(log.usage().segments <= 2, "{:?}", log.usage());
    assert_eq!(log.usage().slowest, Some(G2));
    // One prepared segment more than those in use.
    assert_eq!(segments(&disk), log.usage().segments + 1);
    log.close();

    let (log, recovery) = open(&disk);
    assert_eq!(recovery, Default::default());
    assert_eq!(log.groups(), [G1, G2, GroupId(7)]);
    let (slow, fast) = (log.group(G1).unwrap(), log.group(G2).unwrap());
    assert_eq!(
        (slow.state().last, slow.durable()),
        (Some(at(1, 1)), Some(1))
    );
    assert_eq!(indexes(&fast), [49]);
    assert_eq!(fast.state().purged, Some(at(1, 48)));
    let vote = log.group(GroupId(7)).unwrap().state().vote;
    assert_eq!(vote.unwrap(), "kept");
}

#[test]
fn a_group_that_only_votes_holds_nothing_back() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    for vote in 0..2_000_u32 {
        group.save_vote(Bytes::copy_from_slice(&vote.to_le_bytes()), ignore());
        assert!(log.step());
    }
    assert_eq!(log.usage().segments, 1);
    assert!(segments(&disk) <= 2);
    log.close();
    let (log, _) = open(&disk);
    let vote = log.group(G1).unwrap().state().vote.unwrap();
    assert_eq!(vote[..], 1_999_u32.to_le_bytes());
}

#[test]
fn truncation_and_removal_let_segments_go() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let one = log.create_group(G1).unwrap();
    let two = log.create_group(G2).unwrap();
    write(&log, &two, 1);
    write(&log, &one, 40);
    one.truncate_after(None);
    write(&log, &one, 1);
    assert_eq!(first_segment(&disk), "0000000000000001.log");
    assert!(log.remove_group(G2).unwrap());
    assert!(log.step());
    assert!(log.usage().segments <= 2, "{:?}", log.usage());
    log.close();
    let (log, recovery) = open(&disk);
    assert_eq!((log.groups(), recovery), (vec![G1], Default::default()));
    assert_eq!(indexes(&log.group(G1).unwrap()), [0]);
}

#[test]
fn what_was_left_over_goes_at_the_next_start() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    write(&log, &group, 40);
    let full = disk.copy();
    group.purge(at(1, 38));
    log.step();
    // The power fails before the files are removed: they are back, and so is the old end.
    let names = full.list().unwrap();
    for name in &names {
        if disk.bytes(name).is_none() {
            disk.set_bytes(name, full.bytes(name).unwrap());
        }
    }
    assert_eq!(first_segment(&disk), "0000000000000001.log");
    log.close();
    let (log, recovery) = open(&disk);
    assert_eq!(recovery, Default::default());
    log.step();
    assert!(log.usage().segments <= 2, "{:?}", log.usage());
    assert_eq!(indexes(&log.group(G1).unwrap()), [39]);
}
