//! Every limit of the ledger.

/// Transfers in one [`crate::command::Command::CreateTransfers`].
pub const TRANSFERS_PER_COMMAND: usize = 8_190;

/// Ordinals in a batch: what 16 bits can count.
pub const ORDINALS_PER_BATCH: usize = 1 << 16;

/// Pending transfers that expire in one batch; the rest waits for the next.
pub const EXPIRIES_PER_BATCH: usize = 256;

/// How long keys are remembered: 24 hours, in microseconds.
pub const KEY_RETENTION: u64 = 24 * 60 * 60 * 1_000_000;

/// A batch stamped later than this (the year 3111) is stamped wrongly: its time is not believed,
/// for a group's clock that has reached the end of 56 bits could never move again.
pub const LATEST_STAMP: u64 = 1 << 55;

/// Parts of the key table. Each grows by itself, so that growing never stalls payments.
pub const KEY_SHARDS: usize = 1 << 10;

/// Objects in one page of a list.
pub const PAGE: usize = 100;

/// Objects of a list that are looked at in one piece: payments wait no longer for a reader than
/// this takes.
pub const LIST_PIECE: usize = 64;

const _: () = assert!(TRANSFERS_PER_COMMAND <= ORDINALS_PER_BATCH);
const _: () = assert!(KEY_SHARDS.is_power_of_two());
const _: () = assert!(LATEST_STAMP < crate::id::Timestamp::MAX.0);
