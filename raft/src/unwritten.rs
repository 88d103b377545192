//! How much all groups of a node have applied and not written. It is in memory, and a disk that
//! cannot keep up must not fill that, however many groups there are.

use crate::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// All groups of a node together.
pub(crate) struct Unwritten {
    bytes: AtomicUsize,
    /// With so much, a group waits,
    most: usize,
    /// unless it has less than this itself.
    least: usize,
    /// Held by who writes, to make room.
    turn: Arc<Mutex<()>>,
}

/// What one group has of it.
pub(crate) struct Share {
    of: Arc<Unwritten>,
    bytes: AtomicUsize,
}

impl Unwritten {
    pub(crate) fn new(most: usize, least: usize) -> Unwritten {
        Unwritten {
            bytes: AtomicUsize::new(0),
            most,
            least,
            turn: Arc::default(),
        }
    }

    /// The share of another group, empty.
    pub(crate) fn share(self: &Arc<Unwritten>) -> Share {
        Share {
            of: Arc::clone(self),
            bytes: AtomicUsize::new(0),
        }
    }

    /// A share that is set twice at once can make it less than nothing for a moment.
    fn bytes(&self) -> usize {
        let bytes = self.bytes.load(Ordering::Relaxed);
        bytes.cast_signed().max(0).cast_unsigned()
    }
}

impl Default for Unwritten {
    fn default() -> Unwritten {
        Unwritten::new(limits::MOST_UNWRITTEN_BYTES, limits::LEAST_UNWRITTEN_BYTES)
    }
}

impl Share {
    /// The group has so much now.
    pub(crate) fn set(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        // It wraps where the share became smaller, and the sum with it.
        let grown = bytes.wrapping_sub(before);
        self.of.bytes.fetch_add(grown, Ordering::Relaxed);
    }

    /// Whether the group may apply more.
    pub(crate) fn has_room(&self) -> bool {
        self.is_small() || self.of.bytes() < self.of.most
    }

    /// Whether it had better be written before its time: half of the room is taken.
    pub(crate) fn presses(&self) -> bool {
        !self.is_small() && self.of.bytes() >= self.of.most / 2
    }

    /// Waits for its turn to make room. Groups share one store: if all wrote at once, the first would
    /// be done when all are, and nobody would apply anything until then.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.of.turn).lock_owned().await
    }

    fn is_small(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) < self.of.least
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared() {
        let all = Arc::new(Unwritten::new(100, 10));
        let (busy, quiet) = (all.share(), all.share());
        // (busy has, quiet has, busy has room, quiet has room, busy presses, quiet presses)
        for (has, other, room, other_room, presses, other_presses) in [
            (0, 0, true, true, false, false),
            (49, 0, true, true, false, false),
            (50, 0, true, true, true, false),
            (99, 0, true, true, true, false),
            (100, 0, false, true, true, false),
            (100, 9, false, true, true, false),
            (100, 10, false, false, true, true),
            (89, 10, true, true, true, true),
            (9, 91, true, false, false, true),
            (0, 9, true, true, false, false),
        ] {
            busy.set(has);
            quiet.set(other);
            let rooms = (busy.has_room(), quiet.has_room());
            assert_eq!(rooms, (room, other_room), "{has} and {other}");
            let press = (busy.presses(), quiet.presses());
            assert_eq!(press, (presses, other_presses), "{has} and {other}");
        }
    }

    #[test]
    fn a_group_that_goes_leaves_its_room() {
        let all = Arc::new(Unwritten::new(100, 10));
        let (gone, left) = (all.share(), all.share());
        gone.set(90);
        left.set(20);
        assert!(!left.has_room());
        drop(gone);
        assert!(left.has_room() && !left.presses());
    }
}
