//! Whether the network on the way to others loses packets.
//!
//! What TCP loses on a long way holds up all that was sent behind it, for a round trip and more: with
//! a hundred packets a second, one in twenty lost and a round trip of 100 ms, a connection stands
//! still for more than half of the time. It shows in the answers: most take far longer than the
//! quickest. Then requests go over two connections, for the two seldom stand still at once, and batches
//! are fewer.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Answers that come sooner than this are from nearby, where what was lost is soon made up for.
const FAR: Duration = Duration::from_millis(20);
/// For how long the quickest answer counts; then for as long again, beside that of the next span.
const SPAN: Duration = Duration::from_secs(1);
/// For how long packets are taken to be lost once it showed: what helps against it hides it.
const DOUBT: Duration = Duration::from_secs(30);

/// What answers tell.
#[derive(Debug, Default)]
pub struct Loss(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// How long answers take on average, the last ones counting most.
    mean: Option<Duration>,
    /// The quickest of this span and of the one before, and when this one began.
    quickest: [Option<Duration>; 2],
    began: Option<Instant>,
    doubted: Option<Instant>,
}

impl Loss {
    /// An answer came after so long. Says whether packets are lost, as far as is known now.
    pub fn came(&self, after: Duration) -> bool {
        let mut seen = self.0.lock();
        let now = Instant::now();
        seen.came(after, now);
        seen.lossy(now)
    }

    /// Whether packets are lost, as far as is known.
    pub fn lossy(&self) -> bool {
        let seen = self.0.lock();
        // The clock is not asked where nothing was ever lost.
        seen.doubted.is_some() && seen.lossy(Instant::now())
    }
}

impl Seen {
    fn came(&mut self, after: Duration, now: Instant) {
        if self.began.is_none_or(|began| now - began > SPAN) {
            self.began = Some(now);
            self.quickest = [None, self.quickest[0]];
        }
        let mean = self.mean.map_or(after, |mean| (mean * 31 + after) / 32);
        self.mean = Some(mean);
        self.quickest[0] = Some(self.quickest[0].map_or(after, |least| least.min(after)));
        let least = self.quickest.into_iter().flatten().min().unwrap_or(after);
        // Ways differ by a fifth or so where nothing is lost, too.
        if least >= FAR && mean > least * 4 / 3 {
            self.doubted = Some(now);
        }
    }

    fn lossy(&self, now: Instant) -> bool {
        self.doubted
            .is_some_and(|doubted| now.saturating_duration_since(doubted) < DOUBT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Answers took so many milliseconds in turn, one every 10 ms for ten seconds: whether packets
    /// are lost then, and when that is over.
    fn check(answers: &[u32], lossy: bool) {
        let mut seen = Seen::default();
        let began = Instant::now();
        let mut now = began;
        for at in 0..1_000 {
            now = began + at * 10 * MS;
            seen.came(answers[at as usize % answers.len()] * MS, now);
        }
        assert_eq!(seen.lossy(now), lossy, "{answers:?}");
        assert!(!seen.lossy(now + DOUBT), "{answers:?}");
    }

    #[test]
    fn what_answers_tell() {
        // Near, however uneven.
        check(&[1], false);
        check(&[1, 50, 100], false);
        // Far, and nothing is lost.
        check(&[100], false);
        check(&[180, 200, 215, 230, 250], false);
        // Many are held up for a round trip.
        check(&[100, 100, 220], true);
        check(&[180, 300, 400], true);
    }

    #[test]
    fn what_was_quick_once_is_forgotten() {
        let mut seen = Seen::default();
        let began = Instant::now();
        seen.came(MS, began);
        let uneven = |seen: &mut Seen, now| {
            seen.came(100 * MS, now);
            seen.came(400 * MS, now);
            seen.lossy(now)
        };
        // A network that has just become long is not taken for one that loses packets.
        assert!(!(0..90).any(|at| uneven(&mut seen, began + at * 10 * MS)));
        assert!((200..400).any(|at| uneven(&mut seen, began + at * 10 * MS)));
    }
}
