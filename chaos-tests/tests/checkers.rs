//! Checkers against good histories and bad ones. W is a wallet funded with 100 by key f; M is a shop.

use florin_chaos::check::{
    acknowledged, all, conservation, coverage, linearizable, monotonic, once,
};
use florin_chaos::history::{History, lines};
use florin_chaos::verdict::{Verdict, exit_code};

const GOOD: &str = r#"{"line":"history","version":1,"about":"good"}
{"line":"account","id":"B","grows_by":"debits","floored":false}
{"line":"account","id":"W","grows_by":"credits","floored":true}
{"line":"operation","session":"c","key":"f","request":{"do":"transfer","debit":"B","credit":"W","amount":100},"invoked":0,"returned":5,"answer":{"is":"acknowledged","id":"x1","amount":100}}
{"line":"operation","session":"a","request":{"do":"balance","account":"W"},"invoked":6,"returned":9,"answer":{"is":"balance","balance":100,"sequence":1}}
{"line":"operation","session":"a","key":"k","request":{"do":"payment","source":"W","destination":"M","amount":30},"invoked":20,"returned":30,"answer":{"is":"unknown"}}
{"line":"operation","session":"a","key":"k","request":{"do":"payment","source":"W","destination":"M","amount":30},"invoked":31,"returned":40,"answer":{"is":"acknowledged","id":"p1","amount":30}}
{"line":"operation","session":"a","request":{"do":"balance","account":"W"},"invoked":50,"returned":60,"answer":{"is":"balance","balance":70,"sequence":2}}
{"line":"operation","session":"a","key":"r","request":{"do":"payment","source":"W","destination":"M","amount":90},"invoked":61,"returned":70,"answer":{"is":"refused","code":"insufficient_funds"}}
{"line":"fault","what":"kill","began":10,"ended":90,"evidence":"signal 9"}
{"line":"books","accounts":[{"id":"B","currency":"EUR","debits":100,"credits":0,"balance":100},{"id":"W","currency":"EUR","debits":30,"credits":100,"balance":70},{"id":"M","currency":"EUR","debits":0,"credits":30,"balance":30}],"effects":[{"id":"x1","key":"f","debit":"B","credit":"W","amount":100,"moved":100,"payment":false},{"id":"p1","key":"k","debit":"W","credit":"M","amount":30,"moved":30,"payment":true}]}
"#;

fn read(text: &str) -> History {
    lines::read(text.as_bytes()).expect("a history")
}

/// The good history with one text replaced.
fn with(from: &str, to: &str) -> History {
    assert!(GOOD.contains(from), "{from}");
    read(&GOOD.replacen(from, to, 1))
}

fn rejects(check: fn(&History) -> Verdict, rows: &[(&str, &str)]) {
    assert!(rows.len() >= 3);
    for (from, to) in rows {
        let verdict = check(&with(from, to));
        assert!(verdict.failed(), "{from} -> {to}: {verdict}");
    }
}

#[test]
fn a_good_history_passes_and_goes_through_a_file_unchanged() {
    let history = read(GOOD);
    let verdicts = all(&history);
    assert_eq!(exit_code(&verdicts), 0, "{verdicts:?}");
    let mut file = Vec::new();
    lines::write(&history, &mut file).unwrap();
    assert_eq!(read(std::str::from_utf8(&file).unwrap()), history);
}

#[test]
fn a_broken_line_is_named() {
    for (from, to, says) in [
        (
            r#""line":"account","id":"W""#,
            r#""line":"acount","id":"W""#,
            "line 3: ",
        ),
        (r#""version":1"#, r#""version":9"#, "line 1: version 9"),
        (
            r#""invoked":6,"#,
            r#""invoked":60,"#,
            "line 5: the operation returned before",
        ),
    ] {
        let error = lines::read(GOOD.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
    }
}

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
        ],
    );
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
                r#""effects":[{"id":"p2","key":"k","debit":"W","credit":"M","amount":30,"moved":30,"payment":true},"#,
            ),
            (
                r#""effects":["#,
                r#""effects":[{"id":"p2","key":"q","debit":"W","credit":"M","amount":1,"moved":1,"payment":true},"#,
            ),
            (
                r#""effects":["#,
                r#""effects":[{"id":"p2","key":"r","debit":"W","credit":"M","amount":90,"moved":90,"payment":true},"#,
            ),
        ],
    );
}

#[test]
fn conservation_rejects_books_that_do_not_add_up() {
    rejects(
        conservation::check,
        &[
            (r#""debits":0,"credits":30"#, r#""debits":0,"credits":31"#),
            (r#""balance":70}"#, r#""balance":71}"#),
            (r#""amount":30,"moved":30"#, r#""amount":30,"moved":29"#),
            (
                r#"{"id":"M","currency":"EUR","debits":0,"credits":30,"balance":30}"#,
                r#"{"id":"N","currency":"EUR","debits":0,"credits":30,"balance":30}"#,
            ),
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
                r#""amount":90},"invoked":61"#,
                r#""amount":60},"invoked":61"#,
            ),
        ],
    );
    // Unknown may have happened before the acknowledgement, or never.
    let early = with(
        r#""invoked":50,"returned":60"#,
        r#""invoked":21,"returned":22"#,
    );
    assert!(linearizable::check(&early).passed());
}

#[test]
fn coverage_does_not_pass_a_run_without_faults_or_payments_in_them() {
    for (from, to) in [
        (r#","evidence":"signal 9""#, ""),
        (r#""began":10"#, r#""began":25"#),
        (r#""began":10,"ended":90"#, r#""began":10,"ended":39"#),
    ] {
        let verdict = coverage::check(&with(from, to));
        assert!(!verdict.passed() && !verdict.failed(), "{verdict}");
    }
}
