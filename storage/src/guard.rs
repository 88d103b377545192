//! Surviving a library's panic.
//!
//! A panic of ours is a broken invariant, and the process that hosts replicas ends on it. sled's
//! on a damaged folder is not: the folder is set aside. A process's panic hook asks
//! [`is_guarded`] which of the two it sees.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs something that may panic and must not end the process. What it leaves behind half done
/// must not be used again.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> thread::Result<T> {
    let before = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done
}

/// Whether this thread is within code whose panics are caught.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_within_is_an_error_and_the_guard_ends_with_it() {
        assert!(!is_guarded());
        assert!(guarded(is_guarded).is_ok_and(|within| within));
        assert!(guarded(|| std::panic::resume_unwind(Box::new("sled"))).is_err());
        assert!(!is_guarded());
    }
}
