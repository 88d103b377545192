//! How commands and batches are written as bytes.

use super::{Command, Envelope, Once};
use crate::id::{LedgerId, Timestamp};
use crate::limits;

/// The first byte of a batch.
const BATCH_VERSION: u8 = 1;

/// The first byte of an envelope.
const ENVELOPE_VERSION: u8 = 1;

/// Version, time and count.
const HEADER: usize = 1 + 8 + 4;

/// Which variant of [`Command`] `CreateTransfers` is: the only one that takes several ordinals.
const CREATE_TRANSFERS: u32 = 2;

/// These bytes are no batch or no envelope that this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed or of an unknown version")]
pub struct Malformed;

/// There is no room for another command in this batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch is full")]
pub struct BatchFull;

/// Writes an envelope; done once, by whoever parsed the request.
pub fn encode_envelope(envelope: &Envelope) -> Vec<u8> {
    write(envelope, vec![ENVELOPE_VERSION])
}

/// Reads an envelope. Any bytes may come; what is returned keeps every rule of its form.
pub fn decode_envelope(bytes: &[u8]) -> Result<Envelope, Malformed> {
    let body = versioned(bytes)?;
    let (envelope, rest) = postcard::take_from_bytes::<Envelope>(body).map_err(|_| Malformed)?;
    let well_formed = match &envelope.command {
        Command::CreateAccount(account) => account.overdraft_limit >= 0,
        Command::CreateTransfers { transfers, .. } => {
            (1..=limits::TRANSFERS_PER_COMMAND).contains(&transfers.len())
        }
        _ => true,
    };
    if rest.is_empty() && well_formed {
        Ok(envelope)
    } else {
        Err(Malformed)
    }
}

/// Whose books an encoded envelope is about and what makes it happen once, without its command.
pub fn decode_head(bytes: &[u8]) -> Result<(LedgerId, Option<Once>), Malformed> {
    postcard::take_from_bytes(versioned(bytes)?)
        .map(|(head, _)| head)
        .map_err(|_| Malformed)
}

/// How many ordinals an encoded envelope takes; 1 if it is malformed.
fn ordinals(bytes: &[u8]) -> usize {
    type Head = (LedgerId, Option<Once>);
    let transfers = || -> Option<u64> {
        let body = versioned(bytes).ok()?;
        let (_, rest) = postcard::take_from_bytes::<Head>(body).ok()?;
        let (variant, rest) = postcard::take_from_bytes::<u32>(rest).ok()?;
        if variant != CREATE_TRANSFERS {
            return None;
        }
        let ((_atomic, count), _) = postcard::take_from_bytes::<(bool, u64)>(rest).ok()?;
        Some(count)
    };
    match transfers().and_then(|count| usize::try_from(count).ok()) {
        Some(count) if count <= limits::TRANSFERS_PER_COMMAND => count.max(1),
        _ => 1,
    }
}

fn versioned(bytes: &[u8]) -> Result<&[u8], Malformed> {
    match bytes.split_first() {
        Some((&ENVELOPE_VERSION, body)) => Ok(body),
        _ => Err(Malformed),
    }
}

/// Appends by postcard. It can only fail for want of room or for maps of unknown length, and a
/// vector has room and there are no such maps.
pub(crate) fn write<T: serde::Serialize>(value: &T, to: Vec<u8>) -> Vec<u8> {
    match postcard::to_extend(value, to) {
        Ok(bytes) => bytes,
        Err(error) => unreachable!("encoding cannot fail: {error}"),
    }
}

/// Puts envelopes, encoded already, into a batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
    ordinals: usize,
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> BatchBuilder {
        BatchBuilder {
            bytes: vec![0; HEADER],
            count: 0,
            ordinals: 0,
        }
    }

    /// Adds an encoded envelope; its answer will have the same place among the decisions.
    pub fn push(&mut self, envelope: &[u8]) -> Result<(), BatchFull> {
        let ordinals = self.ordinals + ordinals(envelope);
        let length = u32::try_from(envelope.len()).map_err(|_| BatchFull)?;
        if ordinals > limits::ORDINALS_PER_BATCH {
            return Err(BatchFull);
        }
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(envelope);
        self.ordinals = ordinals;
        self.count += 1;
        Ok(())
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
    pub fn finish(mut self, time: Timestamp) -> Vec<u8> {
        let header = [BATCH_VERSION]
            .into_iter()
            .chain(time.0.to_le_bytes())
            .chain(self.count.to_le_bytes());
        for (place, byte) in self.bytes.iter_mut().zip(header) {
            *place = byte;
        }
        self.bytes
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
    pub fn decode(bytes: &'a [u8]) -> Result<BatchView<'a>, Malformed> {
        let (&version, rest) = bytes.split_first().ok_or(Malformed)?;
        let (time, rest) = rest.split_first_chunk().ok_or(Malformed)?;
        let (count, frames) = rest.split_first_chunk().ok_or(Malformed)?;
        let view = BatchView {
            time: Timestamp(u64::from_le_bytes(*time)),
            count: u32::from_le_bytes(*count) as usize,
            frames,
        };
        if version != BATCH_VERSION || view.count > limits::ORDINALS_PER_BATCH {
            return Err(Malformed);
        }
        let mut envelopes = view.envelopes();
        let whole = envelopes.by_ref().count() == view.count;
        if whole && envelopes.rest.is_empty() {
            Ok(view)
        } else {
            Err(Malformed)
        }
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
    pub fn envelopes(&self) -> Envelopes<'a> {
        Envelopes { rest: self.frames }
    }
}

/// The encoded envelopes of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Envelopes<'a> {
    rest: &'a [u8],
}

impl Envelopes<'_> {
    /// Of no batch.
    pub(crate) fn none() -> Self {
        Envelopes { rest: &[] }
    }
}

impl<'a> Iterator for Envelopes<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk()?;
        let (envelope, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.rest = rest;
        Some(envelope)
    }
}
