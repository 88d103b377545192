//! Small rules about the sources that no compiler knows.

use std::path::{Path, PathBuf};

/// A file of more lines has two things in it.
const MAX_LINES: usize = 500;

/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[];

#[test]
fn every_file_says_what_it_is() {
    check(|file, text| {
        if !text.starts_with("//!") {
            return Some(format!("{file} does not start with //!"));
        }
        None
    });
}

#[test]
fn no_file_is_too_long() {
    check(|file, text| {
        let lines = text.lines().count();
        let allowed = LONG.iter().any(|(long, _)| *long == file);
        match (lines > MAX_LINES, allowed) {
            (true, false) => Some(format!("{file} has {lines} lines, more than {MAX_LINES}")),
            (false, true) => Some(format!(
                "{file} has {lines} lines: take it off the list of long files"
            )),
            _ => None,
        }
    });
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    // Written in two parts, so that this file does not find itself.
    let unwanted = [
        concat!("#[", "ignore"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("allow(", "dead_code"),
    ];
    check(|file, text| {
        let found: Vec<_> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| unwanted.iter().any(|word| line.contains(word)))
            .map(|(index, line)| format!("{file}:{}: {}", index + 1, line.trim()))
            .collect();
        (!found.is_empty()).then(|| found.join("\n"))
    });
}

/// The rules of money read no clock and touch nothing outside.
#[test]
fn the_ledger_is_pure() {
    let impure = [
        "std::time",
        "std::fs",
        "std::net",
        "std::env",
        "std::thread",
        "std::process",
        "async fn",
        "SystemTime",
        "Instant::now",
    ];
    check(|file, text| {
        if !file.starts_with("ledger/src/") {
            return None;
        }
        let found = impure.iter().find(|word| text.contains(*word))?;
        Some(format!("{file} names {found}"))
    });
}

/// Applies a rule to every Rust file of the workspace; the rule answers what is wrong.
fn check(rule: impl Fn(&str, &str) -> Option<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("bench lies in the workspace");
    let mut files = Vec::new();
    for room in folder(root) {
        // A room has a manifest; a build folder has not.
        if room.join("Cargo.toml").is_file() {
            rust_files(&room, &mut files);
        }
    }
    assert!(files.len() > 10, "the sources were not found");
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(path).expect("a source file is readable text");
            let file = path.strip_prefix(root).expect("it lies below the root");
            rule(&file.to_string_lossy(), &text)
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn rust_files(path: &Path, files: &mut Vec<PathBuf>) {
    for inside in folder(path) {
        if inside.is_dir() && !inside.ends_with("target") {
            rust_files(&inside, files);
        } else if inside
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            files.push(inside);
        }
    }
}

fn folder(path: &Path) -> Vec<PathBuf> {
    let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
        .expect("the folder is readable")
        .map(|entry| entry.expect("the entry is readable").path())
        .collect();
    inside.sort();
    inside
}
