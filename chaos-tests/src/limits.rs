//! What bounds the checkers, the load and the fabric.

use std::time::Duration;

/// Operations on one account that may be in flight at once for a search for an order to take on:
/// each set of them may be a state of its own.
pub const IN_FLIGHT: usize = 18;
/// Operations on one account that may stay without any answer for a search to take them on.
pub const UNKNOWN_OPERATIONS: usize = 20;
/// States that searches for an order look at, in all windows of a history together, before they give
/// up: a run's time is bounded, whatever its history.
pub const SEARCH_STATES: usize = 8_000_000;
/// So many for each operation, if that is more: a long history has more windows.
pub const SEARCH_STATES_PER_OPERATION: usize = 400;
// The unknown are bits of a word, and every set of them is written down.
const _: () = assert!(UNKNOWN_OPERATIONS < 64 && (1 << UNKNOWN_OPERATIONS) < SEARCH_STATES);
/// Sessions of a partner that an open load makes at most.
pub const SESSIONS: usize = 4_096;
/// Keys of a partner that are sent once more after everything.
pub const ASKED_AGAIN: usize = 300;
/// Sessions that do so at once.
pub const AUDITORS: usize = 8;
/// How long a session waits before it asks again.
pub const PAUSE: Duration = Duration::from_millis(25);

/// How long a packet that others overtake is held back.
pub const OVERTAKEN_BY: Duration = Duration::from_millis(5);
/// How long packets may wait for a slow link; then it is full, and they are dropped.
pub const QUEUE: Duration = Duration::from_secs(1);
/// Bytes of packets that are under way on all links of a fabric; what exceeds them is dropped.
pub const UNDER_WAY: usize = 256 << 20;
/// How long a proxy holds back what was lost, at first; twice as long each time after that.
pub const STALL: Duration = Duration::from_millis(200);
/// How long it holds it back at most.
pub const STALL_LIMIT: Duration = Duration::from_millis(3_200);
/// Bytes of a stream that a proxy passes at once.
pub const PIECE: usize = 64 << 10;
/// Pieces of a stream that are under way; then the sender waits.
pub const PIECES: usize = 256;
/// MiB of a disk whose power can be cut; its image takes only what is written.
pub const LOOP_MIB: u64 = 4_096;
/// MiB of a disk with little room: a node starts on it, with files of a log of 16 MiB.
pub const SMALL_MIB: u64 = 256;
/// Bytes that data, histories and reports of a run may take.
pub const ROOM: u64 = 4 << 30;
/// Processors below which nothing can be said of latencies.
pub const CORES: usize = 2;
/// How often nodes are asked how they are, while something is waited for.
pub const LOOK: Duration = Duration::from_millis(100);
/// How often the leaders are noted, and a fault is looked at while it lasts.
pub const NOTE: Duration = Duration::from_millis(250);
/// How long a cluster may take until every replica takes part again, after everything is healed.
pub const BACK: Duration = Duration::from_secs(90);
/// How long a process may take to end after its disk failed.
pub const ENDS: Duration = Duration::from_secs(15);
/// How long a node with damaged files may take to be whole again without an operator.
pub const REPAIRED: Duration = Duration::from_secs(45);
/// How long nodes that end for what they found are left alone before they are started again.
pub const SAYS: Duration = Duration::from_secs(5);
/// How long a node with an empty disk may take to be brought back.
pub const REPLACED: Duration = Duration::from_secs(120);
/// How long it may take until a process comes to a failpoint that is armed.
pub const REACHED: Duration = Duration::from_secs(60);
/// How long a cluster may take to start.
pub const STARTED: Duration = Duration::from_secs(90);
/// How long payments may take to flow after that.
pub const FLOWING: Duration = Duration::from_secs(60);
