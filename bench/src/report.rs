//! How a run is told: a table for people, one line of JSON for programs.

use crate::audit::Audit;
use crate::latency::Latencies;
use crate::tally::Tally;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What came of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which bench, and which part of it.
    pub bench: String,
    /// What was acknowledged: payments, or what the bench counts in their place.
    pub acknowledged: u64,
    /// What the ledger refused.
    pub refused: u64,
    /// What failed or is of unknown fate.
    pub errors: u64,
    /// How long it took; without the warm-up.
    pub seconds: f64,
    /// Acknowledged a second.
    pub per_second: f64,
    /// Latency of what was acknowledged: half was faster.
    pub p50_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// What only this bench has.
    #[serde(flatten)]
    pub particular: Map<String, Value>,
    /// What the books said, where there are books.
    #[serde(skip)]
    pub audit: Option<Audit>,
    /// What went wrong, and how often, warm-up included.
    #[serde(skip)]
    pub reasons: BTreeMap<String, u64>,
}

impl Report {
    /// Of so many things in so much time, each of which took so long.
    pub fn counted(bench: &str, acknowledged: u64, took: Duration, each: &Latencies) -> Report {
        let seconds = took.as_secs_f64();
        let per_second = match seconds > 0.0 {
            true => acknowledged as f64 / seconds,
            false => 0.0,
        };
        Report {
            bench: bench.to_owned(),
            acknowledged,
            refused: 0,
            errors: 0,
            seconds: rounded(seconds),
            per_second: rounded(per_second),
            p50_ms: rounded(each.quantile_ms(0.5)),
            p99_ms: rounded(each.quantile_ms(0.99)),
            max_ms: rounded(each.max_ms()),
            particular: Map::new(),
            audit: None,
            reasons: BTreeMap::new(),
        }
    }

    /// Of payments whose measured part took this long.
    pub fn new(bench: &str, tally: &Tally, took: Duration) -> Report {
        Report {
            refused: tally.refused,
            errors: tally.errors,
            reasons: tally.reasons.clone(),
            ..Report::counted(bench, tally.acknowledged, took, &tally.latencies)
        }
    }

    /// With something that only this bench has.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Report {
        self.particular.insert(name.to_owned(), value.into());
        self
    }

    /// With a number of that kind, rounded.
    pub fn with_number(self, name: &str, value: f64) -> Report {
        self.with(name, rounded(value))
    }

    /// With what the books said.
    pub fn audited(mut self, audit: Audit) -> Report {
        self.audit = Some(audit);
        self
    }

    /// Whether it says what it should: something was acknowledged, and the books agree.
    pub fn held(&self) -> Result<(), String> {
        if self.acknowledged == 0 {
            return Err(format!("{}: nothing was acknowledged", self.bench));
        }
        match &self.audit {
            Some(audit) if !audit.held() => Err(format!(
                "{}: {} wallets are wrong",
                self.bench,
                audit.wrong.len()
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} for {:.1} s", self.bench, self.seconds)?;
        writeln!(
            f,
            "  acknowledged {:>10}   {:.0} a second",
            self.acknowledged, self.per_second
        )?;
        writeln!(f, "  refused      {:>10}", self.refused)?;
        writeln!(f, "  errors       {:>10}", self.errors)?;
        writeln!(f, "  p50          {:>10.2} ms", self.p50_ms)?;
        writeln!(f, "  p99          {:>10.2} ms", self.p99_ms)?;
        write!(f, "  slowest      {:>10.2} ms", self.max_ms)?;
        for (name, value) in &self.particular {
            let name = name.replace('_', " ");
            match value.as_str() {
                Some(text) => write!(f, "\n  {name}: {text}")?,
                None => write!(f, "\n  {name}: {value}")?,
            }
        }
        for (reason, times) in &self.reasons {
            write!(f, "\n  {times} times: {reason}")?;
        }
        match &self.audit {
            Some(audit) => write!(f, "\n{audit}"),
            None => Ok(()),
        }
    }
}

/// To a thousandth: more digits than that are noise.
pub fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Fate;

    #[test]
    fn the_line_of_json_has_these_fields() {
        let mut tally = Tally::new(1);
        tally.count(0, 5, Fate::Acknowledged, Some(Duration::from_millis(4)));
        let report = Report::new("pay", &tally, Duration::from_secs(2));
        let report = report.with_number("ratio", 1.0 / 3.0);
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"bench":"pay","acknowledged":1,"refused":0,"errors":0,"seconds":2.0,"per_second":0.5,"p50_ms":4.001,"p99_ms":4.001,"max_ms":4.001,"ratio":0.333}"#
        );
    }

    #[test]
    fn a_run_without_anything_acknowledged_is_no_success() {
        let report = Report::new("pay", &Tally::new(1), Duration::from_secs(2));
        assert!(report.held().is_err());
    }
}
