//! The page's tables: faults against their bounds, checkers, failpoints.

use super::badge;
use crate::report::escape;
use crate::report::facts::{Facts, FaultFacts, GroupFacts};
use crate::report::words::{count, many, time};

/// Faults that are shown; the slowest of more.
const FAULTS: usize = 60;

/// What clients noticed of each fault.
pub(super) fn faults(facts: &Facts) -> String {
    if facts.faults.is_empty() {
        return String::new();
    }
    let mut shown: Vec<&FaultFacts> = facts.faults.iter().collect();
    let more = shown.len().saturating_sub(FAULTS);
    if more > 0 {
        let slowness = |fault: &FaultFacts| fault.recovered_ms().unwrap_or(f64::MAX);
        shown.sort_by(|one, other| slowness(other).total_cmp(&slowness(one)));
        shown.truncate(FAULTS);
    }
    let rows: String = shown.iter().map(|fault| row(fault)).collect();
    let more = match more {
        0 => String::new(),
        more => format!(
            "<p class=\"muted\">The slowest are shown; {} more are in report.json.</p>",
            many(more, "fault")
        ),
    };
    format!(
        "<section><h2>Faults and what clients noticed</h2><table class=\"stack\"><tr><th>fault</th><th>lasted</th><th>seen by</th><th>measured against its bound</th></tr>{rows}</table>{more}</section>"
    )
}

fn row(fault: &FaultFacts) -> String {
    let began = format!("<span class=\"muted\">at {}</span>", time(fault.began_ms));
    let lasted = fault.lasted_ms.map_or_else(|| "to the end".into(), time);
    let evidence = match &fault.evidence {
        Some(evidence) => escape(evidence),
        None => badge("inconclusive", false) + " not seen in effect",
    };
    format!(
        "<tr><td><b>{}</b><br>{began}</td><td class=\"figure\">{lasted}</td><td>{evidence}</td><td>{}</td></tr>",
        escape(&fault.what),
        measures(fault)
    )
}

/// Each bound with the worst group's figure; without a bound, what was measured.
fn measures(fault: &FaultFacts) -> String {
    let bound = fault.bound.unwrap_or_default();
    let trip = bound.round_trip_ms.unwrap_or_default();
    let trips = bound.p99_round_trips.map(|trips| trips * trip);
    let all = [
        measure(fault, "to recover", bound.recover_ms, |group| {
            group.recovered_ms
        }),
        measure(
            fault,
            "to recover after healing",
            bound.recover_after_ms,
            |group| group.recovered_after_ms,
        ),
        measure(fault, "longest gap", bound.gap_ms, |group| {
            group.longest_gap_ms
        }),
        measure(fault, "99th percentile", trips, |group| group.p99_ms),
        changes(fault, bound.leader_changes),
    ];
    let bounded: String = all.into_iter().flatten().collect();
    if !bounded.is_empty() {
        return bounded;
    }
    let worst = worst(fault, |group| group.longest_gap_ms);
    match worst {
        Some((gap, group)) => format!(
            "longest gap {} <span class=\"muted\">(group {group}, no bound)</span>",
            time(gap)
        ),
        None => "<span class=\"muted\">no bound</span>".into(),
    }
}

fn measure(
    fault: &FaultFacts,
    name: &str,
    bound: Option<u64>,
    pick: fn(&GroupFacts) -> Option<f64>,
) -> Option<String> {
    let bound = bound? as f64;
    let silent = fault.groups.iter().find(|group| pick(group).is_none());
    if let Some(group) = silent {
        return Some(format!(
            "<div>{name}: group {} did not, of {}</div>",
            group.group,
            time(bound)
        ));
    }
    let Some((took, group)) = worst(fault, pick) else {
        return Some(format!("<div>{name}: no group was asked</div>"));
    };
    // Bounds hold up to the whole millisecond.
    let over = if took.ceil() > bound { " over" } else { "" };
    let part = (took / bound.max(1.0) * 100.0).min(100.0);
    let where_ = match fault.groups.len() {
        0 | 1 => String::new(),
        groups => format!(" <span class=\"muted\">(group {group}, the slowest of {groups})</span>"),
    };
    Some(format!(
        "<div><span class=\"figure\"><b>{}</b></span> {name} of {}{where_}<span class=\"meter{over}\"><i style=\"width:{part:.0}%\"></i></span></div>",
        time(took),
        time(bound)
    ))
}

fn changes(fault: &FaultFacts, bound: Option<u64>) -> Option<String> {
    let bound = bound?;
    let most = fault
        .groups
        .iter()
        .filter_map(|group| group.leader_changes)
        .max();
    let most = most.map_or_else(|| "?".into(), |most| most.to_string());
    Some(format!(
        "<div><b>{most}</b> changes of the leader of {bound} allowed</div>"
    ))
}

fn worst(fault: &FaultFacts, pick: fn(&GroupFacts) -> Option<f64>) -> Option<(f64, u64)> {
    let all = fault
        .groups
        .iter()
        .filter_map(|group| Some((pick(group)?, group.group)));
    all.max_by(|one, other| one.0.total_cmp(&other.0))
}

/// Every checker's word and what it looked at.
pub(super) fn checkers(facts: &Facts) -> String {
    let rows: String = facts
        .checkers
        .iter()
        .map(|one| {
            let more = match one.more {
                0 => String::new(),
                more => format!(" <span class=\"muted\">and {} more</span>", count(more)),
            };
            format!(
                "<tr><td>{}</td><td><b>{}</b><br><span class=\"muted\">{}</span></td><td>{}{more}</td></tr>",
                badge(&one.verdict, false),
                one.name,
                proves(&one.name),
                escape(&one.found)
            )
        })
        .collect();
    format!(
        "<section><h2>What must hold</h2><table class=\"stack\"><tr><th></th><th>checker</th><th>what it looked at</th></tr>{rows}</table></section>"
    )
}

/// What a checker proves when it passes.
fn proves(checker: &str) -> &'static str {
    match checker {
        "acknowledged" => "everything acknowledged is in the final books",
        "once" => "one effect and one answer for each idempotency key",
        "conservation" => "debits equal credits, balances are their sums",
        "order" => "replaying all decisions explains every answer",
        "linearizable" => "some order explains every answer, by clients' clocks alone",
        "monotonic" => "no session reads backwards",
        "agreement" => "replicas with the same entries have the same state",
        "raft" => "a term of a group has one leader",
        "liveness" => "once all is healed, fresh payments are acknowledged",
        "recovery" => "clients noticed no more of a fault than is allowed",
        "coverage" => "every fault was in effect while payments were made",
        _ => "",
    }
}

/// How often each failpoint was reached.
pub(super) fn failpoints(facts: &Facts) -> String {
    if facts.failpoints.is_empty() {
        return String::new();
    }
    let rows: String = facts
        .failpoints
        .iter()
        .map(|(site, one)| {
            format!(
                "<tr><td><code>{}</code></td><td class=\"figure\">{}</td><td class=\"figure\">{}</td></tr>",
                escape(site),
                count(usize::try_from(one.hits).unwrap_or(usize::MAX)),
                count(usize::try_from(one.fired).unwrap_or(usize::MAX))
            )
        })
        .collect();
    let reached = facts.failpoints.values().filter(|one| one.hits > 0).count();
    let all = facts.failpoints.len();
    format!(
        "<section><h2>Failpoints</h2><details><summary>{reached} of {} reached</summary><table><tr><th>site</th><th>hits</th><th>fired</th></tr>{rows}</table></details></section>",
        many(all, "failpoint")
    )
}
