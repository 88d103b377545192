//! What came out, for people and for machines.

use anyhow::Result;
use florin_failpoints::Mutant;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::path::Path;

/// What became of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    Died,
    Survived,
    /// The product lacks what the mistake would be made in.
    Waiting,
}

/// Something that should notice a mutant.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Caught {
    pub(super) by: String,
    /// In its own words; nothing if it did not notice.
    pub(super) why: Option<String>,
    /// How many seeds it took.
    pub(super) seeds: Option<u64>,
    pub(super) seconds: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) mutant: &'static str,
    pub(super) what: &'static str,
    pub(super) fate: Fate,
    /// Nothing if no seed noticed.
    pub(super) simulation: Option<Caught>,
    /// Whether there was a simulation to notice it.
    pub(super) simulated: bool,
    pub(super) tests: Vec<Caught>,
}

#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) profile: &'static str,
    /// Nothing without a simulation.
    pub(super) seeds: Option<u64>,
    /// How long the same took without a mistake.
    pub(super) clean_seconds: f64,
    pub(super) rows: Vec<Row>,
}

impl Row {
    pub(super) fn new(mutant: &Mutant) -> Row {
        Row {
            mutant: mutant.name,
            what: mutant.what,
            fate: Fate::Waiting,
            simulation: None,
            simulated: false,
            tests: Vec::new(),
        }
    }

    pub(super) fn is_caught(&self) -> bool {
        self.simulation.is_some() || self.tests.iter().any(|test| test.why.is_some())
    }

    /// A line while it goes on.
    pub(super) fn in_short(&self) -> String {
        let by: Vec<&str> = self.caught().map(|caught| caught.by.as_str()).collect();
        match self.fate {
            Fate::Died => format!("died: {}", by.join("; ")),
            Fate::Survived => "SURVIVED".to_owned(),
            Fate::Waiting => "waits for its feature".to_owned(),
        }
    }

    fn caught(&self) -> impl Iterator<Item = &Caught> {
        let tests = self.tests.iter().filter(|test| test.why.is_some());
        self.simulation.iter().chain(tests)
    }

    fn cells(&self) -> [String; 5] {
        let simulation = match (&self.simulation, self.fate) {
            (_, Fate::Waiting) => "waits for its feature".to_owned(),
            (Some(caught), _) => caught.by.clone(),
            (None, _) if self.simulated => "not noticed".to_owned(),
            (None, _) => "not run".to_owned(),
        };
        let seeds = self.simulation.as_ref().and_then(|caught| caught.seeds);
        let tests: Vec<String> = self
            .tests
            .iter()
            .map(|test| match test.why {
                Some(_) => format!("`{}`", test.by.split(": ").last().unwrap_or(&test.by)),
                None => format!("NOT by `{}`", test.by),
            })
            .collect();
        let seconds: f64 = self
            .simulation
            .iter()
            .chain(&self.tests)
            .map(|it| it.seconds)
            .sum();
        let seconds = if self.fate == Fate::Waiting {
            String::new()
        } else {
            format!("{seconds:.0}")
        };
        [
            format!("`{}`", self.mutant),
            simulation,
            seeds.map(|seeds| seeds.to_string()).unwrap_or_default(),
            tests.join(", "),
            seconds,
        ]
    }
}

const HEADERS: [&str; 5] = [
    "mutant",
    "simulation: caught by",
    "seeds",
    "directed test",
    "seconds",
];

impl Table {
    /// How many live on.
    pub(super) fn survivors(&self) -> usize {
        self.rows
            .iter()
            .filter(|row| row.fate == Fate::Survived)
            .count()
    }

    /// Writes `mutants.json` and `mutants.md` into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(
            folder.join("mutants.json"),
            serde_json::to_vec_pretty(self)?,
        )?;
        fs::write(folder.join("mutants.md"), self.markdown())?;
        Ok(())
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&HEADERS.map(str::to_owned));
        text += &"|---".repeat(HEADERS.len());
        text += "|\n";
        for row in &self.rows {
            text += &line(&row.cells());
        }
        text
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 5]> = self.rows.iter().map(Row::cells).collect();
        let width = |column: usize| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(String::len);
            cells
                .chain(HEADERS.get(column).map(|header| header.len()))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..HEADERS.len()).map(width).collect();
        let headers = HEADERS.map(str::to_owned);
        for row in std::iter::once(&headers).chain(&rows) {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "{cell:<width$}  ")?;
            }
            writeln!(f)?;
        }
        let count = |fate| self.rows.iter().filter(|row| row.fate == fate).count();
        let (died, waiting) = (count(Fate::Died), count(Fate::Waiting));
        let survived = self.survivors();
        writeln!(f, "\n{died} died, {survived} survived, {waiting} waiting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use florin_failpoints::MUTANTS;

    #[test]
    fn a_table_counts_and_tells_apart() {
        let mut rows: Vec<Row> = MUTANTS.iter().take(3).map(Row::new).collect();
        let caught = |why: Option<&str>| Caught {
            by: "raft: a::test".to_owned(),
            why: why.map(str::to_owned),
            seeds: None,
            seconds: 1.0,
        };
        rows[0].tests.push(caught(Some("it lied")));
        rows[1].tests.push(caught(None));
        assert!(rows[0].is_caught() && !rows[1].is_caught());
        (rows[0].fate, rows[1].fate) = (Fate::Died, Fate::Survived);
        let table = Table {
            profile: "dev",
            seeds: Some(3),
            clean_seconds: 1.0,
            rows,
        };
        assert_eq!(table.survivors(), 1);
        assert!(
            table
                .to_string()
                .ends_with("1 died, 1 survived, 1 waiting\n")
        );
        let text = table.markdown();
        assert!(
            text.contains("| `acknowledge-before-commit` | not run |  | `a::test` | 1 |"),
            "{text}"
        );
        assert!(text.contains("NOT by `raft: a::test`"), "{text}");
    }
}
