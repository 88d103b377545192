//! *coverage*: faults were seen to be in effect, and payments were asked for and acknowledged while
//! each of them was. A run without that proves nothing: it is inconclusive, never good.

use crate::history::{Answer, Fault, History};
use crate::verdict::{Finding, Verdict, Wrongs};

/// Counts what was acknowledged during each fault.
pub fn check(history: &History) -> Verdict {
    let finding = match uncovered(history) {
        Some(lack) => Finding::Inconclusive(lack),
        None => {
            let each = history.faults.iter().map(|fault| during(history, fault));
            let least = each.min().unwrap_or_default();
            let faults = history.faults.len();
            Finding::Pass(format!("{faults} faults, {least} payments or more in each"))
        }
    };
    Wrongs::new("coverage").or(history, finding)
}

fn uncovered(history: &History) -> Option<String> {
    if history.faults.is_empty() {
        return Some("no fault was injected".into());
    }
    for fault in &history.faults {
        let what = &fault.what;
        if fault.evidence.is_none() {
            return Some(format!("{what} was not seen to be in effect"));
        }
        if during(history, fault) == 0 {
            return Some(format!("no payment was acknowledged during {what}"));
        }
    }
    None
}

/// Payments whose first asking and last answer lie within the fault: a replay of what was decided
/// before says nothing about it.
fn during(history: &History, fault: &Fault) -> usize {
    let ended = fault.ended.unwrap_or(u64::MAX);
    let within = |numbers: &Vec<usize>| {
        let mut all = numbers.iter().map(|number| &history.operations[*number]);
        let begun = all.clone().all(|one| one.invoked >= fault.began);
        let done = |answer: &Answer| matches!(answer, Answer::Acknowledged { .. });
        begun && all.any(|one| done(&one.answer) && one.returned <= ended)
    };
    history.by_key().values().filter(|one| within(one)).count()
}
