//! Numbers of a scenario that may be left to the seed.

use crate::fabric::dice::Dice;
use serde::Deserialize;
use std::time::Duration;

/// The longest time in a scenario.
const LONGEST: f64 = 3_600.0;

/// Seconds, or two numbers between which they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Span {
    /// So long.
    Exactly(f64),
    /// So long at least and at most.
    Between(f64, f64),
}

impl Span {
    /// How long, this time.
    pub fn draw(self, dice: &mut Dice) -> Duration {
        let seconds = match self {
            Span::Exactly(seconds) => seconds,
            Span::Between(least, most) => least + (most - least) * dice.part(),
        };
        Duration::from_secs_f64(seconds)
    }

    /// The most that can be drawn.
    pub fn most(self) -> Duration {
        let (Span::Exactly(seconds) | Span::Between(_, seconds)) = self;
        Duration::from_secs_f64(seconds)
    }

    /// The least that can be drawn, in seconds.
    pub fn least(self) -> f64 {
        let (Span::Exactly(seconds) | Span::Between(seconds, _)) = self;
        seconds
    }

    pub(super) fn check(self, field: &'static str) -> Result<(), (&'static str, String)> {
        let (least, most) = match self {
            Span::Exactly(seconds) => (seconds, seconds),
            Span::Between(least, most) => (least, most),
        };
        // Also false for what is not a number.
        match 0.0 <= least && least <= most && most <= LONGEST {
            true => Ok(()),
            false => Err((
                field,
                format!("must be from 0 to {LONGEST} seconds, the less first"),
            )),
        }
    }
}
