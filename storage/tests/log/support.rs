//! What the tests of the log share.

use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::disk::Disk;
use florin_storage::disk::sim::SimDisk;
use florin_storage::log::{Done, GroupLog, Log, LogEntry, LogOptions, Recovery};
use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

pub(crate) const SEGMENT: u64 = 16 << 10;

pub(crate) fn options() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT,
        min_free_bytes: 0,
        cache_bytes: 1 << 20,
        on_fatal: Arc::new(|_| {}),
    }
}

/// Opens a log without threads.
pub(crate) fn open(disk: &SimDisk) -> (Log, Recovery) {
    Log::open_stepped(Arc::new(disk.clone()), options()).expect("the log opens")
}

pub(crate) fn at(term: u64, index: u64) -> LogPosition {
    LogPosition { term, index }
}

pub(crate) fn entry(term: u64, index: u64, payload: &[u8]) -> LogEntry {
    LogEntry {
        position: at(term, index),
        payload: Bytes::copy_from_slice(payload),
    }
}

/// A payload without zeros, told apart by group and index.
pub(crate) fn payload(group: u32, index: u64, length: usize) -> Vec<u8> {
    let (seed, step) = (index * 7, u64::from(group) * 2 + 1);
    (0..length as u64)
        .map(|i| ((seed + i * step) % 251) as u8 + 1)
        .collect()
}

pub(crate) fn ignore() -> Done {
    Box::new(|_| {})
}

/// A completion and where its answer arrives.
pub(crate) fn wait() -> (Done, Receiver<io::Result<()>>) {
    let (sender, receiver) = channel();
    (Box::new(move |answer| drop(sender.send(answer))), receiver)
}

/// Completions that write their name into a list when they are called.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<(u64, bool)>>>);

impl Calls {
    pub(crate) fn done(&self, name: u64) -> Done {
        let calls = self.clone();
        Box::new(move |answer| calls.0.lock().unwrap().push((name, answer.is_ok())))
    }

    pub(crate) fn all(&self) -> Vec<(u64, bool)> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) fn append(log: &GroupLog, entries: Vec<LogEntry>) {
    log.append(entries, ignore());
}

/// The entries of a group as (term, index, payload).
pub(crate) fn entries(log: &GroupLog) -> Vec<(u64, u64, Vec<u8>)> {
    let read = log.read(0..u64::MAX, usize::MAX).expect("readable");
    let tuple = |e: LogEntry| (e.position.term, e.position.index, e.payload.to_vec());
    read.into_iter().map(tuple).collect()
}

pub(crate) fn indexes(log: &GroupLog) -> Vec<u64> {
    entries(log)
        .into_iter()
        .map(|(_, index, _)| index)
        .collect()
}

/// How many segment files there are.
pub(crate) fn segments(disk: &SimDisk) -> usize {
    let names = disk.list().expect("a folder");
    names.iter().filter(|name| name.ends_with(".log")).count()
}

/// The file that says how far the log surely was durable, and its length.
pub(crate) const MARK: &str = "mark";
pub(crate) const MARK_BYTES: u64 = 1_024;

pub(crate) const G1: GroupId = GroupId(1);
pub(crate) const G2: GroupId = GroupId(2);
