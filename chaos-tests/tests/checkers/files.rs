//! Histories in files.

use crate::{GOOD, read};
use florin_chaos::check;
use florin_chaos::history::lines;
use florin_chaos::verdict::exit_code;

#[test]
fn a_good_history_passes_and_goes_through_a_file_unchanged() {
    let history = read(GOOD);
    let verdicts = check::all(&history);
    assert_eq!(exit_code(&verdicts), 0, "{verdicts:#?}");
    let mut file = Vec::new();
    lines::write(&history, &mut file).unwrap();
    assert_eq!(read(std::str::from_utf8(&file).unwrap()), history);
}

#[test]
fn a_history_of_before_groups_and_leaders_is_still_read() {
    let old = r#"{"line":"history","version":1,"about":"old"}
{"line":"account","id":"W","grows_by":"credits","floored":true}
{"line":"operation","session":"a","request":{"do":"balance","account":"W"},"invoked":6,"returned":9,"answer":{"is":"balance","balance":0,"sequence":0}}
{"line":"fault","what":"kill","began":10,"ended":90,"evidence":"signal 9"}
{"line":"books","accounts":[{"id":"W","currency":"EUR","debits":0,"credits":0,"balance":0}],"effects":[]}
"#;
    let history = read(old);
    assert_eq!((history.operations.len(), history.faults.len()), (1, 1));
    assert_eq!(exit_code(&check::all(&history)), 2);
}

#[test]
fn a_broken_line_is_named() {
    for (from, to, says) in [
        (
            r#""line":"account","id":"W""#,
            r#""line":"acount","id":"W""#,
            "line 4: ",
        ),
        (r#""version":1"#, r#""version":9"#, "line 1: version 9"),
        (
            r#""invoked":6,"#,
            r#""invoked":60,"#,
            "line 6: the operation returned before",
        ),
        (r#""began":1000"#, r#""began":10000"#, "line 13: the fault"),
    ] {
        let error = lines::read(GOOD.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
    }
}
