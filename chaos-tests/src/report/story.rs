//! The first bad operation with the story of its key: every sending, every answer, and what the
//! books say.

use super::escape;
use super::words::{count, time};
use crate::history::{Effect, History, Operation};
use crate::verdict::{Finding, Verdict};
use std::fmt::Write;

/// Sendings and neighbours that are shown at most.
const SHOWN: usize = 40;

/// The stories of what does not hold, the first of them open.
pub(super) fn html(history: &History, verdicts: &[Verdict]) -> String {
    let mut html = String::new();
    for verdict in verdicts {
        let Finding::Fail {
            operation,
            why,
            more,
        } = &verdict.finding
        else {
            continue;
        };
        let open = if html.is_empty() { " open" } else { "" };
        let more = match more {
            0 => String::new(),
            more => format!(" <span class=\"muted\">and {} more</span>", count(*more)),
        };
        // Writing into a String cannot fail.
        let _ = write!(
            html,
            "<details class=\"story\"{open}><summary><span class=\"badge fail\">fail</span> <b>{}</b>{more}</summary><p class=\"why\">{}</p>{}</details>",
            verdict.checker,
            escape(why),
            operation.map_or_else(String::new, |number| of(history, number)),
        );
    }
    match html.is_empty() {
        true => String::new(),
        false => format!("<section><h2>What went wrong</h2>{html}</section>"),
    }
}

fn of(history: &History, number: usize) -> String {
    let Some(bad) = history.operations.get(number) else {
        return String::new();
    };
    match &bad.key {
        Some(key) => {
            let all = history.operations.iter().enumerate();
            let sendings = all.filter(|(_, one)| one.key.as_ref() == Some(key));
            let title = format!("The story of key <code>{}</code>", escape(key));
            table(&title, sendings, number) + &books(history, key)
        }
        None => {
            // A read has no key: what its session did around it.
            let all = history.operations.iter().enumerate();
            let session: Vec<_> = all.filter(|(_, one)| one.session == bad.session).collect();
            let at = session
                .iter()
                .position(|(at, _)| *at == number)
                .unwrap_or_default();
            let from = at.saturating_sub(SHOWN / 4);
            let near = session.into_iter().skip(from).take(SHOWN / 2);
            let title = format!(
                "What session <code>{}</code> did around it",
                escape(&bad.session)
            );
            table(&title, near, number)
        }
    }
}

fn table<'a>(
    title: &str,
    operations: impl Iterator<Item = (usize, &'a Operation)>,
    bad: usize,
) -> String {
    let mut html = format!(
        "<h3>{title}</h3><div class=\"scroll\"><table><tr><th>#</th><th>sent</th><th>took</th><th>session</th><th>frontend</th><th>asked</th><th>answer</th></tr>"
    );
    for (number, one) in operations.take(SHOWN) {
        let class = if number == bad { " class=\"bad\"" } else { "" };
        let said = match &one.said {
            Some(said) => format!(" <span class=\"muted\">{}</span>", escape(said)),
            None => String::new(),
        };
        let replayed = if one.replayed { " (replayed)" } else { "" };
        let place = match (one.group, one.token, one.decided) {
            (Some(group), Some(token), Some(at)) => format!(
                " <span class=\"muted\">group {group}, log {token}, decided {}.{}</span>",
                at.time, at.ordinal
            ),
            (Some(group), Some(token), None) => {
                format!(" <span class=\"muted\">group {group}, log {token}</span>")
            }
            _ => String::new(),
        };
        let _ = write!(
            html,
            "<tr{class}><td>{number}</td><td class=\"figure\">{:.3} s</td><td class=\"figure\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}{replayed}{said}{place}</td></tr>",
            one.invoked as f64 / 1e6,
            time(one.returned.saturating_sub(one.invoked) as f64 / 1e3),
            escape(&one.session),
            escape(one.frontend.as_deref().unwrap_or("")),
            escape(&one.request.to_string()),
            escape(&one.answer.to_string()),
        );
    }
    html + "</table></div>"
}

fn books(history: &History, key: &str) -> String {
    let Some(books) = &history.books else {
        return "<p>The books were not read.</p>".into();
    };
    let its: Vec<&Effect> = books
        .effects
        .iter()
        .filter(|one| one.key.as_deref() == Some(key))
        .collect();
    let mut html = String::from("<p><b>The final books</b> ");
    if its.is_empty() {
        html += "hold nothing of this key.";
    }
    for (at, one) in its.iter().enumerate() {
        let and = if at > 0 { ", and " } else { "say: " };
        let _ = write!(
            html,
            "{and}<code>{}</code> moved {} of {} from <code>{}</code> to <code>{}</code>",
            escape(&one.id),
            one.moved,
            one.amount,
            escape(&one.debit),
            escape(&one.credit)
        );
    }
    html + "</p>"
}
