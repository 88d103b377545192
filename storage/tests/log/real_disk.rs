//! The log with its threads, on the disk of the machine.

use crate::support::*;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::disk::RealDisk;
use florin_storage::log::{Log, LogOptions, Recovery};
use std::path::Path;
use std::sync::Arc;
use std::thread;

fn open_at(folder: &Path, segment_bytes: u64) -> (Log, Recovery) {
    let disk = RealDisk::open(folder).unwrap();
    let options = LogOptions {
        segment_bytes,
        cache_bytes: 64 << 10,
        ..options()
    };
    Log::open(Arc::new(disk), options).unwrap()
}

#[test]
fn many_threads_and_groups_across_segments_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/log");
    let (log, _) = open_at(&path, 256 << 10);
    for group in 0..4 {
        log.create_group(GroupId(group)).unwrap();
    }
    for run in 0..3_u64 {
        thread::scope(|threads| {
            for group in log.groups() {
                let group = log.group(group).unwrap();
                threads.spawn(move || {
                    let mut answers = Vec::new();
                    for index in run * 200..(run + 1) * 200 {
                        let (done, answer) = wait();
                        let bytes = payload(group.id().0, index, 700);
                        group.append(vec![entry(run, index, &bytes)], done);
                        answers.push(answer);
                        if index % 50 == 0 {
                            let vote = Bytes::from(index.to_string());
                            let (done, answer) = wait();
                            group.save_vote(vote, done);
                            answer.recv().unwrap().unwrap();
                        }
                    }
                    for answer in answers {
                        answer.recv().unwrap().unwrap();
                    }
                    assert_eq!(group.durable(), Some(run * 200 + 199));
                });
            }
        });
    }
    let before: Vec<_> = log
        .groups()
        .iter()
        .map(|id| entries(&log.group(*id).unwrap()))
        .collect();
    assert!(log.usage().segments > 5);
    log.close();
    drop(log);
    // The length of segments may change from one start to the next.
    let (log, recovery) = open_at(&path, 512 << 10);
    assert_eq!(recovery, Recovery::default());
    let after: Vec<_> = log
        .groups()
        .iter()
        .map(|id| entries(&log.group(*id).unwrap()))
        .collect();
    assert!(before == after);
    for id in log.groups() {
        let group = log.group(id).unwrap();
        assert_eq!(group.state().vote.unwrap(), "550");
        group.purge(group.state().last.unwrap());
        let (done, answer) = wait();
        group.append(vec![entry(9, 600, b"after")], done);
        answer.recv().unwrap().unwrap();
    }
    log.close();
    let (log, recovery) = open_at(&path, 512 << 10);
    assert_eq!(recovery, Recovery::default());
    // The keeper removes what nobody needs.
    while log.usage().segments > 1 {
        thread::yield_now();
    }
}

#[test]
fn answers_come_in_the_order_of_the_calls_over_all_groups() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open_at(folder.path(), 256 << 10);
    let groups: Vec<_> = (0..3)
        .map(|id| log.create_group(GroupId(id)).unwrap())
        .collect();
    let calls = Calls::default();
    for name in 0..600 {
        let group = &groups[name as usize % 3];
        if name % 7 == 0 {
            group.save_vote(Bytes::from_static(b"v"), calls.done(name));
        } else {
            let index = group.state().last.map_or(0, |last| last.index + 1);
            group.append(vec![entry(1, index, &[9; 100])], calls.done(name));
        }
    }
    log.close();
    let names: Vec<_> = calls.all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, (0..600).collect::<Vec<_>>());
}

#[test]
fn a_log_that_went_idle_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open_at(folder.path(), 16 << 10);
    let group = log.create_group(G1).unwrap();
    let (done, answer) = wait();
    group.append(vec![entry(1, 0, b"a")], done);
    answer.recv().unwrap().unwrap();
    let file = folder.path().join("0000000000000001.log");
    let rounds = || {
        let bytes = std::fs::read(&file).unwrap();
        bytes.chunks(512).filter(|sector| sector[0] != 0).count()
    };
    let before = rounds();
    assert_eq!(before, 3, "summary, creation, entry");
    while rounds() == before {
        thread::yield_now();
    }
    assert_eq!(rounds(), before + 1);
}
