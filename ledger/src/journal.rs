//! The journal: one immutable record per batch, from which everything can be built again.
//!
//! Layout: version (1 byte), time (8 bytes, little endian), the hash of the record before
//! (32 bytes), the record's own BLAKE3 hash (32 bytes, of everything but itself), the length of the
//! batch (4 bytes, little endian) and the batch as it was proposed, the number of expired
//! transfers (4 bytes) and for each its ledger and number (33 bytes), then for each command of the batch what
//! was decided, by postcard.

use crate::command::{BatchView, Command, Envelope, Envelopes, Malformed, write};
use crate::effect::{Decision, Effect};
use crate::id::{Id, LedgerId, Mode, Position, Timestamp};
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

/// The first byte of a record.
const VERSION: u8 = 1;

/// Where its own hash begins and ends.
const HASH: std::ops::Range<usize> = 41..73;

/// A ledger and a number.
const EXPIRED: usize = 33;

/// [`Entry`] as it is written.
#[derive(Serialize)]
enum EntryRef<'a> {
    Decided(&'a Effect),
    Replayed(Position),
}

/// Writes a record; its hash comes with it.
pub fn encode_record(
    time: Timestamp,
    batch: &[u8],
    decisions: &[Decision],
    expired: &[(LedgerId, Id)],
    previous: [u8; 32],
) -> (Vec<u8>, [u8; 32]) {
    let size = HASH.end + 8 + batch.len() + expired.len() * EXPIRED + decisions.len() * 24;
    let mut bytes = Vec::with_capacity(size);
    bytes.push(VERSION);
    bytes.extend_from_slice(&time.0.to_le_bytes());
    bytes.extend_from_slice(&previous);
    bytes.resize(HASH.end, 0);
    bytes.extend_from_slice(&(batch.len() as u32).to_le_bytes());
    bytes.extend_from_slice(batch);
    bytes.extend_from_slice(&(expired.len() as u32).to_le_bytes());
    for (ledger, id) in expired {
        bytes.extend_from_slice(&ledger.partner.0.to_le_bytes());
        bytes.push(ledger.mode as u8);
        bytes.extend_from_slice(&id.0.to_le_bytes());
    }
    for decision in decisions {
        let entry = if decision.replayed {
            EntryRef::Replayed(decision.position)
        } else {
            EntryRef::Decided(&decision.effect)
        };
        bytes = write(&entry, bytes);
    }
    let hash = hash_of(&bytes);
    if let Some(place) = bytes.get_mut(HASH) {
        place.copy_from_slice(&hash);
    }
    (bytes, hash)
}

/// BLAKE3 of everything but the hash itself.
fn hash_of(record: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(record.get(..HASH.start).unwrap_or_default());
    hasher.update(record.get(HASH.end..).unwrap_or_default());
    *hasher.finalize().as_bytes()
}

/// A record that is read where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    bytes: &'a [u8],
    time: Timestamp,
    previous: [u8; 32],
    hash: [u8; 32],
    batch: &'a [u8],
    expired: &'a [u8],
    entries: &'a [u8],
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

    fn ordinals(&self) -> usize {
        match &self.entry {
            Entry::Decided(effect) => effect.ordinals(),
            Entry::Replayed(_) => 1,
        }
    }
}

impl<'a> Record<'a> {
    /// Reads a record and verifies its hash.
    pub fn decode(bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        let record = Record::decode_trusted(bytes)?;
        if hash_of(bytes) == record.hash {
            Ok(record)
        } else {
            Err(RecordError::Hash)
        }
    }

    /// Reads a record that something else vouches for: a checksum of the store's, or its memory.
    pub fn decode_trusted(bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        Record::parts(bytes).ok_or(RecordError::Malformed)
    }

    fn parts(bytes: &'a [u8]) -> Option<Record<'a>> {
        let (&version, rest) = bytes.split_first()?;
        let (time, rest) = rest.split_first_chunk()?;
        let (previous, rest) = rest.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (batch, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let (count, rest) = rest.split_first_chunk()?;
        let length = (u32::from_le_bytes(*count) as usize).checked_mul(EXPIRED)?;
        let (expired, entries) = rest.split_at_checked(length)?;
        let record = Record {
            bytes,
            time: Timestamp(u64::from_le_bytes(*time)),
            previous: *previous,
            hash: *hash,
            batch,
            expired,
            entries,
        };
        (version == VERSION).then_some(record)
    }

    /// The record as it is stored.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The group's time when it was applied; the record's key.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The hash of the record before; zeros in the first.
    pub fn previous(&self) -> [u8; 32] {
        self.previous
    }

    /// Its own hash.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The batch as it was proposed.
    pub fn batch(&self) -> &'a [u8] {
        self.batch
    }

    /// The pending transfers that expired before the first command.
    pub fn expired(&self) -> Vec<(LedgerId, Id)> {
        let read = |bytes: &[u8]| {
            let (partner, rest) = bytes.split_first_chunk()?;
            let (&mode, rest) = rest.split_first()?;
            let (id, _) = rest.split_first_chunk()?;
            let mode = if mode == Mode::Live as u8 {
                Mode::Live
            } else {
                Mode::Test
            };
            let partner = Id(u128::from_le_bytes(*partner));
            Some((LedgerId { partner, mode }, Id(u128::from_le_bytes(*id))))
        };
        self.expired
            .chunks_exact(EXPIRED)
            .filter_map(read)
            .collect()
    }

    /// The commands in order. Ends early where bytes are damaged, which the hash excludes.
    pub fn lines(&self) -> Lines<'a> {
        let envelopes = BatchView::decode(self.batch);
        Lines {
            time: self.time,
            ordinal: 0,
            envelopes: envelopes.map_or(Envelopes::none(), |view| view.envelopes()),
            entries: self.entries,
        }
    }

    /// The effect of the command at exactly this ordinal; none where a replay stands.
    pub fn effect(&self, ordinal: u16) -> Option<Effect> {
        let line = self.line(ordinal)?;
        match line.entry {
            Entry::Decided(effect) if line.position.ordinal == ordinal => Some(effect),
            _ => None,
        }
    }

    /// The transfer that was made at this ordinal, as it was made. A payment's or refund's own
    /// transfer is not one of them.
    pub fn transfer(&self, ledger: LedgerId, ordinal: u16) -> Option<Transfer> {
        let (command, effect, place) = self.decided(ledger, ordinal)?;
        let id = self.id(ledger, ordinal);
        match (command, effect) {
            (Command::CreateTransfer(new), Effect::TransferCreated) => {
                Some(Transfer::made(new, id))
            }
            (Command::CreateTransfers { transfers, .. }, Effect::TransfersCreated(refusals)) => {
                let made = refusals.get(place)?.is_none();
                let new = transfers.into_iter().nth(place)?;
                made.then(|| Transfer::made(new, id))
            }
            (Command::ReverseTransfer { .. }, Effect::Transfer(reversed)) => reversed.reversal(),
            _ => None,
        }
    }

    /// The payment that was made at this ordinal, as it was made.
    pub fn payment(&self, ledger: LedgerId, ordinal: u16) -> Option<Payment> {
        match self.decided(ledger, ordinal)? {
            (Command::CreatePayment(new), Effect::PaymentCreated { destination, .. }, _) => {
                Some(Payment::made(new, self.id(ledger, ordinal), destination))
            }
            _ => None,
        }
    }

    /// The refund that was made at this ordinal.
    pub fn refund(&self, ledger: LedgerId, ordinal: u16) -> Option<Refund> {
        match self.decided(ledger, ordinal)? {
            (_, Effect::Refund(refund), _) => Some(*refund),
            _ => None,
        }
    }

    fn id(&self, ledger: LedgerId, ordinal: u16) -> Id {
        Position {
            time: self.time,
            ordinal,
        }
        .id(ledger)
    }

    /// The command that took this ordinal.
    fn line(&self, ordinal: u16) -> Option<Line<'a>> {
        let line = self.lines().find(|line| {
            usize::from(ordinal) < usize::from(line.position.ordinal) + line.ordinals()
        });
        line.filter(|line| line.position.ordinal <= ordinal)
    }

    /// The command of that ledger that took this ordinal, what was decided, and which of the
    /// command's ordinals it is.
    fn decided(&self, ledger: LedgerId, ordinal: u16) -> Option<(Command, Effect, usize)> {
        let line = self.line(ordinal)?;
        let envelope = line.decode().ok()?;
        let place = usize::from(ordinal - line.position.ordinal);
        match line.entry {
            Entry::Decided(effect) if envelope.ledger == ledger => {
                Some((envelope.command, effect, place))
            }
            _ => None,
        }
    }
}

/// The commands of a record, in order.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    time: Timestamp,
    ordinal: usize,
    envelopes: Envelopes<'a>,
    entries: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let ordinal = u16::try_from(self.ordinal).ok()?;
        let envelope = self.envelopes.next()?;
        let (entry, rest) = postcard::take_from_bytes(self.entries).ok()?;
        let position = Position {
            time: self.time,
            ordinal,
        };
        let line = Line {
            position,
            envelope,
            entry,
        };
        self.ordinal += line.ordinals();
        self.entries = rest;
        Some(line)
    }
}
