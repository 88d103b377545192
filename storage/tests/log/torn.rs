//! Torn ends of the log: what a power cut can leave of the last round.

use crate::support::*;
use florin_storage::disk::sim::{Faults, SimDisk};
use florin_storage::log::{Log, Recovery, TornTail};
use std::sync::Arc;

const SECTOR: usize = 512;
const NAME: &str = "0000000000000001.log";

type Entries = Vec<(u64, u64, Vec<u8>)>;

/// A log whose last round is not sealed: the files before it and after it, and where it stands.
struct LastRound {
    before: SimDisk,
    after: SimDisk,
    sectors: Vec<usize>,
}

fn last_round(entries: usize, length: usize) -> LastRound {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    let other = log.create_group(G2).unwrap();
    append(&group, vec![entry(1, 0, &payload(1, 0, 700))]);
    append(&other, vec![entry(1, 0, b"other")]);
    log.step();
    let before = disk.copy();
    for index in 1..=entries as u64 {
        append(&group, vec![entry(1, index, &payload(1, index, length))]);
    }
    log.step();
    let after = disk.kill();
    let (old, new) = (before.bytes(NAME).unwrap(), after.bytes(NAME).unwrap());
    let pairs = old.chunks(SECTOR).zip(new.chunks(SECTOR)).enumerate();
    let sectors = pairs
        .filter(|(_, (old, new))| old != new)
        .map(|(n, _)| n)
        .collect();
    LastRound {
        before,
        after,
        sectors,
    }
}

impl LastRound {
    /// The disk with only those sectors of the last round for which `keep` says so.
    fn with(&self, keep: impl Fn(usize) -> bool) -> SimDisk {
        let disk = self.after.copy();
        let mut bytes = disk.bytes(NAME).unwrap();
        for (number, sector) in self.sectors.iter().enumerate() {
            if !keep(number) {
                bytes[sector * SECTOR..][..SECTOR].fill(0);
            }
        }
        disk.set_bytes(NAME, bytes);
        // The mark is written once the round is durable.
        disk.set_bytes(MARK, self.before.bytes(MARK).unwrap());
        disk
    }

    fn offset(&self) -> u64 {
        (self.sectors[0] * SECTOR) as u64
    }
}

fn all_of(disk: &SimDisk) -> (Entries, Recovery) {
    let (log, recovery) = open(&disk.copy());
    (entries(&log.group(G1).unwrap()), recovery)
}

/// The round is there whole or not at all, and the log goes on after it.
fn check_torn(round: &LastRound, disk: &SimDisk, what: &str) {
    let (log, recovery) = open(disk);
    let torn = recovery.torn.unwrap_or_else(|| panic!("{what}: not torn"));
    assert_eq!((torn.segment, torn.offset), (1, round.offset()), "{what}");
    assert_eq!(
        (recovery.faulty.len(), recovery.notes.len()),
        (0, 0),
        "{what}"
    );
    let group = log.group(G1).unwrap();
    assert_eq!(entries(&group), all_of(&round.before).0, "{what}");
    assert_eq!(
        disk.bytes(NAME),
        round.before.bytes(NAME),
        "{what}: stale bytes"
    );
    append(&group, vec![entry(2, 1, b"after")]);
    log.close();
    let (found, recovery) = all_of(disk);
    assert_eq!(found.last(), Some(&(2, 1, b"after".to_vec())), "{what}");
    assert_eq!(recovery, Recovery::default(), "{what}");
}

#[test]
fn a_round_cut_at_each_sector() {
    for (entries, length) in [
        (1, 40),
        (1, 440),
        (1, 441),
        (1, 3_000),
        (3, 100),
        (7, 600),
        (2, 5_000),
    ] {
        let round = last_round(entries, length);
        for kept in 0..round.sectors.len() {
            let disk = round.with(|sector| sector < kept);
            if kept == 0 {
                assert_eq!(all_of(&disk), all_of(&round.before));
            } else {
                check_torn(
                    &round,
                    &disk,
                    &format!("{entries} x {length}, {kept} sectors"),
                );
            }
        }
        let (found, recovery) = all_of(&round.after);
        assert_eq!((found.len(), recovery), (1 + entries, Recovery::default()));
    }
}

/// What is gone without a trace, and what looks like a tear, was durable all the same.
#[test]
fn a_round_that_was_durable_is_never_cut_off() {
    let round = last_round(5, 600);
    let durable = round.after.bytes(MARK).unwrap();
    let count = round.sectors.len();
    for kept in 0..(1 << count) - 1 {
        let disk = round.with(|sector| kept & (1 << sector) != 0);
        assert!(Log::inspect(&disk).is_ok(), "sectors {kept:b}");
        disk.set_bytes(MARK, durable.clone());
        let error = Log::inspect(&disk).unwrap_err().to_string();
        assert!(error.contains("the log's end is missing"), "{error}");
        assert!(Log::open_stepped(Arc::new(disk), options()).is_err());
    }
    // All of it is gone.
    let nothing = SimDisk::new();
    nothing.set_bytes(MARK, durable);
    assert!(Log::inspect(&nothing).is_err());
}

#[test]
fn a_round_with_any_sectors_missing() {
    let round = last_round(5, 600);
    let count = round.sectors.len();
    assert!((6..10).contains(&count), "{count}");
    for kept in 1..(1 << count) - 1 {
        let disk = round.with(|sector| kept & (1 << sector) != 0);
        check_torn(&round, &disk, &format!("sectors {kept:b}"));
    }
}

#[test]
fn the_first_round_of_a_log_and_of_a_segment() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    drop(log);
    let bytes = disk.bytes(NAME).unwrap();
    let torn = SimDisk::new();
    torn.set_bytes(NAME, vec![0; bytes.len()]);
    let (log, recovery) = open(&torn);
    assert_eq!((log.groups(), recovery), (vec![], Recovery::default()));

    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    let mut mark = None;
    for index in 0..3 {
        mark = disk.bytes(MARK);
        append(&group, vec![entry(1, index, &payload(1, index, 6_000))]);
        log.step();
    }
    let second = "0000000000000002.log";
    let disk = disk.kill();
    let mut bytes = disk.bytes(second).unwrap();
    bytes[SECTOR * 4..SECTOR * 5].fill(0);
    disk.set_bytes(second, bytes);
    // The third was made after the second's first round: so that round had been synced.
    assert!(Log::inspect(&disk).is_err());
    let third = florin_storage::disk::Disk::remove(&disk, "0000000000000003.log");
    third.unwrap();
    disk.set_bytes(MARK, mark.unwrap());
    let (log, recovery) = open(&disk);
    assert_eq!(
        recovery.torn.map(|torn| (torn.segment, torn.offset)),
        Some((2, 0))
    );
    let group = log.group(G1).unwrap();
    assert_eq!(indexes(&group), [0, 1]);
    append(
        &group,
        vec![entry(1, 2, b"small"), entry(1, 3, &payload(1, 3, 6_000))],
    );
    log.close();
    let (log, _) = open(&disk);
    assert_eq!(indexes(&log.group(G1).unwrap()), [0, 1, 2, 3]);
}

#[test]
fn a_crash_while_recovering_changes_nothing() {
    let round = last_round(5, 600);
    let torn = round.with(|sector| sector % 3 != 1);
    torn.set_bytes("0000000000000009.new", vec![7; 100]);
    let expected = all_of(&round.before).0;
    for seed in 0..60 {
        let disk = torn.copy();
        disk.set_faults(Faults {
            cut_after: Some(seed % 6),
            ..Faults::default()
        });
        let opened = Log::open_stepped(Arc::new(disk.clone()), options());
        drop(opened);
        let disk = disk.power_cut(seed);
        let (found, _) = all_of(&disk);
        // Cutting it off must not put it together again either.
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[test]
fn what_a_kill_left_in_the_kernel_is_durable_after_the_restart() {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    append(&group, vec![entry(1, 0, &payload(1, 0, 2_000))]);
    disk.set_faults(Faults {
        // The write is done, the sync is not.
        cut_after: Some(1),
        ..Faults::default()
    });
    log.step();
    let disk = disk.kill();
    let (log, recovery) = open(&disk);
    assert_eq!(recovery, Recovery::default());
    assert_eq!(log.group(G1).unwrap().durable(), Some(0));
    for seed in 0..20 {
        let (found, _) = all_of(&disk.copy().power_cut(seed));
        assert_eq!(found.len(), 1, "seed {seed}");
    }
}

#[test]
fn inspecting_changes_nothing() {
    let round = last_round(5, 600);
    let disk = round.with(|sector| sector != 2);
    let before = disk.bytes(NAME);
    let found = Log::inspect(&disk).unwrap();
    let torn = TornTail {
        segment: 1,
        offset: round.offset(),
        bytes: found.torn.unwrap().bytes,
    };
    assert_eq!(found.torn, Some(torn));
    assert_eq!(disk.bytes(NAME), before);
}
