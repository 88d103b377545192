//! The journal: one immutable record per batch, from which everything can be built again.
//!
//! Layout: version (1 byte), time (8 bytes, little endian), the hash of the record before
//! (32 bytes), the record's own BLAKE3 hash (32 bytes, of everything but itself), the length of the
//! batch (4 bytes, little endian) and the batch as it was proposed, the number of expired
//! transfers (4 bytes) and for each its ledger and number (33 bytes), then for each command of the batch what
//! was decided, by postcard.

use crate::command::{Envelope, Malformed};
use crate::effect::{Decision, Effect};
use crate::id::{Id, LedgerId, Position, Timestamp};
use crate::object::{Payment, Refund, Transfer};
use serde::{Deserialize, Serialize};

/// What was decided about a command, as the journal says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Decided here.
    Decided(Effect),
    /// The key was known: it was decided there.
    Replayed(Position),
}

/// Why bytes are no journal record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another version, or cut short, or too long.
    #[error("not a journal record of this version")]
    Malformed,
    /// Its hash is not that of its bytes.
    #[error("the journal record was changed after it was written")]
    Hash,
}

/// Writes a record; its hash comes with it.
pub fn encode_record(
    _time: Timestamp,
    _batch: &[u8],
    _decisions: &[Decision],
    _expired: &[(LedgerId, Id)],
    _previous: [u8; 32],
) -> (Vec<u8>, [u8; 32]) {
    todo!()
}

/// A record that is read where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    bytes: &'a [u8],
}

/// One command of a record.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Where it stands: its first ordinal.
    pub position: Position,
    /// The encoded envelope.
    pub envelope: &'a [u8],
    /// What was decided.
    pub entry: Entry,
}

impl Line<'_> {
    /// The command. An error for what was refused as malformed.
    pub fn decode(&self) -> Result<Envelope, Malformed> {
        crate::command::decode_envelope(self.envelope)
    }
}

impl<'a> Record<'a> {
    /// Reads a record and verifies its hash.
    pub fn decode(_bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        todo!()
    }

    /// Reads a record that something else vouches for: a checksum of the store's, or its memory.
    pub fn decode_trusted(_bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        todo!()
    }

    /// The group's time when it was applied; the record's key.
    pub fn time(&self) -> Timestamp {
        todo!()
    }

    /// The hash of the record before; zeros in the first.
    pub fn previous(&self) -> [u8; 32] {
        todo!()
    }

    /// Its own hash.
    pub fn hash(&self) -> [u8; 32] {
        todo!()
    }

    /// The batch as it was proposed.
    pub fn batch(&self) -> &'a [u8] {
        self.bytes
    }

    /// The pending transfers that expired before the first command.
    pub fn expired(&self) -> Vec<(LedgerId, Id)> {
        todo!()
    }

    /// The commands in order. Ends early where bytes are damaged, which the hash excludes.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        std::iter::empty()
    }

    /// The effect of the command at exactly this ordinal; none where a replay stands.
    pub fn effect(&self, _ordinal: u16) -> Option<Effect> {
        todo!()
    }

    /// The transfer that was made at this ordinal, as it was made. A payment's or refund's own
    /// transfer is not one of them.
    pub fn transfer(&self, _ledger: LedgerId, _ordinal: u16) -> Option<Transfer> {
        todo!()
    }

    /// The payment that was made at this ordinal, as it was made.
    pub fn payment(&self, _ledger: LedgerId, _ordinal: u16) -> Option<Payment> {
        todo!()
    }

    /// The refund that was made at this ordinal.
    pub fn refund(&self, _ledger: LedgerId, _ordinal: u16) -> Option<Refund> {
        todo!()
    }
}
