//! Checkers against one good history and many bad ones: each row is the good history with one text
//! replaced. W is a wallet funded with 100 by key f; M is a shop. Its leader is killed at 1000;
//! the payment of key k is sent to it, not answered, and acknowledged by the next one.

mod bounds;
mod clients;
mod files;
mod oracle;
mod reports;
mod search;
mod unknown;

use florin_chaos::history::{History, lines};
use florin_chaos::verdict::Verdict;

const GOOD: &str = include_str!("good.jsonl");

fn read(text: &str) -> History {
    lines::read(text.as_bytes()).expect("a history")
}

/// The good history with one text replaced, wherever it stands first.
fn with(from: &str, to: &str) -> History {
    assert!(GOOD.contains(from), "{from}");
    read(&GOOD.replacen(from, to, 1))
}

/// Every row makes the good history one that the checker must reject.
fn rejects(check: fn(&History) -> Verdict, rows: &[(&str, &str)]) {
    assert!(rows.len() >= 3);
    assert!(check(&read(GOOD)).passed(), "{}", check(&read(GOOD)));
    for (from, to) in rows {
        let verdict = check(&with(from, to));
        assert!(verdict.failed(), "{from} -> {to}: {verdict}");
    }
}

/// Every row makes it one that says too little.
fn does_not_know(check: fn(&History) -> Verdict, rows: &[(&str, &str)]) {
    for (from, to) in rows {
        let verdict = check(&with(from, to));
        let neither = !verdict.passed() && !verdict.failed();
        assert!(neither, "{from} -> {to}: {verdict}");
    }
}
