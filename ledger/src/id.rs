//! Identifiers: who owns a thing, when it was made, and where its journal record lies.

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z, by a group's monotonic clock. Fits 56 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

/// A 128-bit identifier: 56 bits of time, 16 bits of ordinal, 56 bits of tag.
///
/// Time and ordinal are a [`Position`]: the batch that made the object and its place in that
/// batch. An object is therefore found in the journal without an index, and identifiers of a
/// group grow with time. The tag is taken from the owner, so that two groups whose clocks agree
/// never give out the same identifier. Printed as 26 characters of lower-case Crockford base 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(pub u128);

/// Where in a group's journal something happened: the batch by its time, and the ordinal in it.
///
/// Batch times are strictly increasing within a group, so the time names the batch. A command
/// that makes `n` objects takes `n` ordinals (at least one, so that every command has a position).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The batch's time.
    pub time: Timestamp,
    /// The place in the batch.
    pub ordinal: u16,
}

/// Live money or test money; the two never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// Real money.
    Live,
    /// A partner's sandbox.
    Test,
}

/// One ledger: a partner's live or test books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LedgerId {
    /// The partner (`ptn_`).
    pub partner: Id,
    /// Live or test.
    pub mode: Mode,
}

/// A shard group's number; 0 is the directory group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub u32);

/// The group that holds the directory.
pub const DIRECTORY: GroupId = GroupId(0);

/// A node's number, from its configuration. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);
