//! An open loop: when payments are meant to be sent, whether or not earlier ones are answered.
//!
//! A thread of its own keeps the time, for the timers of the runtime are a millisecond coarse.
//! Whoever sends late because everybody is busy still counts from the intended moment: a system
//! that stalls cannot hide it by being asked less.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};

/// The moments that are still to come; clones share them.
#[derive(Clone)]
pub struct Pace(Rc<Mutex<mpsc::UnboundedReceiver<Instant>>>);

impl Pace {
    /// So many a second, evenly, between two moments.
    pub fn start(rate: f64, from: Instant, until: Instant) -> Pace {
        assert!(rate > 0.0, "at no rate nothing is ever sent");
        let (due, coming) = mpsc::unbounded_channel();
        thread::spawn(move || {
            let mut number = 0u64;
            loop {
                let intended = from + Duration::from_secs_f64(number as f64 / rate);
                if intended >= until {
                    return;
                }
                let now = Instant::now();
                if intended > now {
                    thread::sleep(intended - now);
                }
                // Nobody listens any more: the run was broken off.
                if due.send(intended).is_err() {
                    return;
                }
                number += 1;
            }
        });
        Pace(Rc::new(Mutex::new(coming)))
    }

    /// Waits for the next moment; nothing once all are over.
    pub async fn next(&self) -> Option<Instant> {
        self.0.lock().await.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn moments_are_evenly_spread_and_come_no_earlier() {
        let from = Instant::now();
        let pace = Pace::start(1_000.0, from, from + Duration::from_millis(50));
        let mut intended = Vec::new();
        while let Some(moment) = pace.next().await {
            assert!(Instant::now() >= moment);
            intended.push(moment - from);
        }
        let expected: Vec<Duration> = (0..50).map(Duration::from_millis).collect();
        assert_eq!(intended, expected);
    }
}
