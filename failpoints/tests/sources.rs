//! Holds the tables of failpoints and mutants against the sources.

use florin_failpoints::{MUTANTS, SITES};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How often each name stands between `macro!("` and `"` in the sources of the product.
fn named(macro_name: &str) -> BTreeMap<String, usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = BTreeMap::new();
    let mut waiting: Vec<PathBuf> = ["storage", "raft", "shards", "api", "node"]
        .map(|room| root.join(room).join("src"))
        .into();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).expect("the folder is readable");
            waiting.extend(inside.map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source is text");
        for rest in text.split(&format!("{macro_name}!(")).skip(1) {
            let rest = rest.trim_start();
            let rest = rest.strip_prefix("async").unwrap_or(rest).trim_start();
            let name = rest
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            *names
                .entry(name.expect("a literal name").to_owned())
                .or_default() += 1;
        }
    }
    names
}

#[test]
fn every_failpoint_of_the_table_stands_once_in_the_sources() {
    let found = named("failpoint");
    let table: BTreeMap<_, _> = SITES.iter().map(|site| (site.name.to_owned(), 1)).collect();
    assert_eq!(found, table, "left: sources, right: SITES");
}

#[test]
fn every_living_mutant_of_the_table_is_planted_somewhere() {
    let found: Vec<String> = named("mutant").into_keys().collect();
    let mut table: Vec<&str> = MUTANTS
        .iter()
        .filter(|mutant| mutant.live)
        .map(|mutant| mutant.name)
        .collect();
    table.sort_unstable();
    assert_eq!(found, table, "left: sources, right: MUTANTS");
}
