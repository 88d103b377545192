//! What was not answered may have happened, or happen later, or never: all of that is right, and
//! only that.

use crate::read;
use florin_chaos::check::{acknowledged, linearizable, once, order};
use florin_chaos::history::History;
use florin_chaos::verdict::Verdict;
use florin_ledger::id::{Id, Timestamp, prefix};

/// A wallet with 100; key u pays 30 at 20 and is not answered; then two reads, and the books.
fn run(first: u64, second: u64, effects: &[&str], left: u64) -> History {
    let paid = 100 - left;
    let funded = r#"{"id":"x1","key":"f","debit":"B","credit":"W","amount":100,"moved":100,"payment":false}"#;
    let mut all = vec![funded.to_owned()];
    all.extend(effects.iter().map(|id| {
        format!(r#"{{"id":"{id}","key":"u","debit":"W","credit":"M","amount":30,"moved":30,"payment":true}}"#)
    }));
    let read_at = |at: u64, balance: u64| {
        let sequence = if balance == 100 { 1 } else { 2 };
        format!(
            r#"{{"line":"operation","session":"a","request":{{"do":"balance","account":"W"}},"invoked":{at},"returned":{},"answer":{{"is":"balance","balance":{balance},"sequence":{sequence}}},"group":1}}"#,
            at + 5
        )
    };
    let text = [
        r#"{"line":"history","version":1,"about":"unknown"}"#.to_owned(),
        r#"{"line":"account","id":"B","grows_by":"debits","floored":false,"group":1}"#.to_owned(),
        r#"{"line":"account","id":"W","grows_by":"credits","floored":true,"group":1}"#.to_owned(),
        r#"{"line":"operation","session":"c","key":"f","request":{"do":"transfer","debit":"B","credit":"W","amount":100},"invoked":0,"returned":5,"answer":{"is":"acknowledged","id":"x1","amount":100},"group":1,"decided":{"time":100,"ordinal":0}}"#.to_owned(),
        r#"{"line":"operation","session":"a","key":"u","request":{"do":"payment","source":"W","destination":"M","amount":30},"invoked":20,"returned":30,"answer":{"is":"unknown"}}"#.to_owned(),
        read_at(40, first),
        read_at(60, second),
        format!(
            r#"{{"line":"books","accounts":[{{"id":"B","currency":"EUR","debits":100,"credits":0,"balance":100}},{{"id":"W","currency":"EUR","debits":{paid},"credits":100,"balance":{left}}},{{"id":"M","currency":"EUR","debits":0,"credits":{paid},"balance":{paid}}}],"effects":[{}]}}"#,
            all.join(",")
        ),
    ];
    read(&text.join("\n"))
}

/// An identifier that says when it was decided.
fn decided_at(time: u64) -> String {
    Id::new(Timestamp(time), 0, 7)
        .display(prefix::PAYMENT)
        .to_string()
}

#[test]
fn what_was_not_answered_may_be_or_not_be() {
    let id = decided_at(150);
    let rows: [(History, &str); 3] = [
        (run(70, 70, &[&id], 70), "it had happened at once"),
        (run(100, 70, &[&id], 70), "it happened between the reads"),
        (run(100, 100, &[&id], 70), "it happened after them"),
    ];
    for (history, what) in rows {
        for check in [
            acknowledged::check,
            once::check,
            order::check,
            linearizable::check,
        ] {
            let verdict = check(&history);
            assert!(verdict.passed(), "{what}: {verdict}");
        }
    }
    let never = run(100, 100, &[], 100);
    for check in [once::check, order::check, linearizable::check] {
        assert!(check(&never).passed(), "{}", check(&never));
    }
}

#[test]
fn what_was_not_answered_may_not_be_twice_or_undone() {
    let (id, other) = (decided_at(150), decided_at(160));
    type Check = fn(&History) -> Verdict;
    let rows: [(Check, History, &str); 5] = [
        (
            once::check,
            run(70, 40, &[&id, &other], 40),
            "it happened twice",
        ),
        (
            linearizable::check,
            run(70, 100, &[&id], 70),
            "it was undone and done again",
        ),
        (
            order::check,
            run(70, 100, &[&id], 70),
            "it was undone and done again",
        ),
        (linearizable::check, run(70, 100, &[], 100), "it was undone"),
        (
            linearizable::check,
            run(100, 100, &[&id], 40),
            "the books have it twice",
        ),
    ];
    for (check, history, what) in rows {
        let verdict = check(&history);
        assert!(verdict.failed(), "{what}: {verdict}");
    }
}

/// Where it stands among the decisions is said by its identifier alone.
#[test]
fn what_was_not_answered_stands_where_its_identifier_says() {
    let refused = r#"{"line":"operation","session":"b","key":"r","request":{"do":"payment","source":"W","destination":"M","amount":80},"invoked":21,"returned":90,"answer":{"is":"refused","code":"insufficient_funds"},"group":1,"decided":{"time":170,"ordinal":0}}"#;
    for (time, passes) in [(150, true), (180, false)] {
        let mut history = run(70, 70, &[&decided_at(time)], 70);
        let line = format!("{{\"line\":\"history\",\"version\":1,\"about\":\"\"}}\n{refused}");
        history.operations.extend(read(&line).operations);
        let verdict = order::check(&history);
        assert_eq!(verdict.passed(), passes, "{time}: {verdict}");
        assert_eq!(verdict.failed(), !passes, "{time}: {verdict}");
    }
}
