//! Identifiers: who owns a thing, when it was made, and where its journal record lies.

mod text;
mod time;

pub use text::{DisplayId, ParseIdError};
pub use time::ParseTimeError;

use serde::{Deserialize, Serialize};

/// What identifiers of each kind begin with.
pub mod prefix {
    /// Accounts.
    pub const ACCOUNT: &str = "acct_";
    /// Transfers.
    pub const TRANSFER: &str = "tr_";
    /// Payments.
    pub const PAYMENT: &str = "pay_";
    /// Refunds.
    pub const REFUND: &str = "re_";
    /// Partners.
    pub const PARTNER: &str = "ptn_";
    /// API keys.
    pub const KEY: &str = "key_";
}

/// Microseconds since 1970-01-01T00:00:00Z, by a group's monotonic clock. Fits 56 bits.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

/// A 128-bit identifier: 56 bits of time, 16 bits of ordinal, 56 bits of tag.
///
/// Time and ordinal are a [`Position`]: the batch that made the object and its place in that
/// batch. An object is therefore found in the journal without an index, and identifiers of a
/// group grow with time. The tag is taken from the owner, so that two groups whose clocks agree
/// never give out the same identifier. Printed as 26 characters of lower-case Crockford base 32.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Id(pub u128);

/// Where in a group's journal something happened: the batch by its time, and the ordinal in it.
///
/// Batch times are strictly increasing within a group, so the time names the batch. A command
/// that makes `n` objects takes `n` ordinals (at least one, so that every command has a position).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
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

impl Timestamp {
    /// The last moment that fits an identifier.
    pub const MAX: Timestamp = Timestamp((1 << 56) - 1);
}

impl Id {
    const TAG_BITS: u32 = 56;
    const ORDINAL_BITS: u32 = 16;
    const TAG_MASK: u64 = (1 << Id::TAG_BITS) - 1;

    /// Puts an identifier together; bits that do not fit their part are cut off.
    pub const fn new(time: Timestamp, ordinal: u16, tag: u64) -> Id {
        let time = (time.0 & Timestamp::MAX.0) as u128;
        Id(time << (Id::TAG_BITS + Id::ORDINAL_BITS)
            | (ordinal as u128) << Id::TAG_BITS
            | (tag & Id::TAG_MASK) as u128)
    }

    /// When it was made and where in its batch.
    pub const fn position(self) -> Position {
        Position {
            time: Timestamp((self.0 >> (Id::TAG_BITS + Id::ORDINAL_BITS)) as u64),
            ordinal: (self.0 >> Id::TAG_BITS) as u16,
        }
    }

    /// Taken from its owner.
    pub const fn tag(self) -> u64 {
        self.0 as u64 & Id::TAG_MASK
    }
}

impl Position {
    /// The identifier of what was made here for that ledger.
    pub fn id(self, ledger: LedgerId) -> Id {
        Id::new(self.time, self.ordinal, ledger.tag())
    }
}

impl LedgerId {
    /// What all identifiers of this ledger end with: 56 bits of the BLAKE3 hash of its owner.
    pub fn tag(self) -> u64 {
        let [a, b, c, d, e, f, g, ..] = self.hash();
        u64::from_le_bytes([a, b, c, d, e, f, g, 0])
    }

    /// BLAKE3 of partner and mode.
    pub(crate) fn hash(self) -> [u8; 32] {
        let mut bytes = [0; 17];
        let (partner, mode) = bytes.split_at_mut(16);
        partner.copy_from_slice(&self.partner.0.to_le_bytes());
        mode.fill(self.mode as u8);
        *blake3::hash(&bytes).as_bytes()
    }
}
