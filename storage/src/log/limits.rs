//! The log's bounds.

/// The unit in which a disk writes or does not write. A round begins and ends at a multiple of it,
/// so that no sector with durable bytes in it is ever written again, and what a tear leaves out
/// is whole sectors that still hold the zeros of the preparation.
pub(super) const SECTOR: usize = 512;

/// Rounds are cut when they hold as much; a single larger record makes a round of its own.
pub(super) const ROUND_BYTES: usize = 4 << 20;

/// The smallest segment: the summary may take a quarter, an entry half of it.
pub(super) const SEGMENT_BYTES_MIN: u64 = 16 << 10;

/// The largest segment: offsets are 32 bits wide and a segment is read in one piece at start.
pub(super) const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// The longest vote: consensus keeps the members' addresses beside it.
pub const VOTE_BYTES: usize = 512;

/// What a group can take in a summary at most: its vote, positions and number, encoded.
pub(super) const SUMMARY_BYTES_PER_GROUP: usize = VOTE_BYTES + 96;

/// Zeros are written in pieces of this size, each made durable, so that the preparation of a
/// segment does not hold up the syncs of the one in use for longer than a piece takes.
pub(super) const ZERO_BYTES: usize = 256 << 10;

/// The size of the pieces when the writer waits for the segment.
pub(super) const ZERO_BYTES_URGENT: usize = 4 << 20;

/// How long after the last round the log is sealed, in milliseconds.
pub(super) const SEAL_AFTER_MS: u64 = 1_000;

/// How often a lack of room is looked into again, in milliseconds.
pub(super) const ROOM_POLL_MS: u64 = 250;

/// The share of the segment in use that is kept for work accepted before the disk was full.
pub(super) const RESERVE_DIVISOR: u64 = 4;

const _: () = assert!(ROUND_BYTES.is_multiple_of(SECTOR));
const _: () = assert!(SEGMENT_BYTES_MIN.is_multiple_of(SECTOR as u64));
const _: () = assert!(SEGMENT_BYTES_MAX <= u32::MAX as u64);
