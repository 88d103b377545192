//! The verdicts for what runs tests: each checker is a test case, an inconclusive one is skipped.

use super::escape;
use crate::history::History;
use crate::verdict::{Finding, Verdict};
use std::fmt::Write;

pub(super) fn text(history: &History, verdicts: &[Verdict]) -> String {
    let name = match &history.run {
        Some(run) => format!("{} seed {}", run.scenario, run.seed),
        None => history.about.clone(),
    };
    let failures = verdicts.iter().filter(|one| one.failed()).count();
    let skipped = verdicts.iter().filter(|one| !one.failed() && !one.passed());
    let (tests, skipped) = (verdicts.len(), skipped.count());
    let end = history.operations.last().map_or(0, |one| one.returned);
    let (name, seconds) = (escape(&name), end as f64 / 1e6);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing into a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">"
    );
    for verdict in verdicts {
        let checker = verdict.checker;
        let _ = match &verdict.finding {
            Finding::Pass(found) => writeln!(
                xml,
                "  <testcase classname=\"{name}\" name=\"{checker}\"><system-out>{}</system-out></testcase>",
                escape(found)
            ),
            Finding::Inconclusive(lacks) => writeln!(
                xml,
                "  <testcase classname=\"{name}\" name=\"{checker}\"><skipped message=\"{}\"/></testcase>",
                escape(lacks)
            ),
            Finding::Fail { why, .. } => writeln!(
                xml,
                "  <testcase classname=\"{name}\" name=\"{checker}\"><failure message=\"{}\"/></testcase>",
                escape(why)
            ),
        };
    }
    xml.push_str("</testsuite>\n");
    xml
}
