//! Several entries, or several identifiers, in one value.
//!
//! Each is written as its difference from the one before: a posted entry takes about 10 bytes, an
//! identifier about 5. A chunk begins from zero, so that it is read without the ones before.
//!
//! An entry: kind (bits 0 to 2), side (bit 3), another tag (bit 4), made at another time than the
//! entry (bit 5); how each total changed (2 bits each: not, by the amount, by minus the amount,
//! otherwise); time, ordinal, tag, transfer's time, amount, totals where they are needed.
//! An identifier: its time shifted by one, and whether the tag is another; ordinal; tag.

use super::error::BackendError;
use super::limits::CHUNK_BYTES;
use super::numbers::{Numbers, put, put_signed};
use florin_ledger::id::{Id, Timestamp};
use florin_ledger::object::{Entry, EntryKind, Side, Totals};
use std::ops::RangeInclusive;

const CREDIT: u8 = 1 << 3;
const OTHER_TAG: u8 = 1 << 4;
const OTHER_TIME: u8 = 1 << 5;

/// Entries of one account, whose sequences grow by one: cut into chunks by their first sequence
/// as they come, so that what waits to be written takes little memory and is written as it is.
#[derive(Default)]
pub(super) struct EntryChunks {
    chunks: Vec<(u64, Vec<u8>)>,
    last: Option<Last>,
}

/// Of an entry, what the next one is written as a difference from: small, for a payment touches
/// two of them.
#[derive(Clone, Copy)]
pub(super) struct Last {
    pub(super) sequence: u64,
    pub(super) totals: Totals,
    time: Timestamp,
    tag: u64,
}

impl Last {
    fn of(entry: &Entry) -> Last {
        Last {
            sequence: entry.sequence,
            totals: entry.totals,
            time: entry.time,
            tag: entry.transfer.tag(),
        }
    }

    /// What a chunk's first entry differs from.
    fn before(first: u64) -> Last {
        Last {
            sequence: first.wrapping_sub(1),
            totals: Totals::default(),
            time: Timestamp(0),
            tag: Id(0).tag(),
        }
    }
}

impl EntryChunks {
    /// Adds the next one, and says how many bytes it took.
    pub(super) fn push(&mut self, entry: Entry) -> usize {
        if let Some(last) = &self.last {
            assert!(last.sequence + 1 == entry.sequence, "gapless: entries");
        }
        let open = |(_, chunk): &(u64, Vec<u8>)| chunk.len() < CHUNK_BYTES;
        let before = match self.last.replace(Last::of(&entry)) {
            Some(last) if self.chunks.last().is_some_and(open) => last,
            _ => {
                self.chunks.push((entry.sequence, Vec::with_capacity(32)));
                Last::before(entry.sequence)
            }
        };
        let Some((_, chunk)) = self.chunks.last_mut() else {
            unreachable!("there is one that is open");
        };
        let size = chunk.len();
        put_entry(chunk, &before, &entry);
        chunk.len() - size
    }

    /// The sequence of the first one.
    pub(super) fn first(&self) -> Option<u64> {
        self.chunks.first().map(|(first, _)| *first)
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// Each with the sequence of its first entry.
    pub(super) fn chunks(&self) -> &[(u64, Vec<u8>)] {
        &self.chunks
    }

    /// The first entries of a range, or its last ones, in order.
    pub(super) fn read(
        &self,
        range: &RangeInclusive<u64>,
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<Entry>, BackendError> {
        let begin = |of: &u64| self.chunks.partition_point(|(first, _)| first <= of);
        let (from, to) = (begin(range.start()).saturating_sub(1), begin(range.end()));
        let inside = self.chunks.get(from..to).unwrap_or_default();
        let decode = |(first, chunk): &(u64, Vec<u8>)| {
            let mut entries = decode_entries(*first, chunk)?;
            entries.retain(|entry| range.contains(&entry.sequence));
            Ok::<_, BackendError>(entries)
        };
        let mut entries = Vec::new();
        if newest_first {
            for chunk in inside.iter().rev() {
                let mut older = decode(chunk)?;
                older.append(&mut entries);
                entries = older;
                if entries.len() >= limit {
                    break;
                }
            }
            entries.drain(..entries.len().saturating_sub(limit));
        } else {
            for chunk in inside {
                entries.append(&mut decode(chunk)?);
                if entries.len() >= limit {
                    break;
                }
            }
            entries.truncate(limit);
        }
        Ok(entries)
    }
}

/// The entries of a chunk.
pub(super) fn decode_entries(first: u64, chunk: &[u8]) -> Result<Vec<Entry>, BackendError> {
    let mut numbers = Numbers(chunk);
    let mut entries = Vec::with_capacity(chunk.len() / 10 + 1);
    let mut before = Last::before(first);
    while !numbers.is_empty() {
        let entry = take_entry(&mut numbers, &before, first + entries.len() as u64)?;
        before = Last::of(&entry);
        entries.push(entry);
    }
    Ok(entries)
}

/// The time of a chunk's first entry.
pub(super) fn first_time(first: u64, chunk: &[u8]) -> Result<Timestamp, BackendError> {
    Ok(take_entry(&mut Numbers(chunk), &Last::before(first), first)?.time)
}

/// Cuts growing identifiers into chunks by their first one.
pub(super) fn encode_ids(ids: &[Id]) -> Vec<(Id, Vec<u8>)> {
    let mut chunks = Vec::new();
    let mut rest = ids;
    while let Some(first) = rest.first() {
        let mut chunk = Vec::new();
        let mut before = Id(0);
        while let Some((id, tail)) = rest.split_first() {
            if chunk.len() >= CHUNK_BYTES {
                break;
            }
            let (position, last) = (id.position(), before.position());
            let other_tag = id.tag() != before.tag();
            let time = u128::from(position.time.0.saturating_sub(last.time.0));
            put(&mut chunk, time << 1 | u128::from(other_tag));
            put(&mut chunk, u128::from(position.ordinal));
            if other_tag {
                put(&mut chunk, u128::from(id.tag()));
            }
            before = *id;
            rest = tail;
        }
        chunks.push((*first, chunk));
    }
    chunks
}

/// The identifiers of a chunk.
pub(super) fn decode_ids(chunk: &[u8]) -> Result<Vec<Id>, BackendError> {
    let mut numbers = Numbers(chunk);
    let mut ids = Vec::with_capacity(chunk.len() / 5 + 1);
    let mut before = Id(0);
    while !numbers.is_empty() {
        let time = numbers.small()?;
        let ordinal = numbers.small()? as u16;
        let tag = if time & 1 == 1 {
            numbers.small()?
        } else {
            before.tag()
        };
        let time = before.position().time.0.saturating_add(time >> 1);
        let id = Id::new(Timestamp(time), ordinal, tag);
        ids.push(id);
        before = id;
    }
    Ok(ids)
}

fn put_entry(out: &mut Vec<u8>, before: &Last, entry: &Entry) {
    let made = entry.transfer.position();
    let mut head = entry_kind_byte(entry.kind);
    if entry.side == Side::Credit {
        head |= CREDIT;
    }
    if entry.transfer.tag() != before.tag {
        head |= OTHER_TAG;
    }
    if made.time != entry.time {
        head |= OTHER_TIME;
    }
    let changes = totals(&entry.totals)
        .into_iter()
        .zip(totals(&before.totals))
        .map(|(now, then)| now.wrapping_sub(then));
    let mut how = 0;
    for (at, change) in changes.clone().enumerate() {
        how |= change_code(change, entry.amount) << (2 * at);
    }
    out.push(head);
    out.push(how);
    put_signed(out, i128::from(entry.time.0) - i128::from(before.time.0));
    put(out, u128::from(made.ordinal));
    if head & OTHER_TAG != 0 {
        put(out, u128::from(entry.transfer.tag()));
    }
    if head & OTHER_TIME != 0 {
        put_signed(out, i128::from(entry.time.0) - i128::from(made.time.0));
    }
    put_signed(out, entry.amount);
    for change in changes {
        if change_code(change, entry.amount) == 3 {
            put_signed(out, change);
        }
    }
}

fn take_entry(
    numbers: &mut Numbers<'_>,
    before: &Last,
    sequence: u64,
) -> Result<Entry, BackendError> {
    let (head, how) = (numbers.byte()?, numbers.byte()?);
    let time = time_from(i128::from(before.time.0).wrapping_add(numbers.signed()?))?;
    let ordinal = numbers.small()? as u16;
    let tag = if head & OTHER_TAG != 0 {
        numbers.small()?
    } else {
        before.tag
    };
    let made = if head & OTHER_TIME != 0 {
        time_from(i128::from(time.0).wrapping_sub(numbers.signed()?))?
    } else {
        time
    };
    let amount = numbers.signed()?;
    let mut now = totals(&before.totals);
    for (at, total) in now.iter_mut().enumerate() {
        *total = total.wrapping_add(match how >> (2 * at) & 3 {
            0 => 0,
            1 => amount,
            2 => amount.wrapping_neg(),
            _ => numbers.signed()?,
        });
    }
    let [
        debits_posted,
        credits_posted,
        debits_pending,
        credits_pending,
    ] = now;
    Ok(Entry {
        sequence,
        transfer: Id::new(made, ordinal, tag),
        time,
        kind: entry_kind(head & 7)?,
        side: if head & CREDIT != 0 {
            Side::Credit
        } else {
            Side::Debit
        },
        amount,
        totals: Totals {
            debits_posted,
            credits_posted,
            debits_pending,
            credits_pending,
        },
    })
}

fn totals(totals: &Totals) -> [i128; 4] {
    [
        totals.debits_posted,
        totals.credits_posted,
        totals.debits_pending,
        totals.credits_pending,
    ]
}

fn change_code(change: i128, amount: i128) -> u8 {
    if change == 0 {
        0
    } else if change == amount {
        1
    } else if change == amount.wrapping_neg() {
        2
    } else {
        3
    }
}

fn time_from(time: i128) -> Result<Timestamp, BackendError> {
    u64::try_from(time)
        .map(Timestamp)
        .map_err(|_| BackendError::Damaged(format!("the time {time}")))
}

fn entry_kind_byte(kind: EntryKind) -> u8 {
    match kind {
        EntryKind::Posted => 0,
        EntryKind::Pending => 1,
        EntryKind::PendingPosted => 2,
        EntryKind::PendingVoided => 3,
        EntryKind::PendingExpired => 4,
    }
}

fn entry_kind(byte: u8) -> Result<EntryKind, BackendError> {
    match byte {
        0 => Ok(EntryKind::Posted),
        1 => Ok(EntryKind::Pending),
        2 => Ok(EntryKind::PendingPosted),
        3 => Ok(EntryKind::PendingVoided),
        4 => Ok(EntryKind::PendingExpired),
        other => Err(BackendError::Damaged(format!("the entry kind {other}"))),
    }
}
