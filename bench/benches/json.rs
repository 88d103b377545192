//! The conversions at the edge: requests in and answers out, as JSON and as protobuf.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use florin_api::measure::{
    batch_in_json, batch_in_protobuf, payment_in, payment_out, transfers_out_json,
    transfers_out_protobuf,
};
use florin_bench::bulk::book::{Account, Book};
use florin_bench::bulk::request::{Writer, draw};
use florin_bench::cli::Format;
use florin_bench::skew::Random;
use florin_ledger::id::{Id, prefix};
use florin_ledger::object::{Payment, Transfer};
use std::hint::black_box;

/// As many transfers as one batch may hold.
const TRANSFERS: usize = 8_190;

fn account(number: u128) -> String {
    Id(number << 64 | 0x5eed)
        .display(prefix::ACCOUNT)
        .to_string()
}

fn payment(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json");
    let source = account(7);
    let body = format!(r#"{{"amount":1250,"currency":"USD","source":"{source}"}}"#);
    group.bench_function("a payment in", |bencher| {
        bencher.iter(|| payment_in(black_box(body.as_bytes())));
    });
    let new = payment_in(body.as_bytes()).expect("a payment");
    let payment = Payment::made(new, Id(9 << 64), Id(8 << 64));
    group.bench_function("a payment out", |bencher| {
        bencher.iter(|| payment_out(black_box(&payment)));
    });
    group.finish();
}

fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch of 8,190 transfers");
    group.throughput(Throughput::Elements(TRANSFERS as u64));
    let accounts = (1..=1_000).map(|number| Account::parse(&account(number)));
    let book = Book {
        partner: "bench".to_owned(),
        key: String::new(),
        accounts: accounts.collect::<Result<_, _>>().expect("accounts"),
        credited_before: 0,
    };
    let mut drawn = Vec::new();
    draw(
        &mut drawn,
        TRANSFERS,
        book.accounts.len(),
        &mut Random::new(1),
    );
    let written = |format| {
        let mut writer = Writer::new(format);
        writer.write(&book, &drawn);
        writer.bytes().to_vec()
    };
    let (json, protobuf) = (written(Format::Json), written(Format::Binary));
    group.bench_function("in, JSON", |bencher| {
        bencher.iter(|| batch_in_json(black_box(&json)));
    });
    group.bench_function("in, protobuf", |bencher| {
        bencher.iter(|| batch_in_protobuf(black_box(&protobuf)));
    });
    let (_, asked) = batch_in_protobuf(&protobuf).expect("a batch");
    let made: Vec<Transfer> = (1u128..)
        .zip(asked)
        .map(|(number, new)| Transfer::made(new, Id(number << 64)))
        .collect();
    group.bench_function("out, JSON", |bencher| {
        bencher.iter(|| transfers_out_json(black_box(&made)));
    });
    group.bench_function("out, protobuf", |bencher| {
        bencher.iter(|| transfers_out_protobuf(black_box(&made)));
    });
    group.finish();
}

criterion_group!(benches, payment, batch);
criterion_main!(benches);
