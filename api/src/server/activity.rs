//! What a connection has been doing, so that an idle one can be ended.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Shared by a connection and its requests.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<Seen>>);

#[derive(Debug)]
struct Seen {
    in_flight: usize,
    last: Instant,
}

/// One request in flight.
#[derive(Debug)]
pub(super) struct InFlight(Activity);

impl Activity {
    pub(super) fn new() -> Activity {
        Activity(Arc::new(Mutex::new(Seen {
            in_flight: 0,
            last: Instant::now(),
        })))
    }

    /// A request came; it is in flight until the guard is dropped.
    pub(super) fn begin(&self) -> InFlight {
        self.0.lock().in_flight += 1;
        InFlight(self.clone())
    }

    /// When the connection will have been idle for `timeout`, as far as can be said now.
    pub(super) fn idle_at(&self, timeout: Duration) -> Instant {
        let seen = self.0.lock();
        let since = if seen.in_flight > 0 {
            Instant::now()
        } else {
            seen.last
        };
        since + timeout
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut seen = self.0.0.lock();
        seen.in_flight = seen.in_flight.saturating_sub(1);
        seen.last = Instant::now();
    }
}
