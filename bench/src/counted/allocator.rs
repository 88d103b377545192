//! An allocator around another that counts. The only unsafe code of this package.

#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; every call is passed on as it came"
)]

use super::Allocated;
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static STARTED: AtomicBool = AtomicBool::new(false);
static TIMES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Passes everything on, and counts it once counting has started.
#[derive(Debug)]
pub struct Counting<A>(pub A);

/// Counts from now on, in this process.
pub(super) fn start() {
    STARTED.store(true, Ordering::Relaxed);
}

/// How far the counters are.
pub(super) fn allocated() -> Allocated {
    Allocated {
        times: TIMES.load(Ordering::Relaxed),
        bytes: BYTES.load(Ordering::Relaxed),
    }
}

fn count(bytes: usize) {
    if STARTED.load(Ordering::Relaxed) {
        TIMES.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

// SAFETY: what is asked and answered is what the allocator within is asked and answers; counting
// allocates nothing and cannot unwind.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { self.0.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::System;

    #[test]
    fn what_is_asked_for_is_counted_once_counting_has_started() {
        let counting = Counting(System);
        let (small, large) = (
            Layout::from_size_align(24, 8).unwrap(),
            Layout::from_size_align(48, 8).unwrap(),
        );
        let round = || {
            let before = allocated();
            // SAFETY: blocks are given back as they were taken.
            unsafe {
                let block = counting.alloc(small);
                let block = counting.realloc(block, small, large.size());
                counting.dealloc(block, large);
                counting.dealloc(counting.alloc_zeroed(small), small);
            }
            allocated().since(before)
        };
        assert_eq!(round(), Allocated::default());
        start();
        let expected = Allocated {
            times: 3,
            bytes: 24 + 48 + 24,
        };
        assert_eq!(round(), expected);
    }
}
