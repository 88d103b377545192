//! Holds the pages about failpoints and mutants against the tables.

use florin_failpoints::{MUTANTS, SITES};
use std::fs;
use std::path::Path;

/// The rows of the table on a page whose header starts with this cell.
fn rows(page: &str, first_header: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reliability")
        .join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let header = format!("| {first_header} |");
    let table = text
        .lines()
        .skip_while(|line| !line.starts_with(&header))
        .skip(2);
    table
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

/// Compares row by row, so that the first difference is all there is to read.
fn check(page: &str, told: &[Vec<String>], expected: &[Vec<String>]) {
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(told, expected, "left: {page}, right: the sources");
    }
    assert_eq!(told.len(), expected.len(), "rows of {page}");
}

#[test]
fn the_page_has_every_failpoint() {
    let expected: Vec<Vec<String>> = SITES
        .iter()
        .map(|site| {
            let error = if site.can_fail { "error" } else { "" };
            vec![
                format!("`{}`", site.name),
                error.to_owned(),
                site.meaning.to_owned(),
            ]
        })
        .collect();
    check(
        "failpoints.md",
        &rows("failpoints.md", "failpoint"),
        &expected,
    );
}

#[test]
fn the_page_has_every_mutant() {
    let told: Vec<Vec<String>> = rows("mutants.md", "mutant")
        .into_iter()
        .map(|row| row.into_iter().take(2).collect())
        .collect();
    let expected: Vec<Vec<String>> = MUTANTS
        .iter()
        .map(|mutant| vec![format!("`{}`", mutant.name), mutant.what.to_owned()])
        .collect();
    check("mutants.md", &told, &expected);
}
