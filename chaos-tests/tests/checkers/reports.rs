//! What a run is told by: the page, the figures, JUnit, and the index over several runs.

use crate::{GOOD, read, with};
use florin_chaos::history::History;
use florin_chaos::report::facts::Facts;
use florin_chaos::{check, report};
use std::fs;
use std::path::Path;

fn written(folder: &Path, history: &History) -> (String, Facts, String) {
    report::write(folder, history, &check::all(history)).unwrap();
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let facts = serde_json::from_str(&text(report::JSON)).unwrap();
    (text(report::PAGE), facts, text(report::JUNIT))
}

#[test]
fn a_report_says_what_was_found_and_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let history = read(GOOD);
    let (page, facts, junit) = written(folder.path(), &history);
    assert_eq!(facts.verdict, "pass");
    assert_eq!(facts.acknowledged, 3);
    let recovered = facts.faults[0].groups[0].recovered_ms;
    assert_eq!(recovered, Some(3.0));
    assert_eq!(facts.failpoints["storage.log.sync"].hits, 7);
    for part in [
        "leader-killed",
        "badge big pass",
        "n2 · term 2",
        "storage.log.sync",
        "florin-chaos run leader-killed.toml --seed 7",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for foreign in ["<script", "http://", "https://", "<link", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(
        junit.contains("tests=\"11\" failures=\"0\" skipped=\"0\""),
        "{junit}"
    );
    let again = fs::read(folder.path().join(report::HISTORY)).unwrap();
    assert_eq!(read(std::str::from_utf8(&again).unwrap()), history);
}

#[test]
fn a_failure_is_told_with_the_story_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let lost = with(r#"{"id":"p1","key":"k""#, r#"{"id":"p9","key":"k""#);
    let (page, facts, junit) = written(folder.path(), &lost);
    assert_eq!(facts.verdict, "fail");
    let first = &facts.checkers[0];
    assert_eq!(
        (&*first.name, &*first.verdict, first.operation),
        ("acknowledged", "fail", Some(3))
    );
    for part in [
        "badge big fail",
        "The story of key <code>k</code>",
        "no answer in time",
        "<code>p9</code> moved 30 of 30",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(junit.contains("<failure"), "{junit}");
}

#[test]
fn names_from_outside_do_not_become_markup() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = with(r#""what":"kill""#, r#""what":"<b onload='x'>&\u0001""#);
    let (page, _, junit) = written(folder.path(), &hostile);
    assert!(!page.contains("<b onload"));
    assert!(page.contains("&lt;b onload="));
    assert!(!junit.contains('\u{1}'));
}

/// A page is written for whatever can be read, however little it says.
#[test]
fn an_empty_history_has_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let (page, facts, _) = written(folder.path(), &History::default());
    assert_eq!(facts.verdict, "inconclusive");
    assert!(page.contains("badge big inconclusive"));
}

#[test]
fn the_index_lists_every_run_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let lost = with(r#"{"id":"p1","key":"k""#, r#"{"id":"p9","key":"k""#);
    written(&folder.path().join("leader/1"), &read(GOOD));
    written(&folder.path().join("leader/2"), &lost);
    let other = with(r#""scenario":"leader-killed""#, r#""scenario":"quiet""#);
    written(&folder.path().join("quiet"), &other);
    fs::create_dir_all(folder.path().join("broken")).unwrap();
    fs::write(folder.path().join("broken").join(report::JSON), "{").unwrap();
    assert_eq!(report::index(folder.path()).unwrap(), 3);
    let page = fs::read_to_string(folder.path().join(report::INDEX)).unwrap();
    for part in [
        "3 runs of 2 scenarios",
        "href=\"leader/1/report.html\"",
        "href=\"leader/2/report.html\"",
        "href=\"quiet/report.html\"",
        "broken: ",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
