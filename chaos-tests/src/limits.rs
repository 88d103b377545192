//! What bounds the checkers and the load.

use std::time::Duration;

/// Operations on one account that a search for an order takes on.
pub const ACCOUNT_OPERATIONS: usize = 2_000;
/// States that a search for an order looks at, for each account, before it gives up.
pub const SEARCH_STATES: usize = 100_000;
/// Sessions of a partner that an open load makes at most.
pub const SESSIONS: usize = 4_096;
/// Keys of a partner that are sent once more after everything.
pub const ASKED_AGAIN: usize = 300;
/// How long a session waits before it asks again.
pub const PAUSE: Duration = Duration::from_millis(25);

// A remembered state holds one bit for each operation: 25 MB at most, for one account at a time.
const _: () = assert!(ACCOUNT_OPERATIONS / 8 * SEARCH_STATES <= 32 << 20);
