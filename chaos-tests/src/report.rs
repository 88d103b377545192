//! What a run is told by: a page for people, JUnit and JSON for machines, and the history itself.

mod json;
mod junit;

use crate::history::{History, lines};
use crate::verdict::Verdict;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The history, JSON lines.
pub const HISTORY: &str = "history.jsonl";
/// The verdicts, for machines.
pub const JSON: &str = "report.json";
/// The verdicts, for what runs tests.
pub const JUNIT: &str = "junit.xml";

/// Writes the report of one run into a folder, which is made if it is missing.
pub fn write(folder: &Path, history: &History, verdicts: &[Verdict]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    lines::write(history, File::create(folder.join(HISTORY))?)?;
    fs::write(folder.join(JSON), json::text(history, verdicts)?)?;
    fs::write(folder.join(JUNIT), junit::text(history, verdicts))
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
