//! What travels between two nodes: a frame with a batch in it, written and taken apart.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use florin_bench::bare::Books;
use florin_raft::measure::{Append, entries_of};
use std::hint::black_box;

fn frame(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    let payments = Books::open(1_000);
    let transfers = Books::open(1);
    for (name, batch) in [
        ("one payment", payments.borrow().payments(1)),
        ("256 payments", payments.borrow().payments(256)),
        ("8,190 transfers", transfers.borrow().transfers(8_190)),
    ] {
        group.throughput(Throughput::Bytes(batch.len() as u64));
        let append = Append::of([batch]);
        let frame = append.frame();
        assert_eq!(entries_of(frame.clone()), Some(1));
        group.bench_function(format!("write: {name}"), |bencher| {
            bencher.iter(|| black_box(&append).frame());
        });
        group.bench_function(format!("take apart: {name}"), |bencher| {
            bencher.iter(|| entries_of(black_box(frame.clone())));
        });
    }
    group.finish();
}

criterion_group!(benches, frame);
criterion_main!(benches);
