//! The rate limit: one token bucket per partner, holding one second's worth.

use florin_ledger::id::Id;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Buckets beyond which those that are full again are dropped.
const BUCKETS: usize = 16_384;

/// All buckets of this frontend.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter(Mutex<HashMap<Id, Bucket>>);

/// Tokens are counted in nanoseconds of refilling, so that nothing is rounded.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The bucket would be full at this time.
    full_at: Instant,
}

/// What is left after a request was let in, or when the next one may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Requests a second.
    pub(crate) limit: u32,
    /// Requests left in the bucket.
    pub(crate) remaining: u32,
    /// Until the bucket is full, or, for one that was not let in, until there is a token.
    pub(crate) reset: Duration,
}

impl RateLimiter {
    /// Lets a request in (`Ok`) or not (`Err`). `limit` is never 0.
    pub(crate) fn take(&self, partner: Id, limit: u32, now: Instant) -> Result<Rate, Rate> {
        let limit = limit.max(1);
        let each = Duration::from_secs(1) / limit;
        let capacity = each * limit;
        let mut buckets = self.0.lock();
        if buckets.len() >= BUCKETS {
            buckets.retain(|_, bucket| bucket.full_at > now);
        }
        let bucket = buckets.entry(partner).or_insert(Bucket { full_at: now });
        let spent = bucket.full_at.saturating_duration_since(now);
        let after = spent + each;
        if after > capacity {
            return Err(Rate {
                limit,
                remaining: 0,
                reset: after - capacity,
            });
        }
        bucket.full_at = now + after;
        let left = (capacity - after).as_nanos() / each.as_nanos().max(1);
        Ok(Rate {
            limit,
            remaining: u32::try_from(left).unwrap_or(u32::MAX),
            reset: after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_a_second_and_refills() {
        let limiter = RateLimiter::default();
        let (partner, start) = (Id(1), Instant::now());
        for left in (0..10).rev() {
            let rate = limiter.take(partner, 10, start).expect("a full bucket");
            assert_eq!((rate.limit, rate.remaining), (10, left));
        }
        let refused = limiter.take(partner, 10, start).expect_err("an empty one");
        assert_eq!(refused.reset, Duration::from_millis(100));
        assert!(
            limiter.take(Id(2), 10, start).is_ok(),
            "another partner's is its own"
        );
        let later = start + Duration::from_millis(100);
        assert!(limiter.take(partner, 10, later).is_ok());
        assert!(limiter.take(partner, 10, later).is_err());
    }

    #[test]
    fn a_very_high_limit_does_not_divide_to_nothing() {
        let limiter = RateLimiter::default();
        assert!(limiter.take(Id(1), u32::MAX, Instant::now()).is_ok());
    }
}
