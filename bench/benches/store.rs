//! A replica on this machine's disk: applying batches, and writing what they changed into sled.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use florin_bench::bare::Books;
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::replica::{Replica, Store, StoreOptions};
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// As many commands as a leader puts into a batch.
const COMMANDS: usize = 256;

/// As many transfers as one command may hold.
const TRANSFERS: usize = 8_190;

/// Batches between two writings: a replica writes about once a second.
const BATCHES: usize = 16;

/// A replica in a folder of its own.
struct Bench {
    replica: Replica,
    next: Cell<u64>,
    _store: Store,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// With the accounts that these books have.
    fn open(books: &RefCell<Books>) -> Bench {
        // Beside the sources, for /tmp is often in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a folder");
        let (store, _) = Store::open(folder.path(), StoreOptions::default()).expect("a store");
        let bench = Bench {
            replica: Replica::open(&store, GroupId(1)).expect("a replica"),
            next: Cell::new(1),
            _store: store,
            _folder: folder,
        };
        for batch in &books.borrow().opening {
            bench.apply(batch.clone());
        }
        bench
    }

    fn apply(&self, batch: Vec<u8>) {
        let index = self.next.replace(self.next.get() + 1);
        let decisions = self
            .replica
            .apply(LogPosition { term: 1, index }, &batch.into());
        assert!(
            decisions.iter().all(|one| !one.replayed),
            "every key is new"
        );
    }

    fn persist(&self) {
        self.replica.persist(u64::MAX).expect("the disk works");
    }
}

fn store(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    type Make = fn(&Books) -> Vec<u8>;
    let kinds: [(&str, u64, usize, Make); 2] = [
        ("payments, 256 commands", 1_000, COMMANDS, |books| {
            books.payments(COMMANDS)
        }),
        ("transfers, 8,190 in a command", 1, TRANSFERS, |books| {
            books.transfers(TRANSFERS)
        }),
    ];
    for (name, partners, elements, make) in kinds {
        let books = Books::open(partners);
        let bench = Bench::open(&books);
        group.throughput(Throughput::Elements(elements as u64));
        group.bench_function(format!("apply in memory: {name}"), |bencher| {
            bencher.iter_batched(
                || make(&books.borrow()),
                |batch| bench.apply(batch),
                BatchSize::SmallInput,
            );
        });
        bench.persist();
        group.throughput(Throughput::Elements((elements * BATCHES) as u64));
        group.bench_function(
            format!("write {BATCHES} batches into sled: {name}"),
            |bencher| {
                bencher.iter_batched(
                    || (0..BATCHES).for_each(|_| bench.apply(make(&books.borrow()))),
                    |()| bench.persist(),
                    BatchSize::PerIteration,
                );
            },
        );
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(5));
    targets = store
}
criterion_main!(benches);
