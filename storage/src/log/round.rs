//! A round: the records that are written with one write and made durable with one sync.

use super::limits::SECTOR;
use super::record::{HEADER, Header, Kind, record_len};
use crate::position::LogPosition;
use florin_ledger::id::GroupId;

/// Where a round goes and what it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tip {
    /// The segment's number.
    pub(super) segment: u64,
    /// The offset in it, a multiple of the sector.
    pub(super) offset: u64,
    /// The number of the next round.
    pub(super) round: u64,
    /// The header checksum of the last record.
    pub(super) chain: u32,
}

/// Collects records in one buffer that is used again for every round.
#[derive(Debug, Default)]
pub(super) struct Round {
    bytes: Vec<u8>,
    records: Vec<Draft>,
}

#[derive(Debug)]
struct Draft {
    at: usize,
    kind: Kind,
    group: GroupId,
    position: Option<LogPosition>,
    body_len: usize,
    body_crc: u32,
}

impl Round {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// The bytes that the records take so far, without padding.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no record.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a record and returns its offset in the round.
    pub(super) fn push(
        &mut self,
        kind: Kind,
        group: GroupId,
        position: Option<LogPosition>,
        body: &[u8],
    ) -> usize {
        let at = self.bytes.len();
        self.bytes.resize(at + HEADER, 0);
        self.bytes.extend_from_slice(body);
        self.bytes.resize(at + record_len(body.len()), 0);
        self.records.push(Draft {
            at,
            kind,
            group,
            position,
            body_len: body.len(),
            body_crc: crc32c::crc32c(body),
        });
        at
    }

    /// Pads the round, writes the headers for its place at `tip`, and returns the bytes with the
    /// tip after it.
    pub(super) fn finish(&mut self, tip: Tip) -> (&[u8], Tip) {
        let length = self.bytes.len().next_multiple_of(SECTOR);
        self.bytes.resize(length, 0);
        let count = self.records.len();
        let mut previous = tip.chain;
        for (number, draft) in self.records.iter().enumerate() {
            let header = Header {
                kind: draft.kind,
                last: number + 1 == count,
                group: draft.group.0,
                body_len: narrow(draft.body_len),
                segment: tip.segment,
                round: tip.round,
                position: draft.position,
                offset: narrow(tip.offset as usize + draft.at),
                round_start: narrow(tip.offset as usize),
                round_len: narrow(length),
                previous,
                body_crc: draft.body_crc,
                crc: 0,
            };
            previous = header.encode(&mut self.bytes[draft.at..]);
        }
        let after = Tip {
            segment: tip.segment,
            offset: tip.offset + length as u64,
            round: tip.round + 1,
            chain: previous,
        };
        (&self.bytes, after)
    }
}

/// Offsets and lengths fit in 32 bits because segments are at most 1 GiB.
fn narrow(number: usize) -> u32 {
    assert!(number <= super::limits::SEGMENT_BYTES_MAX as usize);
    number as u32
}
