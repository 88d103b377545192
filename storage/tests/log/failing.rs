//! Writes and syncs that fail, and disks that are full.

use crate::support::*;
use bytes::Bytes;
use florin_storage::disk::Disk;
use florin_storage::disk::sim::{Faults, SimDisk};
use florin_storage::log::{Log, LogOptions};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Options whose `on_fatal` writes down what it was told.
fn fatal_options() -> (LogOptions, Arc<Mutex<Vec<String>>>) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let telling = Arc::clone(&told);
    let on_fatal = Arc::new(move |reason: &str| telling.lock().unwrap().push(reason.into()));
    let options = LogOptions {
        on_fatal,
        ..options()
    };
    (options, told)
}

#[test]
fn after_a_failed_sync_or_write_nothing_succeeds() {
    let sync = Faults {
        fail_syncs_after: Some(1),
        ..Faults::default()
    };
    // The first round, and the mark behind it.
    let write = Faults {
        fail_writes_after: Some(2),
        ..Faults::default()
    };
    for (faults, what) in [(sync, "cannot sync"), (write, "cannot write")] {
        let (options, told) = fatal_options();
        let disk = SimDisk::new();
        let (log, _) = Log::open_stepped(Arc::new(disk.clone()), options).unwrap();
        let group = log.create_group(G1).unwrap();
        disk.set_faults(faults);
        let calls = Calls::default();
        group.append(vec![entry(1, 0, b"before")], calls.done(1));
        log.step();
        group.append(vec![entry(1, 1, b"at the fault")], calls.done(2));
        group.save_vote(Bytes::from_static(b"vote"), calls.done(3));
        group.on_durable(1, calls.done(4));
        log.step();
        disk.set_faults(Faults::default());
        group.append(vec![entry(1, 2, b"after")], calls.done(5));
        log.step();
        group.on_durable(1, calls.done(6));
        assert!(log.create_group(G2).is_err());
        log.close();
        let mut all = calls.all();
        all.sort_unstable();
        let expected = [
            (1, true),
            (2, false),
            (3, false),
            (4, false),
            (5, false),
            (6, false),
        ];
        assert_eq!(all, expected);
        assert_eq!(group.durable(), Some(0));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(what), "{told:?}");
        for seed in 0..10 {
            let (log, _) = open(&disk.copy().power_cut(seed));
            assert!(log.group(G1).unwrap().durable() >= Some(0));
        }
    }
}

/// The kernel takes what it could not write for written: it can be read again after the process
/// has ended, and is gone after a power cut.
#[test]
fn what_a_failed_sync_left_in_memory_is_written_by_the_next_start() {
    for kept in 0..3 {
        let disk = SimDisk::new();
        let (log, _) = open(&disk);
        let group = log.create_group(G1).unwrap();
        append(&group, vec![entry(1, 0, b"before")]);
        assert!(log.step());
        disk.set_faults(Faults {
            fail_syncs_after: Some(0),
            ..Faults::default()
        });
        append(&group, vec![entry(1, 1, b"at the fault")]);
        log.step();
        let mut disk = disk.kill();
        for _ in 0..kept {
            let (log, _) = open(&disk);
            let group = log.group(G1).unwrap();
            assert_eq!(group.durable(), Some(1));
            disk = disk.kill();
        }
        let (log, _) = open(&disk);
        append(&log.group(G1).unwrap(), vec![entry(1, 2, b"after")]);
        assert!(log.step());
        for seed in 0..10 {
            let (log, recovery) = open(&disk.copy().power_cut(seed));
            assert_eq!(recovery.faulty, []);
            assert_eq!(log.group(G1).unwrap().durable(), Some(2));
        }
    }
}

#[test]
fn the_reason_is_told_before_anybody_gets_an_answer() {
    let answered = Arc::new(AtomicUsize::new(0));
    let at_fatal = Arc::new(AtomicUsize::new(usize::MAX));
    let (seen, count) = (Arc::clone(&at_fatal), Arc::clone(&answered));
    let options = LogOptions {
        on_fatal: Arc::new(move |_| seen.store(count.load(Ordering::SeqCst), Ordering::SeqCst)),
        ..options()
    };
    let disk = SimDisk::new();
    let (log, _) = Log::open(Arc::new(disk.clone()), options).unwrap();
    let group = log.create_group(G1).unwrap();
    disk.set_faults(Faults {
        fail_syncs_after: Some(0),
        ..Faults::default()
    });
    let (done, answer) = wait();
    let count = Arc::clone(&answered);
    let counted = Box::new(move |result| {
        count.fetch_add(1, Ordering::SeqCst);
        done(result);
    });
    group.append(vec![entry(1, 0, b"a")], counted);
    assert!(answer.recv().unwrap().is_err());
    assert_eq!(at_fatal.load(Ordering::SeqCst), 0);
}

#[test]
fn a_completion_that_panics_ends_the_log_and_leaves_nobody_waiting() {
    let (options, told) = fatal_options();
    let (log, _) = Log::open(Arc::new(SimDisk::new()), options).unwrap();
    let group = log.create_group(G1).unwrap();
    let (bad, (later, answer)) = (Box::new(|_| panic!("as the test wants")), wait());
    let (waiting, told_off) = wait();
    group.on_durable(99, waiting);
    group.append(vec![entry(1, 0, b"a")], bad);
    assert!(told_off.recv().unwrap().is_err());
    group.append(vec![entry(1, 1, b"b")], later);
    assert!(answer.recv().unwrap().is_err());
    assert_eq!(told.lock().unwrap().len(), 1);
}

/// Appends until the log says that it is full; returns the next index.
fn fill(log: &Log, from: u64) -> u64 {
    let group = log.group(G1).unwrap();
    let mut index = from;
    while log.writable().is_ok() {
        append(&group, vec![entry(1, index, &payload(1, index, 700))]);
        assert!(log.step(), "full without a warning");
        index += 1;
        assert!(index < 1_000, "never full");
    }
    index
}

#[test]
fn a_full_disk_refuses_new_work_keeps_what_was_accepted_and_recovers() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(SEGMENT * 3 + MARK_BYTES + 100));
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    let next = fill(&log, 0);
    let full = log.writable().unwrap_err();
    assert_eq!((full.free_bytes, full.needed_bytes), (100, SEGMENT));
    // The reserve takes what is on its way, votes above all.
    let calls = Calls::default();
    append(&group, vec![entry(1, next, &payload(1, next, 700))]);
    group.save_vote(Bytes::from_static(b"vote"), calls.done(1));
    assert!(log.step());
    assert_eq!(calls.all(), [(1, true)]);
    assert_eq!(indexes(&group).len() as u64, next + 1);
    // Then it waits, and fails nothing.
    for index in next + 1..next + 20 {
        group.append(
            vec![entry(1, index, &payload(1, index, 700))],
            calls.done(index),
        );
    }
    assert!(!log.step());
    assert!(!log.step());
    assert!(calls.all().iter().all(|(_, written)| *written));
    assert_eq!(indexes(&group).len() as u64, next + 20);
    disk.set_capacity(Some(SEGMENT * 8));
    assert!(log.step());
    assert_eq!(log.writable(), Ok(()));
    assert_eq!(calls.all().len(), 20);
    log.close();
    let (log, _) = open(&disk);
    assert_eq!(indexes(&log.group(G1).unwrap()).len() as u64, next + 20);
}

#[test]
fn purging_makes_room() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(SEGMENT * 3));
    let (log, _) = open(&disk);
    let group = log.create_group(G1).unwrap();
    let mut next = 0;
    for _ in 0..20 {
        next = fill(&log, next);
        group.purge(at(1, next - 1));
        assert!(log.step());
        assert_eq!(log.writable(), Ok(()));
    }
    assert!(next > 200, "{next}");
}

#[test]
fn room_is_left_to_others_unless_accepted_work_needs_it() {
    let disk = SimDisk::new();
    let options = LogOptions {
        min_free_bytes: SEGMENT * 2,
        ..options()
    };
    disk.set_capacity(Some(SEGMENT * 4 + MARK_BYTES));
    let (log, _) = Log::open_stepped(Arc::new(disk.clone()), options).unwrap();
    let group = log.create_group(G1).unwrap();
    let next = fill(&log, 0);
    assert_eq!(disk.free_bytes().unwrap(), SEGMENT * 2);
    for index in next..next + 40 {
        append(&group, vec![entry(1, index, &payload(1, index, 700))]);
    }
    assert!(log.step(), "accepted work takes what was left");
    assert!(disk.free_bytes().unwrap() < SEGMENT * 2);
    assert!(log.writable().is_err());
}

#[test]
fn a_waiting_writer_goes_on_when_there_is_room_and_gives_up_when_closed() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(SEGMENT * 2));
    let (log, _) = Log::open(Arc::new(disk.clone()), options()).unwrap();
    let group = log.create_group(G1).unwrap();
    let (done, answer) = wait();
    group.append(
        (0..60).map(|i| entry(1, i, &payload(1, i, 700))).collect(),
        done,
    );
    disk.set_capacity(Some(SEGMENT * 6));
    assert!(answer.recv().unwrap().is_ok());
    disk.set_capacity(Some(0));
    let (done, answer) = wait();
    group.append(
        (60..150)
            .map(|i| entry(1, i, &payload(1, i, 700)))
            .collect(),
        done,
    );
    log.close();
    assert!(answer.recv().unwrap().is_err());
    disk.set_capacity(None);
    let (log, recovery) = open(&disk);
    assert_eq!((recovery.faulty, recovery.torn), (vec![], None));
    let found = indexes(&log.group(G1).unwrap());
    assert!(found.len() >= 60 && found.len() < 150);
    assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_is_full_from_the_start() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(SEGMENT - 1));
    let error = Log::open(Arc::new(disk.clone()), options()).err().unwrap();
    assert!(error.to_string().contains("first segment"), "{error}");
    disk.set_capacity(None);
    assert!(Log::open(Arc::new(disk), options()).is_ok());
}
