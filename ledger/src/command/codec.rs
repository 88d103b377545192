//! How commands and batches are written as bytes.

use super::Envelope;
use crate::id::Timestamp;
use crate::limits;

/// The first byte of a batch.
const BATCH_VERSION: u8 = 1;

/// The first byte of an envelope.
const ENVELOPE_VERSION: u8 = 1;

/// These bytes are no batch or no envelope that this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed or of an unknown version")]
pub struct Malformed;

/// There is no room for another command in this batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch is full")]
pub struct BatchFull;

/// Writes an envelope; done once, by whoever parsed the request.
pub fn encode_envelope(_envelope: &Envelope) -> Vec<u8> {
    todo!()
}

/// Reads an envelope. Any bytes may come; what is returned keeps every rule of its form.
pub fn decode_envelope(_bytes: &[u8]) -> Result<Envelope, Malformed> {
    todo!()
}

/// Puts envelopes, encoded already, into a batch.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> BatchBuilder {
        todo!()
    }

    /// Adds an encoded envelope; its answer will have the same place among the decisions.
    pub fn push(&mut self, _envelope: &[u8]) -> Result<(), BatchFull> {
        todo!()
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// None are in.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How long the batch is by now.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The batch, stamped with the leader's clock.
    pub fn finish(self, _time: Timestamp) -> Vec<u8> {
        todo!()
    }
}

/// A batch as bytes, its frame checked.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    time: Timestamp,
    count: usize,
    frames: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Checks the frame, not the envelopes.
    pub fn decode(_bytes: &'a [u8]) -> Result<BatchView<'a>, Malformed> {
        let _ = (limits::ORDINALS_PER_BATCH, BATCH_VERSION, ENVELOPE_VERSION);
        todo!()
    }

    /// The leader's clock.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// How many envelopes there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The encoded envelopes in order.
    pub fn envelopes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let _ = self.frames;
        std::iter::empty()
    }
}
