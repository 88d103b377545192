//! What clients were told, against the books and against each other.

use crate::{GOOD, does_not_know, rejects};
use florin_chaos::check::{acknowledged, conservation, linearizable, monotonic, once, order};

#[test]
fn acknowledged_rejects_what_is_lost_or_another() {
    rejects(
        acknowledged::check,
        &[
            (
                r#""is":"acknowledged","id":"p1""#,
                r#""is":"acknowledged","id":"p9""#,
            ),
            (r#""id":"p1","amount":30"#, r#""id":"p1","amount":31"#),
            (r#""amount":30,"moved":30"#, r#""amount":30,"moved":0"#),
            (r#"{"id":"p1","key":"k""#, r#"{"id":"p1","key":"z""#),
            (
                r#"{"id":"p1","key":"k","debit":"W""#,
                r#"{"id":"p1","key":"k","debit":"B""#,
            ),
        ],
    );
    does_not_know(acknowledged::check, &[(GOOD, without_books())]);
}

/// All lines but the last.
fn without_books() -> &'static str {
    let end = GOOD.find(r#"{"line":"books""#).unwrap();
    &GOOD[..end]
}

#[test]
fn once_rejects_second_effects_and_second_answers() {
    rejects(
        once::check,
        &[
            (
                r#"{"is":"unknown"}"#,
                r#"{"is":"acknowledged","id":"p0","amount":30}"#,
            ),
            (
                r#"{"is":"unknown"}"#,
                r#"{"is":"refused","code":"insufficient_funds"}"#,
            ),
            (
                r#""effects":["#,
                r#""effects":[{"id":"p3","key":"k","debit":"W","credit":"M","amount":30,"moved":30,"payment":true},"#,
            ),
            (
                r#""effects":["#,
                r#""effects":[{"id":"p3","key":"q","debit":"W","credit":"M","amount":1,"moved":1,"payment":true},"#,
            ),
            (
                r#""effects":["#,
                r#""effects":[{"id":"p3","key":"r","debit":"W","credit":"M","amount":90,"moved":90,"payment":true},"#,
            ),
            // The replay after the fault was decided anew.
            (
                r#""decided":{"time":200,"ordinal":0},"replayed""#,
                r#""decided":{"time":500,"ordinal":0},"replayed""#,
            ),
            // Said surely not to have happened, and it did.
            (
                r#""answer":{"is":"acknowledged","id":"p2","amount":5}"#,
                r#""answer":{"is":"surely_not"}"#,
            ),
            (
                r#""answer":{"is":"refused","code":"insufficient_funds"}"#,
                r#""answer":{"is":"refused","code":"idempotency_key_reused"}"#,
            ),
        ],
    );
    does_not_know(once::check, &[(GOOD, without_books())]);
}

#[test]
fn conservation_rejects_books_that_do_not_add_up() {
    rejects(
        conservation::check,
        &[
            (r#""debits":0,"credits":35"#, r#""debits":0,"credits":36"#),
            (r#""balance":65}"#, r#""balance":66}"#),
            (r#""amount":30,"moved":30"#, r#""amount":30,"moved":29"#),
            (
                r#"{"id":"M","currency":"EUR","debits":0,"credits":35,"balance":35}"#,
                r#"{"id":"N","currency":"EUR","debits":0,"credits":35,"balance":35}"#,
            ),
        ],
    );
    does_not_know(conservation::check, &[(GOOD, without_books())]);
}

#[test]
fn order_rejects_answers_that_the_order_of_decisions_does_not_explain() {
    rejects(
        order::check,
        &[
            // Refused though there was enough at that place.
            (
                r#""amount":90},"invoked":6100"#,
                r#""amount":60},"invoked":6100"#,
            ),
            // Acknowledged though there was too little: the money had not come yet.
            (r#""decided":{"time":100"#, r#""decided":{"time":250"#),
            // Decided before what had been answered when it was sent.
            (r#""decided":{"time":400"#, r#""decided":{"time":199"#),
            // Two keys at one place.
            (r#""decided":{"time":300"#, r#""decided":{"time":200"#),
            // Reads: another balance than after that entry; an entry that is not there.
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":71,"sequence":2"#,
            ),
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":65,"sequence":4"#,
            ),
            // A stale read, and one from a log that was shorter than what had been answered.
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":100,"sequence":1"#,
            ),
            (
                r#""sequence":2},"group":1,"token":5"#,
                r#""sequence":2},"group":1,"token":4"#,
            ),
            // A read from the future.
            (
                r#""balance":100,"sequence":1"#,
                r#""balance":70,"sequence":2"#,
            ),
        ],
    );
    does_not_know(
        order::check,
        &[
            (GOOD, without_books()),
            (r#","decided":{"time":300,"ordinal":0}"#, ""),
        ],
    );
}

#[test]
fn monotonic_rejects_reads_backwards() {
    rejects(
        monotonic::check,
        &[
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":70,"sequence":0"#,
            ),
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":70,"sequence":1"#,
            ),
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":100,"sequence":1"#,
            ),
        ],
    );
}

#[test]
fn linearizable_rejects_what_no_order_explains() {
    rejects(
        linearizable::check,
        &[
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":100,"sequence":2"#,
            ),
            (
                r#""balance":100,"sequence":1"#,
                r#""balance":70,"sequence":1"#,
            ),
            (
                r#""balance":70,"sequence":2"#,
                r#""balance":40,"sequence":2"#,
            ),
            (
                r#""amount":90},"invoked":6100"#,
                r#""amount":60},"invoked":6100"#,
            ),
            (r#""balance":65}"#, r#""balance":70}"#),
        ],
    );
}
