//! Damage that no crash can explain: it must be seen, and nothing may be guessed.

use crate::support::*;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::disk::Disk;
use florin_storage::disk::sim::{Faults, Misdirected, SimDisk};
use florin_storage::log::{CreateGroupError, Log, OpenLogError, Recovery};
use std::collections::BTreeMap;
use std::sync::Arc;

fn name(segment: u64) -> String {
    format!("{segment:016x}.log")
}

type State = (Vec<(u64, u64, Vec<u8>)>, Option<Bytes>);

fn state(log: &Log) -> BTreeMap<u32, State> {
    let groups = log.groups().into_iter();
    let read = groups.map(|id| {
        let group = log.group(id).unwrap();
        (id.0, (entries(&group), group.state().vote))
    });
    read.collect()
}

/// Two groups in rounds of both, with votes, a truncation and a purge; about two segments.
fn written(rounds: u64) -> (SimDisk, Log) {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let one = log.create_group(G1).unwrap();
    let two = log.create_group(G2).unwrap();
    for index in 0..rounds {
        append(&one, vec![entry(1, index, &payload(1, index, 500))]);
        append(&two, vec![entry(1, index, &payload(2, index, 200))]);
        one.save_vote(Bytes::from(vec![index as u8 + 1; 9]), ignore());
        if index == 5 {
            two.truncate_after(Some(3));
            append(&two, vec![entry(2, 4, b"again"), entry(2, 5, b"again")]);
            one.purge(at(1, 2));
        }
        log.step();
    }
    (disk, log)
}

/// Puts damaged entries right, by what another replica has; nothing else is taken in their place.
fn mend(node: &Log, group: GroupId, damaged: &[LogPosition], whole: &[(u64, u64, Vec<u8>)]) {
    let log = &node.group(group).unwrap();
    assert_eq!(log.damaged(), damaged);
    for position in damaged {
        let (term, index, payload) = whole
            .iter()
            .find(|(_, index, _)| *index == position.index)
            .unwrap();
        assert_eq!((*term, *index), (position.term, position.index));
        assert!(log.read(*index..index + 1, usize::MAX).is_err());
        let mut other = payload.clone();
        other[0] ^= 1;
        for wrong in [
            entry(*term, *index, &other),
            entry(term + 1, *index, payload),
            entry(*term, *index, &[&payload[..], b"more"].concat()),
        ] {
            let (done, answer) = wait();
            log.mend(wrong, done);
            node.step();
            assert!(answer.recv().unwrap().is_err(), "entry {index}");
        }
        log.mend(
            entry(*term, *index, payload),
            Box::new(|done| done.unwrap()),
        );
    }
    assert_eq!(log.damaged(), []);
}

/// What a damaged log gives: an error, or groups that are faulty, and the rest exactly as it was.
/// Returns how it was seen.
fn check_seen(disk: &SimDisk, whole: &BTreeMap<u32, State>, what: &str) -> &'static str {
    let sealed = disk.copy();
    let (log, recovery) = match Log::open_stepped(Arc::new(sealed.clone()), options()) {
        Err(OpenLogError::Damaged { .. }) => return "log",
        Err(error) => panic!("{what}: {error}"),
        Ok(opened) => opened,
    };
    let mended = !recovery.damaged.is_empty();
    for (group, damaged) in &recovery.damaged {
        mend(&log, *group, damaged, &whole[&group.0].0);
    }
    log.step();
    let found = state(&log);
    for fault in &recovery.faulty {
        assert!(log.group(fault.group).is_none());
        assert!(!found.contains_key(&fault.group.0), "{what}");
    }
    assert_eq!(found.len() + recovery.faulty.len(), whole.len(), "{what}");
    for (group, found) in &found {
        assert!(
            found == &whole[group],
            "{what}: group {group} is not what it was"
        );
    }
    if mended {
        log.close();
        let (log, again) = open(&sealed);
        assert!(again.damaged.is_empty(), "{what}: it stays mended");
        assert_eq!(state(&log), found, "{what}");
    }
    match (recovery.faulty.is_empty(), recovery.notes.is_empty()) {
        _ if mended && recovery.faulty.is_empty() => "mended",
        (false, _) => "group",
        (true, false) => "note",
        (true, true) => "nothing",
    }
}

#[test]
fn a_flipped_bit_anywhere_is_seen() {
    let (disk, log) = written(9);
    log.close();
    let whole = state(&open(&disk.copy()).0);
    let bytes = disk.bytes(&name(1)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 512 * 512 + 512;
    let mut seen = BTreeMap::new();
    for byte in 0..used + 600 {
        let damaged = disk.copy();
        damaged.flip_bit(&name(1), byte, (byte % 8) as u8);
        let how = check_seen(&damaged, &whole, &format!("byte {byte}"));
        *seen.entry(how).or_insert(0) += 1;
    }
    // Entries that were purged or truncated and votes that were replaced are nobody's any more.
    assert!(seen["log"] > 1_000 && seen["mended"] > 3_500, "{seen:?}");
    assert!(seen["nothing"] < used / 3, "{seen:?}");
}

#[test]
fn a_flipped_bit_in_the_last_round_is_seen_even_without_a_seal() {
    let (disk, _log) = written(9);
    let disk = disk.kill();
    let whole = state(&open(&disk.copy()).0);
    let bytes = disk.bytes(&name(1)).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    for byte in end - 900..end - 40 {
        let damaged = disk.copy();
        damaged.flip_bit(&name(1), byte, 3);
        let how = check_seen(&damaged, &whole, &format!("byte {byte}"));
        assert_ne!(how, "nothing", "byte {byte}");
    }
}

#[test]
fn a_sector_of_zeros_before_the_last_round_is_no_tear() {
    let (disk, log) = written(9);
    log.close();
    let whole = state(&open(&disk.copy()).0);
    let bytes = disk.bytes(&name(1)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 512;
    for sector in 0..used {
        let mut bytes = bytes.clone();
        bytes[sector * 512..][..512].fill(0);
        let damaged = disk.copy();
        damaged.set_bytes(&name(1), bytes);
        check_seen(&damaged, &whole, &format!("sector {sector}"));
        assert_eq!(damaged_torn(&damaged), None, "sector {sector}");
    }
}

fn damaged_torn(disk: &SimDisk) -> Option<u64> {
    let found = Log::inspect(disk).ok()?;
    found.torn.map(|torn| torn.offset)
}

#[test]
fn writes_that_went_astray_are_seen() {
    // (after how many rounds, file, offset); each round's write is followed by the mark's.
    let places = [
        (0, 1, 512),
        (0, 1, 1_024),
        (3, 1, 0),
        (3, 1, 3_072),
        (3, 1, 15_872),
        (2, 2, 0),
        (2, 2, 512),
        (2, 1, 7 * 512 + 8),
    ];
    for (after, segment, offset) in places {
        let (disk, log) = written(6);
        disk.set_faults(Faults {
            misdirect: Some(Misdirected {
                after: after * 2,
                name: name(segment),
                offset,
            }),
            ..Faults::default()
        });
        let group = log.group(G1).unwrap();
        for index in 6..11 {
            append(&group, vec![entry(1, index, &payload(1, index, 300))]);
            log.step();
        }
        let whole = state(&log);
        let what = format!("round {after} to segment {segment} byte {offset}");
        assert_ne!(check_seen(&disk.kill(), &whole, &what), "nothing", "{what}");
    }
}

#[test]
fn segments_that_are_missing_or_of_another_length() {
    let (disk, log) = written(40);
    log.close();
    let whole = state(&open(&disk.copy()).0);
    let last = segments(&disk) as u64;
    assert!(last >= 4);
    let without = |segment| {
        let disk = disk.copy();
        disk.remove(&name(segment)).unwrap();
        check_seen(&disk, &whole, &format!("without segment {segment}"))
    };
    assert_eq!(without(1), "group");
    assert_eq!(without(2), "log");
    assert_eq!(without(last - 1), "log");
    assert_eq!(
        without(last),
        "nothing",
        "it was prepared, and is prepared again"
    );
    for segment in 1..=last {
        for length in [
            0,
            511,
            512,
            5_000,
            8_192,
            SEGMENT as usize - 1,
            SEGMENT as usize + 512,
        ] {
            let disk = disk.copy();
            let mut bytes = disk.bytes(&name(segment)).unwrap();
            bytes.resize(length, 0);
            disk.set_bytes(&name(segment), bytes);
            let how = check_seen(&disk, &whole, "another length");
            assert_eq!(how, "log", "segment {segment} of {length} bytes");
        }
    }
}

#[test]
fn a_segment_of_another_place_or_another_time() {
    let (disk, log) = written(40);
    let old = disk.copy();
    let group = log.group(G1).unwrap();
    append(&group, vec![entry(1, 40, b"later")]);
    log.close();
    let whole = state(&open(&disk.copy()).0);
    for (from, to) in [(1, 2), (2, 1), (2, 3)] {
        let disk = disk.copy();
        disk.set_bytes(&name(to), disk.bytes(&name(from)).unwrap());
        assert_eq!(check_seen(&disk, &whole, "swapped"), "log");
    }
    // A log written differently from the same beginning on.
    let (other, _) = open(&old);
    append(&other.group(G1).unwrap(), vec![entry(3, 40, b"other")]);
    for index in 41..80 {
        append(
            &other.group(G1).unwrap(),
            vec![entry(3, index, &payload(1, index, 500))],
        );
        other.step();
    }
    let last = segments(&disk) as u64;
    let mixed = disk.copy();
    mixed.set_bytes(&name(last), old.bytes(&name(last)).unwrap());
    assert_eq!(check_seen(&mixed, &whole, "mixed"), "log");
}

#[test]
fn a_round_of_another_history_at_its_own_place_is_seen() {
    let (disk, log) = written(5);
    let other_disk = disk.copy();
    let (other, _) = open(&other_disk);
    // Same places, same lengths, same numbers of rounds: only what came before differs.
    for index in 5..8 {
        for (log, step) in [(&log, 1), (&other, 2)] {
            let group = log.group(G1).unwrap();
            append(&group, vec![entry(1, index, &payload(step, index, 300))]);
            log.step();
        }
    }
    let whole = state(&log);
    let other = other_disk.kill().bytes(&name(1)).unwrap();
    let disk = disk.kill();
    let bytes = disk.bytes(&name(1)).unwrap();
    let sectors = bytes.chunks(512).zip(other.chunks(512));
    let differing: Vec<_> = sectors.enumerate().filter(|(_, (a, b))| a != b).collect();
    assert_eq!(differing.len(), 3, "three rounds of a sector each");
    for (number, (_, foreign)) in &differing[1..] {
        let mut bytes = bytes.clone();
        bytes[number * 512..][..512].copy_from_slice(foreign);
        let mixed = disk.copy();
        mixed.set_bytes(&name(1), bytes);
        assert_eq!(check_seen(&mixed, &whole, "foreign round"), "log");
        // Nothing else tells them apart: place, number and checksums are all right.
        let error = Log::inspect(&mixed).unwrap_err().to_string();
        assert!(error.contains("does not follow the one before"), "{error}");
    }
}

#[test]
fn a_faulty_group_stays_faulty_until_it_is_removed() {
    let (disk, log) = written(9);
    log.close();
    let bytes = disk.bytes(&name(1)).unwrap();
    let place = bytes.windows(9).rposition(|window| window == [9; 9]);
    disk.flip_bit(&name(1), place.unwrap() + 4, 1);
    for _ in 0..2 {
        let (log, recovery) = open(&disk);
        assert_eq!(recovery.faulty.len(), 1);
        assert_eq!(recovery.faulty, log.faulty());
        assert_eq!(recovery.faulty[0].group, G1);
        assert!(matches!(
            log.create_group(G1),
            Err(CreateGroupError::Faulty(_))
        ));
        let one = log.group(G2).unwrap();
        let next = one.state().last.unwrap().index + 1;
        // The other group goes on through segments, and their summaries know.
        append(
            &one,
            (next..next + 60)
                .map(|i| entry(4, i, &payload(1, i, 900)))
                .collect(),
        );
        log.step();
        one.purge(at(4, next + 58));
        log.close();
    }
    let (log, _) = open(&disk);
    assert!(log.remove_group(G1).unwrap());
    let one = log.create_group(G1).unwrap();
    append(&one, vec![entry(9, 0, b"repaired")]);
    log.close();
    let (log, recovery) = open(&disk);
    assert_eq!((recovery, log.faulty()), (Recovery::default(), vec![]));
    assert_eq!(indexes(&log.group(G1).unwrap()), [0]);
}

#[test]
fn a_sector_that_cannot_be_read() {
    let (disk, log) = written(9);
    log.close();
    let whole = state(&open(&disk.copy()).0);
    let place = |wanted: &[u8]| {
        let bytes = disk.bytes(&name(1)).unwrap();
        bytes
            .windows(wanted.len())
            .position(|window| window == wanted)
            .unwrap()
    };
    // The middle of the body of a large entry of group 1.
    let at = place(&payload(1, 7, 500)) / 512 * 512 + 100;
    disk.set_faults(Faults {
        unreadable: Some((name(1), at as u64)),
        ..Faults::default()
    });
    let opened = Log::open_stepped(Arc::new(disk.clone()), options());
    match opened {
        Err(OpenLogError::Damaged { .. }) => {}
        Ok((log, recovery)) => {
            assert!(recovery.damaged.contains_key(&G1) && !recovery.notes.is_empty());
            disk.set_faults(Faults::default());
            for (group, damaged) in &recovery.damaged {
                mend(&log, *group, damaged, &whole[&group.0].0);
            }
            log.step();
            for (group, found) in state(&log) {
                assert_eq!(found, whole[&group]);
            }
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn damage_after_the_start_is_seen_when_it_is_read() {
    let disk = SimDisk::new();
    let options = florin_storage::log::LogOptions {
        cache_bytes: 0,
        ..options()
    };
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), options).unwrap();
    let group = log.create_group(G1).unwrap();
    append(
        &group,
        (0..3).map(|i| entry(1, i, &payload(1, i, 500))).collect(),
    );
    log.step();
    let bytes = disk.bytes(&name(1)).unwrap();
    let wanted = payload(1, 1, 500);
    let place = bytes
        .windows(500)
        .position(|window| window == wanted)
        .unwrap();
    disk.flip_bit(&name(1), place, 0);
    assert_eq!(group.read(0..1, usize::MAX).unwrap().len(), 1);
    let error = group.read(0..3, usize::MAX).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}
