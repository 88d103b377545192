//! What time it is, when one node's clock may be wrong.
//!
//! A group's time decides when keys are forgotten and when pending money is released, and it never
//! runs backwards. One leader with a clock a day ahead would therefore make every replica forget
//! every key, for good. So a leader stamps its batches with the median of the clocks that it and
//! the group's other voters show, and of two the earlier: no single clock moves a group's time.

use crate::limits;
use florin_ledger::id::{NodeId, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// This node's clock, and those that its peers showed with their frames.
pub(crate) struct Clocks {
    me: NodeId,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// What a peer's clock showed, and when that was by a clock that nobody sets.
    heard: Mutex<BTreeMap<u64, (Timestamp, Instant)>>,
}

impl Clocks {
    pub(crate) fn new(me: NodeId, wall: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Clocks {
        Clocks {
            me,
            wall,
            heard: Mutex::default(),
        }
    }

    /// What this node's clock shows: microseconds, for a frame.
    pub(crate) fn show(&self) -> u64 {
        (self.wall)().0
    }

    /// A peer, who is who it says it is, showed its clock.
    pub(crate) fn hear(&self, peer: u64, clock: u64) {
        if clock != 0 {
            let shown = (Timestamp(clock), Instant::now());
            self.heard.lock().insert(peer, shown);
        }
    }

    /// The time for a batch of a group with these voters. Without it there is nobody to ask, and
    /// the group's time had better stand still: nothing can be committed without them anyhow.
    pub(crate) fn stamp(&self, voters: impl Iterator<Item = u64>) -> Option<Timestamp> {
        let heard = self.heard.lock();
        let now = Instant::now();
        let mut alone = true;
        let mut clocks = Vec::with_capacity(limits::VOTERS_USUAL);
        for voter in voters {
            if voter == self.me.0 {
                clocks.push((self.wall)());
                continue;
            }
            alone = false;
            if let Some((clock, at)) = heard.get(&voter) {
                let age = now.saturating_duration_since(*at);
                if age <= limits::CLOCK_FRESH {
                    clocks.push(later(*clock, age));
                }
            }
        }
        if clocks.len() < 2 && !alone {
            return None;
        }
        median(clocks)
    }
}

fn later(clock: Timestamp, by: Duration) -> Timestamp {
    let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
    Timestamp(clock.0.saturating_add(by))
}

/// The one in the middle; of two in the middle the earlier.
fn median(mut clocks: Vec<Timestamp>) -> Option<Timestamp> {
    clocks.sort_unstable();
    clocks.get(clocks.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000;
    const NOON: u64 = 1_000_000 * HOUR;

    /// `peers` are the clocks of nodes 2, 3, … as far as they were heard.
    fn check(wall: u64, peers: &[u64], voters: u64, expected: Option<u64>) {
        let clocks = Clocks::new(NodeId(1), Arc::new(move || Timestamp(wall)));
        for (peer, clock) in (2..).zip(peers) {
            clocks.hear(peer, *clock);
        }
        let stamp = clocks.stamp(1..=voters);
        let near = match (stamp, expected) {
            (Some(stamp), Some(expected)) => stamp.0.abs_diff(expected) < HOUR / 60,
            (stamp, expected) => stamp.is_none() && expected.is_none(),
        };
        assert!(
            near,
            "{wall} {peers:?} {voters}: {stamp:?}, not {expected:?}"
        );
    }

    #[test]
    fn no_single_clock_moves_the_time() {
        let day = 25 * HOUR;
        check(NOON, &[NOON, NOON], 3, Some(NOON));
        check(NOON + day, &[NOON, NOON], 3, Some(NOON));
        check(NOON - day, &[NOON, NOON], 3, Some(NOON));
        check(NOON, &[NOON + day, NOON], 3, Some(NOON));
        check(NOON + day, &[NOON], 3, Some(NOON));
        check(NOON, &[NOON + day], 3, Some(NOON));
        check(
            NOON + day,
            &[NOON + day, NOON, NOON, NOON - day],
            5,
            Some(NOON),
        );
    }

    #[test]
    fn alone_there_is_one_clock_and_unheard_there_is_none() {
        check(NOON, &[], 1, Some(NOON));
        check(NOON, &[], 3, None);
        // A clock that says nothing is not heard.
        check(NOON, &[0, 0], 3, None);
        // Who has no vote has no say either.
        check(NOON, &[NOON, NOON, NOON + HOUR], 3, Some(NOON));
    }
}
