//! The verdicts for machines.

use crate::history::{History, Run};
use crate::verdict::{Finding, Verdict, exit_code};
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct Report<'a> {
    about: &'a str,
    run: Option<&'a Run>,
    /// `pass`, `fail` or `inconclusive`.
    verdict: &'static str,
    operations: usize,
    faults: usize,
    checkers: Vec<Checker<'a>>,
}

#[derive(Serialize)]
struct Checker<'a> {
    name: &'static str,
    verdict: &'static str,
    found: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<usize>,
    more: usize,
}

pub(super) fn text(history: &History, verdicts: &[Verdict]) -> io::Result<String> {
    let checkers = verdicts.iter().map(|verdict| {
        let (found, operation, more) = match &verdict.finding {
            Finding::Pass(found) | Finding::Inconclusive(found) => (found, None, 0),
            Finding::Fail {
                operation,
                why,
                more,
            } => (why, *operation, *more),
        };
        Checker {
            name: verdict.checker,
            verdict: verdict.word(),
            found,
            operation,
            more,
        }
    });
    let report = Report {
        about: &history.about,
        run: history.run.as_ref(),
        verdict: match exit_code(verdicts) {
            0 => "pass",
            1 => "fail",
            _ => "inconclusive",
        },
        operations: history.operations.len(),
        faults: history.faults.len(),
        checkers: checkers.collect(),
    };
    Ok(serde_json::to_string_pretty(&report)?)
}
