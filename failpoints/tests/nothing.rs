//! Without the feature, the macros leave nothing behind: what is in them need not even make sense.
#![cfg(not(feature = "faults"))]

use florin_failpoints::{failpoint, mutant};

/// A constant function cannot count, sleep or ask anybody.
const fn work(number: u32) -> u32 {
    failpoint!("no.such.place");
    failpoint!("disk.sync", there is no such expression);
    mutant!("no-such-mistake" => there is no such statement);
    number + 1
}

const WORKED: u32 = work(1);
const PLANTED: bool = mutant!("vote-not-persisted");

#[test]
fn the_macros_expand_to_nothing() {
    assert_eq!((WORKED, PLANTED), (2, false));
}
