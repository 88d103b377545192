//! The one clock of a history.

use std::time::{Duration, Instant};

/// Microseconds since a run began. All that is recorded in a run must use clones of one clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// The run begins now.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Microseconds since then.
    pub fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// When something was, that is not before the run.
    pub fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.0);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// How long ago that is.
    pub fn since(&self, at: u64) -> Duration {
        Duration::from_micros(self.now().saturating_sub(at))
    }
}
