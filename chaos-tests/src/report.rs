//! What a run is told by: a page for people, JUnit and JSON for machines, and the history itself.

pub mod facts;

mod index;
mod junit;
mod page;
mod series;
mod story;
mod svg;
mod timeline;
mod words;

use crate::history::{History, lines};
use crate::verdict::Verdict;
pub use index::index;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The page for people.
pub const PAGE: &str = "report.html";
/// The history, JSON lines.
pub const HISTORY: &str = "history.jsonl";
/// The figures, for machines: [`facts::Facts`].
pub const JSON: &str = "report.json";
/// The verdicts, for what runs tests.
pub const JUNIT: &str = "junit.xml";
/// The page over several runs.
pub const INDEX: &str = "index.html";

/// Writes the report of one run into a folder, which is made if it is missing.
pub fn write(folder: &Path, history: &History, verdicts: &[Verdict]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // The history first: whatever happens then, it can be judged again.
    lines::write(history, File::create(folder.join(HISTORY))?)?;
    let paid = series::paid(history);
    let facts = facts::facts(history, verdicts, &paid);
    let json = serde_json::to_string_pretty(&facts)? + "\n";
    fs::write(folder.join(JSON), json)?;
    fs::write(folder.join(JUNIT), junit::text(history, verdicts))?;
    let page = page::html(history, verdicts, &facts, &paid);
    fs::write(folder.join(PAGE), page)
}

/// Text as XML and HTML take it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no place for other control characters.
            '\n' | '\t' => escaped.push(letter),
            control if control.is_control() => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}
