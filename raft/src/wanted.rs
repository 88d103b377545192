//! From where on the log is still wanted, although the checkpoints would let it go.

use crate::limits;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::Instant;

/// What followers go on from that are sent a snapshot, or were a moment ago. If the log forgot it
/// meanwhile, they would be sent another, and with a large ledger never catch up. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Wanted(Arc<Mutex<Vec<Want>>>);

struct Want {
    from: u64,
    /// None while a snapshot is on its way.
    until: Option<Instant>,
    /// How much had ever been appended when the log was first kept for it.
    since: Option<u64>,
}

/// A snapshot on its way.
pub(crate) struct Sending {
    wanted: Wanted,
    from: u64,
}

impl Wanted {
    /// A follower will go on after this entry.
    pub(crate) fn sending(&self, from: u64) -> Sending {
        self.0.lock().push(Want {
            from,
            until: None,
            since: None,
        });
        Sending {
            wanted: self.clone(),
            from,
        }
    }

    /// No entry after this one may go, now that so many bytes were ever appended.
    pub(crate) fn after(&self, now: Instant, appended: u64) -> Option<u64> {
        let mut wants = self.0.lock();
        wants.retain_mut(|want| {
            let since = *want.since.get_or_insert(appended);
            let much = appended.saturating_sub(since) > limits::KEPT_TO_CATCH_UP_BYTES;
            !much && want.until.is_none_or(|until| now < until)
        });
        wants.iter().map(|want| want.from).min()
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut wants = self.wanted.0.lock();
        let mine = |want: &&mut Want| want.from == self.from && want.until.is_none();
        if let Some(want) = wants.iter_mut().find(mine) {
            want.until = Some(Instant::now() + limits::CATCH_UP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_follower_goes_on_from_is_kept_until_it_had_time_to() {
        let wanted = Wanted::default();
        let after = |later| wanted.after(Instant::now() + later, 5);
        let (now, later) = (limits::CATCH_UP / 2, limits::CATCH_UP * 2);
        assert_eq!(after(now), None);
        let early = wanted.sending(7);
        let again = wanted.sending(7);
        let late = wanted.sending(9);
        assert_eq!(after(later), Some(7));
        drop(early);
        assert_eq!(after(later), Some(7), "another is sent the same");
        drop(again);
        assert_eq!(after(now), Some(7));
        assert_eq!(after(later), Some(9));
        drop(late);
        assert_eq!(after(now), Some(9));
        assert_eq!(after(later), None);
        let _slow = wanted.sending(11);
        assert_eq!(after(now), Some(11));
        let appended = |bytes| wanted.after(Instant::now(), bytes);
        assert_eq!(appended(limits::KEPT_TO_CATCH_UP_BYTES), Some(11));
        assert_eq!(appended(limits::KEPT_TO_CATCH_UP_BYTES + 6), None);
    }
}
