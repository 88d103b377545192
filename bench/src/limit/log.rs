//! The bare log: six groups append entries as fast as they become durable. The ceiling of `bulk`
//! in bytes, and of everything in syncs.

use super::counting::{Counting, Counts};
use crate::latency::Latencies;
use crate::report::Report;
use crate::system;
use anyhow::{Context, Result};
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::disk::RealDisk;
use florin_storage::log::{GroupLog, Log, LogEntry, LogOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

/// As many as a cluster on one machine has.
const GROUPS: u32 = 6;

/// Entries of a group that are under way at once, as a leader has them.
const UNDER_WAY: u64 = 4;

/// Entries that a group keeps; older ones are purged, so that the disk does not fill.
const KEPT: u64 = 64;

/// What is appended, and how long it is.
const ENTRIES: [(&str, usize); 3] = [
    ("limit log, one payment", 160),
    ("limit log, 256 payments", 40 << 10),
    ("limit log, 8190 transfers", 450 << 10),
];

/// An entry that became durable, or the reason why it did not.
type Durable = (u32, Instant, std::io::Result<()>);

/// A log in which groups write.
struct Writing {
    groups: Vec<(GroupLog, u64)>,
    payload: Bytes,
    done: Sender<Durable>,
    durable: Receiver<Durable>,
}

/// Runs the bench, blocking: one report for each size of entry.
pub fn run(data: Option<&Path>, duration: Duration) -> Result<Vec<Report>> {
    let each = |(name, bytes): &(&str, usize)| one(name, *bytes, data, duration);
    ENTRIES.iter().map(each).collect()
}

fn one(name: &str, bytes: usize, data: Option<&Path>, duration: Duration) -> Result<Report> {
    eprintln!("{name}: entries of {bytes} bytes from {GROUPS} groups");
    let folder = system::folder(data)?;
    let disk = RealDisk::open(folder.path()).context("the folder cannot be used")?;
    let (disk, counts) = Counting::new(disk);
    let options = LogOptions {
        segment_bytes: 64 << 20,
        min_free_bytes: 0,
        cache_bytes: 16 << 20,
        on_fatal: Arc::new(|why| eprintln!("the log has failed: {why}")),
    };
    let (log, _) = Log::open(Arc::new(disk), options)?;
    let mut writing = Writing::open(&log, bytes)?;
    let report = writing.measure(name, &counts, duration);
    log.close();
    report
}

impl Writing {
    fn open(log: &Log, bytes: usize) -> Result<Writing> {
        let open = |group| Ok((log.create_group(GroupId(group))?, 1));
        let (done, durable) = mpsc::channel();
        Ok(Writing {
            groups: (0..GROUPS).map(open).collect::<Result<_>>()?,
            payload: Bytes::from(vec![0x5a; bytes]),
            done,
            durable,
        })
    }

    fn measure(&mut self, name: &str, counts: &Counts, duration: Duration) -> Result<Report> {
        let read = || {
            let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
            (of(&counts.syncs), of(&counts.bytes))
        };
        for _ in 0..UNDER_WAY {
            (0..GROUPS).for_each(|group| self.append(group));
        }
        let ((syncs, bytes), began) = (read(), Instant::now());
        let (mut latencies, mut entries) = (Latencies::default(), 0);
        while began.elapsed() < duration {
            let (group, sent, result) = self.durable.recv().context("the log has ended")?;
            result.context("the disk does not work")?;
            latencies.record(sent.elapsed());
            entries += 1;
            self.append(group);
        }
        let (took, (syncs_after, bytes_after)) = (began.elapsed(), read());
        let a_second = |before: u64, after: u64| (after - before) as f64 / took.as_secs_f64();
        Ok(Report::counted(name, entries, took, &latencies)
            .with("entry_bytes", self.payload.len())
            .with_number("syncs_per_second", a_second(syncs, syncs_after))
            .with_number("megabytes_per_second", a_second(bytes, bytes_after) / 1e6))
    }

    fn append(&mut self, group: u32) {
        let (log, next) = &mut self.groups[group as usize];
        let position = |index| LogPosition { term: 1, index };
        let entry = LogEntry {
            position: position(*next),
            payload: self.payload.clone(),
        };
        let (done, sent) = (self.done.clone(), Instant::now());
        // Nobody listens any more once the bench has ended.
        let tell = move |result| drop(done.send((group, sent, result)));
        log.append(vec![entry], Box::new(tell));
        if next.is_multiple_of(KEPT) && *next > KEPT {
            log.purge(position(*next - KEPT));
        }
        *next += 1;
    }
}
