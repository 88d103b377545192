//! The `florin` binary.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
use std::ffi::c_long;
use std::process::ExitCode;

/// Returns memory to the system and scales over threads better than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long freed memory is kept before the system gets it back, in milliseconds: mimalloc's
/// `mi_option_purge_delay`.
const PURGE_DELAY: mi_option_t = 15;

/// Longer than a ledger under load takes from one persist to the next. With mimalloc's own second, a
/// replica gives back what it has just written and asks for as much again, which the kernel fills
/// with zeros first: a twentieth of all processor time (docs/performance.md).
const KEPT: c_long = 60_000;

fn main() -> ExitCode {
    keep_freed_memory();
    florin_node::commands::main()
}

/// Unless the environment says otherwise (`MIMALLOC_PURGE_DELAY`).
#[allow(unsafe_code, reason = "mimalloc's options have no safe interface")]
fn keep_freed_memory() {
    // SAFETY: it stores a number in a table, whatever the option's number is, and no other thread
    // runs yet.
    unsafe { mi_option_set_default(PURGE_DELAY, KEPT) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options are numbers that another version may give out anew: this one's own default tells
    /// that it is the one which is meant.
    #[test]
    #[allow(unsafe_code, reason = "mimalloc's options have no safe interface")]
    fn it_is_the_delay_that_is_set() {
        // SAFETY: it reads a number from a table.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(delay(), 1_000);
            keep_freed_memory();
            assert_eq!(delay(), KEPT);
        }
    }
}
