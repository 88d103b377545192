//! What a link does with each packet: pure, so that a table can test it. The clock is the caller's.

use super::dice::Dice;
use super::link::{Counters, Link};
use crate::limits::{OVERTAKEN_BY, QUEUE};
use std::time::Duration;

/// One directed link: what it is like, its dice, and what it did so far.
#[derive(Debug)]
pub struct Lane {
    link: Link,
    dice: Dice,
    /// When the sender has put everything onto the line that it was given so far.
    free_at: Duration,
    /// When the last packet that keeps its place arrives.
    last_due: Duration,
    counters: Counters,
}

/// When a packet arrives: once, twice or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// When it arrives; nothing: it is lost.
    pub first: Option<Duration>,
    /// When it arrives again.
    pub again: Option<Duration>,
}

impl Lane {
    /// A perfect link with these dice.
    pub fn new(dice: Dice) -> Lane {
        Lane {
            link: Link::default(),
            dice,
            free_at: Duration::ZERO,
            last_due: Duration::ZERO,
            counters: Counters::default(),
        }
    }

    /// What it is like.
    pub fn link(&self) -> Link {
        self.link
    }

    /// What it did so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Makes it like this from now on. What comes later need not wait for what is under way.
    pub fn set(&mut self, link: Link) {
        self.link = link;
        self.free_at = Duration::ZERO;
        self.last_due = Duration::ZERO;
    }

    /// Decides what befalls a packet that is sent now. Every packet draws as many numbers as any
    /// other, so the same seed decides alike whatever the link was like before.
    pub fn offer(&mut self, now: Duration, bytes: usize) -> Fate {
        let [lost, doubled, overtaken, spread] = std::array::from_fn(|_| self.dice.part());
        let Some(sent) = self.send(now, bytes, lost) else {
            self.counters.dropped += 1;
            return Fate::default();
        };
        let jitter = self.link.jitter.mul_f64(2.0 * spread);
        let late = (self.link.delay + jitter).saturating_sub(self.link.jitter);
        let mut due = sent + late;
        if overtaken < self.link.reorder {
            due += OVERTAKEN_BY + self.link.jitter;
            self.counters.reordered += 1;
        } else {
            due = due.max(self.last_due);
            self.last_due = due;
        }
        let doubled = doubled < self.link.duplicate;
        self.counters.packets += 1;
        self.counters.bytes += bytes as u64;
        self.counters.delayed += u64::from(due > now);
        self.counters.duplicated += u64::from(doubled);
        Fate {
            first: Some(due),
            again: doubled.then_some(due),
        }
    }

    /// When the packet is on the line; nothing if it never is.
    fn send(&mut self, now: Duration, bytes: usize, lost: f64) -> Option<Duration> {
        if self.link.cut || lost < self.link.loss {
            return None;
        }
        let Some(rate) = self.link.bytes_per_second else {
            return Some(now);
        };
        let begun = now.max(self.free_at);
        if begun - now > QUEUE {
            return None;
        }
        self.free_at = begun + Duration::from_secs_f64(bytes as f64 / rate as f64);
        Some(self.free_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// When packets of 1,000 bytes that are sent one millisecond apart arrive, in milliseconds.
    fn arrivals(link: Link, count: u32) -> (Vec<Option<u128>>, Counters) {
        let mut lane = Lane::new(Dice::new(1));
        lane.set(link);
        let arrivals = (0..count).map(|at| {
            let fate = lane.offer(MS * at, 1_000);
            fate.first.map(|due| due.as_millis())
        });
        let arrivals = arrivals.collect();
        (arrivals, lane.counters())
    }

    #[test]
    fn links_do_what_they_say() {
        let rate = |bytes_per_second| Link {
            bytes_per_second: Some(bytes_per_second),
            ..Link::default()
        };
        let rows = [
            (Link::default(), vec![Some(0), Some(1), Some(2)]),
            (Link::cut(), vec![None, None, None]),
            (Link::delayed(50 * MS), vec![Some(50), Some(51), Some(52)]),
            // 10 ms for each packet, one after the other.
            (rate(100_000), vec![Some(10), Some(20), Some(30)]),
            // The first one takes all the queue.
            (rate(500), vec![Some(2_000), None, None]),
        ];
        for (link, expected) in rows {
            assert_eq!(arrivals(link, 3).0, expected, "{link}");
        }
    }

    #[test]
    fn packets_keep_their_order_under_jitter_and_stay_within_it() {
        let link = Link {
            delay: 50 * MS,
            jitter: 15 * MS,
            ..Link::default()
        };
        let (arrivals, counters) = arrivals(link, 1_000);
        let due: Vec<u128> = arrivals.into_iter().map(Option::unwrap).collect();
        assert!(due.is_sorted());
        let late = |at: usize| due[at] - at as u128;
        assert!((0..1_000).all(|at| (35..=65).contains(&late(at))));
        assert!((0..1_000).any(|at| late(at) > 55));
        assert_eq!(counters.delayed, 1_000);
    }

    #[test]
    fn parts_of_the_packets_are_lost_doubled_and_overtaken() {
        let link = Link {
            loss: 0.05,
            duplicate: 0.1,
            reorder: 0.2,
            ..Link::default()
        };
        let (due, counters) = arrivals(link, 10_000);
        assert!((400..600).contains(&counters.dropped), "{counters:?}");
        assert!((850..1_050).contains(&counters.duplicated), "{counters:?}");
        assert!((1_700..2_100).contains(&counters.reordered), "{counters:?}");
        assert_eq!(counters.packets + counters.dropped, 10_000);
        let arrived: Vec<u128> = due.into_iter().flatten().collect();
        assert!(!arrived.is_sorted(), "some are overtaken");
    }

    #[test]
    fn a_seed_decides_alike_and_another_does_not() {
        let link = Link {
            loss: 0.3,
            jitter: 10 * MS,
            ..Link::default()
        };
        assert_eq!(arrivals(link, 100), arrivals(link, 100));
        let fates = |seed| {
            let mut lane = Lane::new(Dice::new(seed));
            lane.set(link);
            let fate = |at| lane.offer(MS * at, 100);
            (0..100).map(fate).collect::<Vec<_>>()
        };
        assert_ne!(fates(1), fates(2));
    }

    #[test]
    fn a_healed_link_does_not_wait_for_what_is_under_way() {
        let mut lane = Lane::new(Dice::new(1));
        lane.set(Link::delayed(1_000 * MS));
        assert_eq!(lane.offer(MS, 1).first, Some(1_001 * MS));
        lane.set(Link::default());
        assert_eq!(lane.offer(2 * MS, 1).first, Some(2 * MS));
    }
}
