//! The page for people: one file without scripts, light and dark, wide and narrow.

mod tables;

use super::facts::Facts;
use super::series::Paid;
use super::words::{count, many, time};
use super::{HISTORY, JSON, JUNIT, escape, story, timeline};
use crate::history::History;
use crate::verdict::Verdict;

/// How wide timelines are drawn for wide and for narrow pages.
const WIDTHS: [f64; 2] = [1_140.0, 460.0];

/// The whole page.
pub(super) fn html(
    history: &History,
    verdicts: &[Verdict],
    facts: &Facts,
    paid: &[Paid],
) -> String {
    let timelines = WIDTHS
        .map(|width| timeline::draw(history, paid, width))
        .concat();
    let body = [
        header(facts),
        tiles(facts),
        story::html(history, verdicts),
        format!("<section><h2>Over time</h2>{timelines}</section>"),
        tables::faults(facts),
        tables::checkers(facts),
        repeat(facts),
        tables::failpoints(facts),
    ];
    document(&name(facts), &body.concat())
}

/// A document with the page's looks.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{}</title><style>{}</style></head><body><main>{body}</main></body></html>\n",
        escape(title),
        include_str!("style.css")
    )
}

/// A verdict as a coloured word.
pub(super) fn badge(verdict: &str, big: bool) -> String {
    let size = if big { " big" } else { "" };
    format!("<span class=\"badge{size} {verdict}\">{verdict}</span>")
}

fn name(facts: &Facts) -> String {
    match &facts.run {
        Some(run) if !run.scenario.is_empty() => run.scenario.clone(),
        _ if !facts.about.is_empty() => facts.about.clone(),
        _ => "A run".into(),
    }
}

fn header(facts: &Facts) -> String {
    let name = name(facts);
    let about = match facts.about == name {
        true => String::new(),
        false => format!("<p class=\"muted\">{}</p>", escape(&facts.about)),
    };
    format!(
        "<header><div class=\"title\"><h1>{}</h1>{}</div>{about}<p class=\"lead\">{}</p></header>",
        escape(&name),
        badge(&facts.verdict, true),
        escape(&lead(facts))
    )
}

/// The run in one sentence or two.
fn lead(facts: &Facts) -> String {
    let acknowledged = many(facts.acknowledged, "payment");
    let faults = match facts.faults.len() {
        0 => "without a fault".into(),
        number => format!("under {}", many(number, "fault")),
    };
    let named = |verdict: &str| -> String {
        let all = facts.checkers.iter().filter(|one| one.verdict == verdict);
        let names: Vec<&str> = all.map(|one| &*one.name).collect();
        names.join(", ")
    };
    match facts.verdict.as_str() {
        "pass" => format!(
            "{acknowledged} acknowledged {faults}; none lost, none doubled, every bound held."
        ),
        "fail" => format!(
            "{acknowledged} acknowledged {faults}. What must hold does not: {}.",
            named("fail")
        ),
        _ => format!(
            "{acknowledged} acknowledged {faults}. Nothing wrong was found, but this run says too little about: {}.",
            named("inconclusive")
        ),
    }
}

fn tiles(facts: &Facts) -> String {
    let latency = &facts.latency;
    let rate = facts.acknowledged as f64 / facts.seconds.max(0.001);
    let mut tiles = vec![
        (
            count(facts.acknowledged),
            "payments acknowledged".to_owned(),
        ),
        (
            format!("{rate:.0}/s"),
            format!("over {}", time(facts.seconds * 1e3)),
        ),
        (time(latency.p50_ms), "median latency".into()),
        (time(latency.p99_ms), "99th percentile".into()),
        (time(latency.max_ms), "longest".into()),
    ];
    let recoveries = super::facts::percentiles(facts.recoveries());
    match recoveries.count {
        0 => {}
        1 => tiles.push((time(recoveries.max_ms), "to recover".into())),
        number => {
            tiles.push((
                time(recoveries.p50_ms),
                format!("median of {number} recoveries"),
            ));
            tiles.push((time(recoveries.max_ms), "slowest recovery".into()));
        }
    }
    let tiles: String = tiles
        .iter()
        .map(|(figure, what)| {
            format!(
                "<div class=\"tile\"><b>{}</b><span>{}</span></div>",
                escape(figure),
                escape(what)
            )
        })
        .collect();
    format!("<div class=\"tiles\">{tiles}</div>")
}

/// What it takes to run it again.
fn repeat(facts: &Facts) -> String {
    let files = format!(
        "<p class=\"muted\">Beside this page: <a href=\"{HISTORY}\">{HISTORY}</a>, which <code>florin-chaos check</code> judges again, <a href=\"{JSON}\">{JSON}</a> and <a href=\"{JUNIT}\">{JUNIT}</a>.</p>"
    );
    let Some(run) = &facts.run else {
        return format!("<section><h2>Again</h2>{files}</section>");
    };
    let seed = run.seed.to_string();
    let rows = [
        ("seed", &seed),
        ("version", &run.version),
        ("cluster", &run.topology),
        ("network", &run.fabric),
        ("machine", &run.machine),
    ];
    let rows: String = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escape(value)))
        .collect();
    let command = escape(&run.command);
    format!(
        "<section><h2>Run it again</h2><pre><code>{command}</code></pre><br><dl>{rows}</dl>{files}</section>"
    )
}
