//! When the next batch goes. Each costs every replica an append, a sync and some messages, however
//! much is in it, so that on a busy machine few and large batches carry more payments, sooner; but
//! on a slow network nobody should wait for the answer to another's batch.

use crate::limits;
use crate::loss::Loss;
use std::time::Duration;
use tokio::time::Instant;

/// What is known of the batches of a group.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Batches that are proposed and not answered, and what is in them.
    pub(super) batches: usize,
    pub(super) commands: usize,
    pub(super) bytes: usize,
    /// How long batches take to be answered, the last ones counting most.
    takes: Option<Duration>,
    loss: Loss,
    last: Option<Instant>,
}

/// What to do with what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Go {
    /// It goes as a batch.
    Now,
    /// At this time at the latest.
    At(Instant),
    /// Only when something has been answered.
    AfterAnswer,
}

impl Pace {
    /// With so many commands waiting, at least one; `full` if they fill a batch.
    pub(super) fn go(&self, waiting: usize, full: bool, now: Instant) -> Go {
        if self.batches >= limits::BATCHES_UNDER_WAY || self.bytes >= limits::BYTES_UNDER_WAY {
            return Go::AfterAnswer;
        }
        // What is as much as all that is under way shares the work well enough.
        let company = waiting >= limits::BATCH_WORTH && waiting >= self.commands;
        let until = self.last.map_or(now, |last| last + self.patience());
        if self.batches == 0 || full || company || until <= now {
            Go::Now
        } else {
            Go::At(until)
        }
    }

    /// How long what waits may gather while a batch is under way: where answers take long, a small
    /// part of that. On a network that loses packets it pays to gather more, for each that is lost
    /// holds up all that comes behind it.
    fn patience(&self) -> Duration {
        let (least, most) = limits::GATHER;
        if self.loss.lossy() {
            return limits::GATHER_LOSSY;
        }
        match self.takes {
            Some(takes) if takes < limits::NEAR => limits::NEAR,
            Some(takes) => (takes / 16).clamp(least, most),
            None => least,
        }
    }

    /// A batch went.
    pub(super) fn began(&mut self, commands: usize, bytes: usize, now: Instant) {
        self.batches += 1;
        self.commands += commands;
        self.bytes += bytes;
        self.last = Some(now);
    }

    /// A batch was answered after so long.
    pub(super) fn ended(&mut self, commands: usize, bytes: usize, took: Duration) {
        self.batches -= 1;
        self.commands -= commands;
        self.bytes -= bytes;
        self.loss.came(took);
        self.takes = Some(self.takes.map_or(took, |takes| (takes * 7 + took) / 8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Batches of these sizes went at `began`, and earlier ones took so long.
    fn check(takes: Duration, under_way: &[usize], waiting: usize, after: Duration, go: bool) {
        let began = Instant::now();
        let mut pace = Pace::default();
        pace.began(1, 1, began);
        pace.ended(1, 1, takes);
        for commands in under_way {
            pace.began(*commands, *commands, began);
        }
        let decided = pace.go(waiting, false, began + after);
        assert_eq!(
            decided == Go::Now,
            go,
            "{takes:?} {under_way:?} {waiting} {after:?}: {decided:?}"
        );
    }

    #[test]
    fn when_the_next_batch_goes() {
        // Nothing is under way: nobody waits.
        check(MS, &[], 1, Duration::ZERO, true);
        check(50 * MS, &[], 1, Duration::ZERO, true);
        // Near: for the answer, unless what waits is as much as what is under way.
        check(MS, &[1], 1, MS, false);
        check(MS, &[1], limits::BATCH_WORTH, Duration::ZERO, true);
        check(MS, &[40], 39, MS, false);
        check(MS, &[40], 40, Duration::ZERO, true);
        check(MS, &[20, 20], 39, MS, false);
        // An answer that stays out is not waited for for ever.
        check(MS, &[40], 1, limits::NEAR, true);
        // Far: for a sixteenth of the way only, and not for long.
        check(16 * MS, &[40], 1, MS / 2, false);
        check(16 * MS, &[40], 1, MS, true);
        check(64 * MS, &[40], 1, 3 * MS, false);
        check(64 * MS, &[40], 1, 4 * MS, true);
        check(900 * MS, &[40], 1, limits::GATHER.1, true);
    }

    #[test]
    fn no_more_than_the_limits_is_under_way() {
        let now = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..limits::BATCHES_UNDER_WAY {
            pace.began(1, 1, now);
        }
        assert_eq!(pace.go(1, true, now), Go::AfterAnswer);
        pace.ended(1, 1, MS);
        assert_eq!(pace.go(1, true, now), Go::Now);
        pace.began(1, limits::BYTES_UNDER_WAY, now);
        assert_eq!(pace.go(1, true, now), Go::AfterAnswer);
    }

    #[test]
    fn what_batches_take_is_learned() {
        let now = Instant::now();
        let mut pace = Pace::default();
        let mut patience = |took: Duration, times: usize| {
            for _ in 0..times {
                pace.began(1, 1, now);
                pace.ended(1, 1, took);
            }
            pace.patience()
        };
        assert_eq!(patience(MS, 1), limits::NEAR);
        let far = patience(48 * MS, 60);
        assert!((2 * MS..=3 * MS).contains(&far), "{far:?}");
        assert_eq!(patience(MS, 60), limits::NEAR);
    }

    #[test]
    fn more_gathers_where_packets_are_lost() {
        let now = Instant::now();
        let mut pace = Pace::default();
        // Many are held up for as long again.
        for took in [48 * MS, 96 * MS].repeat(60) {
            pace.began(1, 1, now);
            pace.ended(1, 1, took);
        }
        assert_eq!(pace.patience(), limits::GATHER_LOSSY);
    }
}
