//! How a run is told: a table for people, one line of JSON for programs.

use crate::audit::Audit;
use crate::tally::Tally;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What came of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Which bench.
    pub bench: &'static str,
    /// Payments that were acknowledged.
    pub acknowledged: u64,
    /// Payments that the ledger refused.
    pub refused: u64,
    /// Payments that failed or whose fate is unknown.
    pub errors: u64,
    /// From the end of the warm-up to the last answer.
    pub seconds: f64,
    /// Acknowledged payments a second.
    pub per_second: f64,
    /// Latency of acknowledged payments: half were faster.
    pub p50_ms: f64,
    /// 99 of 100 were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// What the books said.
    #[serde(skip)]
    pub audit: Audit,
    /// What went wrong, and how often, warm-up included.
    #[serde(skip)]
    pub reasons: BTreeMap<String, u64>,
}

impl Report {
    /// Of a run whose measured part took this long.
    pub fn new(bench: &'static str, tally: &Tally, took: Duration, audit: Audit) -> Report {
        let seconds = took.as_secs_f64();
        let per_second = match seconds > 0.0 {
            true => tally.acknowledged as f64 / seconds,
            false => 0.0,
        };
        Report {
            bench,
            acknowledged: tally.acknowledged,
            refused: tally.refused,
            errors: tally.errors,
            seconds: rounded(seconds),
            per_second: rounded(per_second),
            p50_ms: rounded(tally.quantile_ms(0.5)),
            p99_ms: rounded(tally.quantile_ms(0.99)),
            max_ms: rounded(tally.max_ms()),
            audit,
            reasons: tally.reasons.clone(),
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
        writeln!(f, "  slowest      {:>10.2} ms", self.max_ms)?;
        for (reason, times) in &self.reasons {
            writeln!(f, "  {times} times: {reason}")?;
        }
        let audit = &self.audit;
        writeln!(
            f,
            "audit of {} wallets, warm-up included: {} minor units acknowledged, {} of unknown fate, {} found",
            audit.wallets, audit.acknowledged, audit.unknown, audit.found
        )?;
        for wrong in &audit.wrong {
            writeln!(f, "  wrong: {wrong}")?;
        }
        let verdict = if audit.held() {
            "the audit held"
        } else {
            "THE AUDIT FAILED"
        };
        write!(f, "{verdict}")
    }
}

/// To a thousandth: more digits than that are noise.
fn rounded(value: f64) -> f64 {
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
        let report = Report::new("pay", &tally, Duration::from_secs(2), Audit::default());
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"bench":"pay","acknowledged":1,"refused":0,"errors":0,"seconds":2.0,"per_second":0.5,"p50_ms":4.001,"p99_ms":4.001,"max_ms":4.001}"#
        );
    }
}
