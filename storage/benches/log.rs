//! The write-ahead log on this machine's disk: how long a round takes, and how many it carries.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::disk::RealDisk;
use florin_storage::log::{GroupLog, Log, LogEntry, LogOptions};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// A leader's batch of 256 payments, about.
const BATCH: usize = 40 << 10;

/// A batch of one payment.
const SINGLE: usize = 160;

/// Entries that are kept; older ones are purged, so that the disk does not fill.
const KEPT: u64 = 10_000;

/// A log in a folder of its own, and the next index of each of its groups.
struct Bench {
    groups: Vec<(GroupLog, u64)>,
    log: Log,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn open(groups: u32) -> Bench {
        // Beside the sources, for /tmp is often in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a folder");
        let disk = RealDisk::open(folder.path()).expect("a disk");
        let options = LogOptions {
            segment_bytes: 64 << 20,
            min_free_bytes: 0,
            cache_bytes: 16 << 20,
            on_fatal: Arc::new(|why| panic!("{why}")),
        };
        let (log, _) = Log::open(Arc::new(disk), options).expect("an empty log");
        let groups = (1..=groups)
            .map(|group| (log.create_group(GroupId(group)).expect("a new group"), 1))
            .collect();
        Bench {
            groups,
            log,
            _folder: folder,
        }
    }

    /// Each group appends an entry; returns when all of them are durable.
    fn round(&mut self, payload: &Bytes) {
        let (done, told) = mpsc::channel();
        for (group, next) in &mut self.groups {
            let position = |index| LogPosition { term: 1, index };
            let entry = LogEntry {
                position: position(*next),
                payload: payload.clone(),
            };
            let done = done.clone();
            let tell = move |result| done.send(result).expect("the bench waits");
            group.append(vec![entry], Box::new(tell));
            if *next % KEPT == 0 {
                group.purge(position(*next - KEPT / 2));
            }
            *next += 1;
        }
        drop(done);
        for result in told {
            result.expect("the disk works");
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.log.close();
    }
}

fn rounds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log");
    for (name, groups, size) in [
        ("one group, one payment", 1, SINGLE),
        ("one group, 256 payments", 1, BATCH),
        ("six groups at once, one payment each", 6, SINGLE),
        ("six groups at once, 256 payments each", 6, BATCH),
    ] {
        let mut bench = Bench::open(groups);
        let payload = Bytes::from(vec![0x5a; size]);
        group.throughput(Throughput::Bytes(u64::from(groups) * size as u64));
        group.bench_function(name, |bencher| bencher.iter(|| bench.round(&payload)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(5));
    targets = rounds
}
criterion_main!(benches);
