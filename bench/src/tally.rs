//! What is counted while the load runs.

use crate::client::ClientError;
use crate::latency::Latencies;
use std::collections::BTreeMap;
use std::time::Duration;

/// What became of one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The money moved.
    Acknowledged,
    /// The ledger said no: the money did not move.
    Refused,
    /// Something failed, and surely the money did not move.
    Failed,
    /// Something failed, and the money may have moved.
    Unknown,
}

/// Sums of one partner's payments, warm-up included, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Acknowledged.
    pub surely: u64,
    /// Of payments whose fate is unknown.
    pub perhaps: u64,
}

impl Moved {
    /// Adds what was moved besides.
    pub fn add(&mut self, more: Moved) {
        self.surely += more.surely;
        self.perhaps += more.perhaps;
    }
}

/// Everything that is counted. Rates and latencies are of the measured requests: those that
/// started after the warm-up. Sums are of all.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Measured payments that were acknowledged.
    pub acknowledged: u64,
    /// Measured payments that the ledger refused.
    pub refused: u64,
    /// Measured payments that failed or whose fate is unknown.
    pub errors: u64,
    /// What went wrong, and how often, warm-up included.
    pub reasons: BTreeMap<String, u64>,
    /// By partner.
    pub moved: Vec<Moved>,
    /// Of measured payments that were acknowledged.
    pub latencies: Latencies,
}

impl Tally {
    /// Nothing yet.
    pub fn new(partners: usize) -> Tally {
        Tally {
            acknowledged: 0,
            refused: 0,
            errors: 0,
            reasons: BTreeMap::new(),
            moved: vec![Moved::default(); partners],
            latencies: Latencies::default(),
        }
    }

    /// Counts a payment; `latency` is given for those that are measured.
    pub fn count(&mut self, partner: usize, amount: u64, fate: Fate, latency: Option<Duration>) {
        match fate {
            Fate::Acknowledged => self.moved[partner].surely += amount,
            Fate::Unknown => self.moved[partner].perhaps += amount,
            Fate::Refused | Fate::Failed => {}
        }
        let Some(latency) = latency else { return };
        match fate {
            Fate::Acknowledged => {
                self.acknowledged += 1;
                self.latencies.record(latency);
            }
            Fate::Refused => self.refused += 1,
            Fate::Failed | Fate::Unknown => self.errors += 1,
        }
    }

    /// Remembers what went wrong.
    pub fn reason(&mut self, reason: String) {
        *self.reasons.entry(reason).or_default() += 1;
    }
}

/// What an answer to a payment says about the money.
pub fn fate(status: u16, body: &[u8]) -> Fate {
    match status {
        200 | 201 if contains(body, b"\"status\":\"succeeded\"") => Fate::Acknowledged,
        402 | 409 | 422 => Fate::Refused,
        // These answers promise that nothing happened.
        400..=499 | 503 => Fate::Failed,
        _ => Fate::Unknown,
    }
}

/// What the lack of an answer says about the money.
pub fn fate_of_error(error: &ClientError) -> Fate {
    match error {
        ClientError::Connect(_) => Fate::Failed,
        ClientError::Broken(_) | ClientError::Late | ClientError::Response(_) => Fate::Unknown,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates() {
        let rows: &[(u16, &str, Fate)] = &[
            (200, r#"{"status":"succeeded"}"#, Fate::Acknowledged),
            (
                201,
                r#"{"id":"pay_1","status":"succeeded"}"#,
                Fate::Acknowledged,
            ),
            (200, r#"{"status":"processing"}"#, Fate::Unknown),
            (402, "", Fate::Refused),
            (409, "", Fate::Refused),
            (401, "", Fate::Failed),
            (429, "", Fate::Failed),
            (503, "", Fate::Failed),
            (500, "", Fate::Unknown),
            (504, "", Fate::Unknown),
        ];
        for (status, body, expected) in rows {
            assert_eq!(fate(*status, body.as_bytes()), *expected, "{status} {body}");
        }
    }

    #[test]
    fn sums_hold_the_warm_up_and_rates_do_not() {
        let mut tally = Tally::new(2);
        let ms = |n| Some(Duration::from_millis(n));
        tally.count(0, 5, Fate::Acknowledged, None);
        tally.count(0, 7, Fate::Acknowledged, ms(2));
        tally.count(1, 11, Fate::Unknown, ms(9));
        tally.count(1, 13, Fate::Refused, ms(1));
        tally.count(1, 17, Fate::Failed, ms(1));
        assert_eq!((tally.acknowledged, tally.refused, tally.errors), (1, 1, 2));
        assert_eq!(
            tally.moved[0],
            Moved {
                surely: 12,
                perhaps: 0
            }
        );
        assert_eq!(
            tally.moved[1],
            Moved {
                surely: 0,
                perhaps: 11
            }
        );
        assert!((tally.latencies.quantile_ms(0.5) - 2.0).abs() < 0.01);
        assert!((tally.latencies.max_ms() - 2.0).abs() < 0.01);
    }
}
