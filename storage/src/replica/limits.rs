//! The limits of the ledger store, in one place.

use std::time::Duration;

/// Of the keys and values below; a store of a later format is refused.
pub(crate) const FORMAT: u32 = 1;

/// Journal records longer than this are cut into pieces. sled keeps up to 19 pairs in a page
/// while it splits it, and a page of 128 KiB or more would become a file of its own.
pub(crate) const PIECE_BYTES: usize = 6 * 1024;

/// A chunk of entries or of a list is closed once its bytes pass this.
pub(crate) const CHUNK_BYTES: usize = 4 * 1024;

/// What is received is put once so much of it waits: two chunks, as a rule. Less at a time would cut more
/// rows of sixteen short, which are cheapest whole.
pub(crate) const LOAD_BATCH_BYTES: usize = 256 * 1024;

/// Snapshot chunks, the frame included, as they are accepted.
pub(crate) const SNAPSHOT_CHUNK_BYTES: usize = 1024 * 1024;

/// Snapshot chunks as they are sent: neither the thread that encrypts them and carries payments,
/// too, nor the disk on which they are written is taken for long by one.
pub(crate) const SNAPSHOT_SENT_BYTES: usize = 256 * 1024;

/// While a snapshot's mutable part is read, nothing is persisted; with this much unwritten the
/// snapshot is given up rather than memory.
pub(crate) const PAUSED_UNWRITTEN_BYTES: usize = 256 * 1024 * 1024;

/// Decoded journal records kept at hand: lists and bulk batches read the same record often.
pub(crate) const CACHED_RECORDS: usize = 16;

/// Page cache of a node's store unless told.
pub(crate) const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// Nothing is persisted with less room than this: sled does not recover from a full disk
/// without being opened again. The log stops taking new work earlier.
pub(crate) const MIN_FREE_BYTES: u64 = 32 * 1024 * 1024;

/// A leaf of sled with more pairs is split.
pub(crate) const LEAF_PAIRS: usize = 16;

/// Pairs that are put into sled in a row, in about a millisecond, and the rest after them. A replica
/// that writes would otherwise leave payments little of a processor for a tenth of a second.
pub(crate) const PUTS_IN_A_ROW: usize = 4 * LEAF_PAIRS;
pub(crate) const REST: Duration = Duration::from_millis(3);

/// So much is put before the kernel must have written it. Each tenth put or so writes a page anew,
/// and may move another, of up to 128 KiB: in all, less than the seven buffers of 512 KiB from which
/// on sled may hang, as a rule by half.
pub(crate) const PAIRS_ON_THEIR_WAY: usize = 128;
pub(crate) const BYTES_ON_THEIR_WAY: usize = 256 * 1024;

/// Rests of one persist at most, so that it ends before the next is due: enough for all that small
/// batches, a thousand a second, leave to be written at once. Nothing rests while somebody waits for it.
pub(crate) const RESTS: usize = 512;

/// With so much unwritten again, there is no time to rest.
pub(crate) const HURRY_BYTES: usize = 8 * 1024 * 1024;

const PAGE_PAIRS: usize = 19;
const SLED_BLOB_BYTES: usize = 512 * 1024 / 4 - 64;
const _: () = assert!(PAGE_PAIRS * (PIECE_BYTES + 64) < SLED_BLOB_BYTES);
const _: () = assert!(CHUNK_BYTES <= PIECE_BYTES && PIECE_BYTES < SNAPSHOT_SENT_BYTES / 2);
const _: () = assert!(SNAPSHOT_SENT_BYTES <= SNAPSHOT_CHUNK_BYTES);
