//! One record: a header of 72 bytes that says what it is and where it belongs, then its body.
//!
//! ```text
//!  0 magic u32     4 version u8   5 kind u8   6 flags u16
//!  8 group u32    12 body length u32
//! 16 segment u64  24 round u64
//! 32 term u64     40 index u64
//! 48 offset of this header in the segment u32     52 offset of its round u32
//! 56 length of its round u32                      60 header checksum of the record before u32
//! 64 body checksum u32                            68 header checksum u32
//! ```
//!
//! All numbers are little-endian, checksums are CRC-32C. A record's header checksum covers its body
//! checksum and the header checksum of the record before it, so the records of the whole log form
//! a chain. Segment and offset are the place it belongs to: a record found elsewhere is not valid.

use super::limits::SECTOR;
use crate::position::LogPosition;
use florin_failpoints::mutant;
use std::ops::Range;

/// The length of a header.
pub(super) const HEADER: usize = 72;
/// The format that this code writes.
pub(super) const VERSION: u8 = 1;
const MAGIC: u32 = u32::from_le_bytes(*b"FlWL");
const FLAG_LAST: u16 = 1;
const FLAG_NO_POSITION: u16 = 2;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The state of all groups at the start of a segment. Its index is the segment's length.
    Summary = 1,
    /// An entry at its position; the body is the payload.
    Entry = 2,
    /// The body is the group's vote.
    Vote = 3,
    /// The entries after the position are dropped; without one, all of them.
    Truncate = 4,
    /// The entries up to and with the position are dropped.
    Purge = 5,
    /// The group begins, empty.
    Create = 6,
    /// The group is forgotten.
    Remove = 7,
    /// Nothing; whatever came before it was durable.
    Seal = 8,
    /// The entry at its position again, whole: its first record is damaged.
    Mend = 9,
}

impl Kind {
    fn parse(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Summary,
            2 => Kind::Entry,
            3 => Kind::Vote,
            4 => Kind::Truncate,
            5 => Kind::Purge,
            6 => Kind::Create,
            7 => Kind::Remove,
            8 => Kind::Seal,
            9 => Kind::Mend,
            _ => return None,
        })
    }
}

/// A record's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Whether it is the last record of its round.
    pub(super) last: bool,
    pub(super) group: u32,
    pub(super) body_len: u32,
    pub(super) segment: u64,
    pub(super) round: u64,
    pub(super) position: Option<LogPosition>,
    pub(super) offset: u32,
    pub(super) round_start: u32,
    pub(super) round_len: u32,
    pub(super) previous: u32,
    pub(super) body_crc: u32,
    /// The header's own checksum; written by [`Header::encode`].
    pub(super) crc: u32,
}

/// Why there is no header at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// The bytes are not a whole header.
    Broken,
    /// It is whole, of a format that this code does not know.
    Version(u8),
}

impl Header {
    /// Writes the header over the first bytes of `out` and returns its checksum.
    pub(super) fn encode(&self, out: &mut [u8]) -> u32 {
        let mut flags = 0;
        if self.last {
            flags |= FLAG_LAST;
        }
        if self.position.is_none() {
            flags |= FLAG_NO_POSITION;
        }
        let position = self.position.unwrap_or_default();
        let mut bytes = [0; HEADER];
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &[VERSION, self.kind as u8]);
        put(&mut bytes, 6, &flags.to_le_bytes());
        put(&mut bytes, 8, &self.group.to_le_bytes());
        put(&mut bytes, 12, &self.body_len.to_le_bytes());
        put(&mut bytes, 16, &self.segment.to_le_bytes());
        put(&mut bytes, 24, &self.round.to_le_bytes());
        put(&mut bytes, 32, &position.term.to_le_bytes());
        put(&mut bytes, 40, &position.index.to_le_bytes());
        put(&mut bytes, 48, &self.offset.to_le_bytes());
        put(&mut bytes, 52, &self.round_start.to_le_bytes());
        put(&mut bytes, 56, &self.round_len.to_le_bytes());
        put(&mut bytes, 60, &self.previous.to_le_bytes());
        put(&mut bytes, 64, &self.body_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..HEADER - 4]);
        put(&mut bytes, HEADER - 4, &crc.to_le_bytes());
        put(out, 0, &bytes);
        crc
    }

    /// Reads the header at the start of `bytes`. Its checksum is verified, its place is not.
    pub(super) fn decode(bytes: &[u8]) -> Result<Header, NoHeader> {
        let bytes = bytes.get(..HEADER).ok_or(NoHeader::Broken)?;
        let crc = u32_at(bytes, 68);
        let whole = crc32c::crc32c(&bytes[..HEADER - 4]) == crc || mutant!("checksums-off");
        if u32_at(bytes, 0) != MAGIC || !whole {
            return Err(NoHeader::Broken);
        }
        if bytes[4] != VERSION {
            return Err(NoHeader::Version(bytes[4]));
        }
        let flags = u16::from_le_bytes([bytes[6], bytes[7]]);
        let position = LogPosition {
            term: u64_at(bytes, 32),
            index: u64_at(bytes, 40),
        };
        Ok(Header {
            kind: Kind::parse(bytes[5]).ok_or(NoHeader::Version(bytes[4]))?,
            last: flags & FLAG_LAST != 0,
            group: u32_at(bytes, 8),
            body_len: u32_at(bytes, 12),
            segment: u64_at(bytes, 16),
            round: u64_at(bytes, 24),
            position: (flags & FLAG_NO_POSITION == 0).then_some(position),
            offset: u32_at(bytes, 48),
            round_start: u32_at(bytes, 52),
            round_len: u32_at(bytes, 56),
            previous: u32_at(bytes, 60),
            body_crc: u32_at(bytes, 64),
            crc,
        })
    }

    /// Where the body lies in the segment.
    pub(super) fn body(&self) -> Range<usize> {
        let start = self.offset as usize + HEADER;
        start..start + self.body_len as usize
    }
}

/// The room that a record takes in its round.
pub(super) fn record_len(body: usize) -> usize {
    (HEADER + body).next_multiple_of(8)
}

/// The sectors that the bytes of `range` lie in, as a byte range.
pub(super) fn sectors(range: Range<usize>) -> Range<usize> {
    range.start / SECTOR * SECTOR..range.end.next_multiple_of(SECTOR)
}

/// Whether all bytes are zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    let mut chunks = bytes.chunks_exact(64);
    chunks.by_ref().all(|chunk| *chunk == [0; 64])
        && chunks.remainder().iter().all(|byte| *byte == 0)
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Entry,
            last: true,
            group: 7,
            body_len: 200,
            segment: 3,
            round: 99,
            position: Some(LogPosition { term: 5, index: 6 }),
            offset: 1_096,
            round_start: 1_024,
            round_len: 512,
            previous: 0xdead_beef,
            body_crc: 1,
            crc: 0,
        }
    }

    #[test]
    fn headers_come_back() {
        let mut bytes = [0; HEADER];
        let mut written = header();
        written.crc = written.encode(&mut bytes);
        assert_eq!(Header::decode(&bytes), Ok(written.clone()));
        written.position = None;
        written.last = false;
        written.crc = written.encode(&mut bytes);
        assert_eq!(Header::decode(&bytes), Ok(written));
    }

    #[test]
    fn no_flipped_bit_and_no_shorter_header_is_whole() {
        let mut bytes = [0; HEADER];
        header().encode(&mut bytes);
        for bit in 0..HEADER * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bytes), Err(NoHeader::Broken), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..HEADER {
            assert_eq!(Header::decode(&bytes[..length]), Err(NoHeader::Broken));
        }
    }

    #[test]
    fn a_header_of_a_later_format_is_told_from_a_broken_one() {
        let mut bytes = [0; HEADER];
        header().encode(&mut bytes);
        bytes[4] = VERSION + 1;
        let crc = crc32c::crc32c(&bytes[..HEADER - 4]).to_le_bytes();
        bytes[HEADER - 4..].copy_from_slice(&crc);
        assert_eq!(Header::decode(&bytes), Err(NoHeader::Version(VERSION + 1)));
    }

    #[test]
    fn sectors_and_zeros() {
        assert_eq!(sectors(511..513), 0..1_024);
        assert_eq!(sectors(512..1_024), 512..1_024);
        assert!(is_zero(&[]) && is_zero(&[0; 200]));
        for at in [0, 63, 64, 199] {
            let mut bytes = [0; 200];
            bytes[at] = 1;
            assert!(!is_zero(&bytes), "{at}");
        }
    }
}
