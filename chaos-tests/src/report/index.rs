//! One page over the reports of several runs: a table of scenarios, and every run of each.

use super::facts::{Facts, percentiles};
use super::page::{badge, document};
use super::words::{many, time};
use super::{INDEX, JSON, PAGE, escape};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// How deep below the folder reports are looked for.
const DEPTH: usize = 4;

/// A run with its folder, as seen from the index.
struct Listed {
    at: PathBuf,
    facts: Facts,
}

/// Writes `index.html` over every report in the folder and below it; says how many there are.
/// Reports that cannot be read are listed as such, not left out.
pub fn index(folder: &Path) -> io::Result<usize> {
    let mut found = Vec::new();
    find(folder, Path::new(""), DEPTH, &mut found)?;
    found.sort();
    let mut scenarios: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    let mut broken = Vec::new();
    for at in found {
        let text = fs::read_to_string(folder.join(&at).join(JSON))?;
        match serde_json::from_str::<Facts>(&text) {
            Ok(facts) => {
                let run = facts.run.as_ref().map(|run| run.scenario.clone());
                let name = run.filter(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| facts.about.clone());
                scenarios
                    .entry(name)
                    .or_default()
                    .push(Listed { at, facts });
            }
            Err(error) => broken.push(format!("{}: {error}", at.display())),
        }
    }
    let runs = scenarios.values().map(Vec::len).sum();
    fs::write(folder.join(INDEX), html(&scenarios, runs, &broken))?;
    Ok(runs)
}

fn find(root: &Path, at: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let here = root.join(at);
    if here.join(JSON).is_file() {
        found.push(at.to_owned());
    }
    if depth == 0 {
        return Ok(());
    }
    for entry in fs::read_dir(&here)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            find(root, &at.join(entry.file_name()), depth - 1, found)?;
        }
    }
    Ok(())
}

fn html(scenarios: &BTreeMap<String, Vec<Listed>>, runs: usize, broken: &[String]) -> String {
    let all = || scenarios.values().flatten();
    let with = |verdict: &str| all().filter(|one| one.facts.verdict == verdict).count();
    let payments: usize = all().map(|one| one.facts.acknowledged).sum();
    let verdict = match (with("fail") + broken.len(), with("inconclusive")) {
        (0, 0) => "pass",
        (0, _) => "inconclusive",
        _ => "fail",
    };
    let rows: String = scenarios
        .iter()
        .map(|(name, runs)| row(name, runs))
        .collect();
    let broken: String = broken
        .iter()
        .map(|one| {
            format!(
                "<p class=\"why\">{} {}</p>",
                badge("fail", false),
                escape(one)
            )
        })
        .collect();
    let body = format!(
        "<header><div class=\"title\"><h1>Runs under faults</h1>{}</div><p class=\"lead\">{} of {}, {} acknowledged: {} passed, {} failed, {} inconclusive.</p></header>{broken}<section><table class=\"stack\"><tr><th></th><th>scenario</th><th>recovered: median</th><th>99th</th><th>worst</th><th>bound</th><th>runs</th></tr>{rows}</table></section>",
        badge(verdict, true),
        many(runs, "run"),
        many(scenarios.len(), "scenario"),
        many(payments, "payment"),
        with("pass"),
        with("fail"),
        with("inconclusive"),
    );
    document("Runs under faults", &body)
}

fn row(name: &str, runs: &[Listed]) -> String {
    let worst = ["fail", "inconclusive", "pass"]
        .into_iter()
        .find(|verdict| runs.iter().any(|one| one.facts.verdict == *verdict))
        .unwrap_or("inconclusive");
    let recoveries = runs.iter().flat_map(|one| one.facts.recoveries()).collect();
    let recoveries = percentiles(recoveries);
    let figure = |ms: f64, label: &str| match recoveries.count {
        0 => "<td></td>".to_owned(),
        _ => format!("<td class=\"figure\" title=\"{label}\">{}</td>", time(ms)),
    };
    let bounds = runs.iter().flat_map(|one| &one.facts.faults);
    let bound = bounds
        .filter_map(|fault| fault.bound)
        .filter_map(|bound| bound.recover_ms.or(bound.recover_after_ms).or(bound.gap_ms))
        .max();
    let bound = bound.map_or_else(String::new, |ms| time(ms as f64));
    let links: Vec<String> = runs
        .iter()
        .map(|one| {
            let href = one.at.join(PAGE).to_string_lossy().replace('\\', "/");
            let seed = one.facts.run.as_ref().map_or(0, |run| run.seed);
            let bad = match one.facts.verdict.as_str() {
                "pass" => String::new(),
                other => format!(" {}", badge(other, false)),
            };
            format!("<a href=\"{}\">seed {seed}</a>{bad}", escape(&href))
        })
        .collect();
    let counted = match recoveries.count {
        0 | 1 => String::new(),
        number => format!("<br><span class=\"muted\">{number} recoveries</span>"),
    };
    format!(
        "<tr><td>{}</td><td><b>{}</b>{counted}</td>{}{}{}<td class=\"figure muted\">{bound}</td><td>{}</td></tr>",
        badge(worst, false),
        escape(name),
        figure(recoveries.p50_ms, "median"),
        figure(recoveries.p99_ms, "99th percentile"),
        figure(recoveries.max_ms, "worst"),
        links.join(", ")
    )
}
