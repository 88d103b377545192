//! The ledger on one core: applying payments and transfers, and encoding what travels.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use florin_bench::bare::{self, Books};
use florin_ledger::command::{BatchView, decode_envelope, encode_envelope};
use std::hint::black_box;

/// As many commands as a leader puts into a batch.
const COMMANDS: usize = 256;

/// As many transfers as one command may hold.
const TRANSFERS: usize = 8_190;

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");

    let mut books = Books::open(1_000);
    group.throughput(Throughput::Elements(COMMANDS as u64));
    group.bench_function("payments, 256 commands in a batch", |bench| {
        bench.iter_batched(
            || books.borrow().payments(COMMANDS),
            |batch| books.borrow_mut().apply(&batch),
            BatchSize::SmallInput,
        );
    });

    books = Books::open(1);
    group.throughput(Throughput::Elements(TRANSFERS as u64));
    group.bench_function("transfers, 8,190 in a command", |bench| {
        bench.iter_batched(
            || books.borrow().transfers(TRANSFERS),
            |batch| books.borrow_mut().apply(&batch),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let books = Books::open(1_000);
    let envelope = books.borrow().payment();
    let encoded = encode_envelope(&envelope);
    group.bench_function("encode a payment", |bench| {
        bench.iter(|| encode_envelope(black_box(&envelope)));
    });
    group.bench_function("decode a payment", |bench| {
        bench.iter(|| decode_envelope(black_box(&encoded)));
    });
    group.throughput(Throughput::Elements(COMMANDS as u64));
    group.bench_function("build a batch of 256 payments", |bench| {
        bench.iter(|| bare::batch(1, black_box(&[&encoded; COMMANDS])));
    });
    let batch = bare::batch(1, &[&encoded; COMMANDS]);
    group.bench_function("walk a batch of 256 payments", |bench| {
        bench.iter(|| {
            let batch = BatchView::decode(black_box(&batch)).expect("it was built here");
            batch
                .envelopes()
                .map(|envelope| envelope.len())
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, apply, codec);
criterion_main!(benches);
