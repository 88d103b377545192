//! Reads the rounds of one segment, in order, and judges the first one that is not whole.
//!
//! A round is written with one write and nothing follows it before its sync has returned. So a
//! crash can leave at most one round unfinished, the last one, and what is missing of it are whole
//! sectors that still hold zeros: [`Fault::Torn`]. It was never acknowledged, and all of it goes.
//! Everything else is damage: bad bytes with a later round after them, or bad bytes in the
//! last round where every sector has been written.

use super::limits::SECTOR;
use super::record::{HEADER, Header, Kind, NoHeader, is_zero, record_len, sectors};
use super::round::Tip;
use florin_failpoints::mutant;
use std::ops::Range;

/// One record whose header is whole.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) header: Header,
    pub(super) body: Range<usize>,
    /// Whether the body's checksum holds.
    pub(super) whole: bool,
}

/// What stands at the place of the next round.
#[derive(Debug)]
pub(super) enum Next {
    /// Zeros up to the end of the segment.
    Nothing,
    /// A round whose headers are whole, with the note to write about it.
    Round(Vec<Found>, Option<String>),
    /// No round.
    Fault(Fault),
}

/// Why there is no round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// An unfinished round; the bytes from its start that are not zero.
    Torn(u64),
    /// Damage at this offset.
    Damage(u64, String),
}

/// A segment's bytes and the place in them.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    pub(super) tip: Tip,
    /// Whether all later segments hold nothing.
    last_segment: bool,
}

/// A round as far as it can be read.
struct Reading {
    found: Vec<Found>,
    /// Where its end is, if a header said so.
    end: Option<usize>,
    /// The place and kind of the header that could not be read.
    stopped: Option<(usize, String)>,
    note: Option<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8], tip: Tip, last_segment: bool) -> Self {
        Walk {
            bytes,
            tip,
            last_segment,
        }
    }

    /// Reads the next round and steps over it.
    pub(super) fn next(&mut self) -> Next {
        let start = self.tip.offset as usize;
        let rest = self.bytes.get(start..).unwrap_or_default();
        if is_zero(rest) {
            return Next::Nothing;
        }
        let reading = self.read(start);
        if reading.stopped.is_none() && reading.found.iter().all(|found| found.whole) {
            return self.step(reading);
        }
        if let Some(bytes) = self.torn(start, &reading) {
            return Next::Fault(Fault::Torn(bytes));
        }
        match reading.stopped {
            Some((at, reason)) => Next::Fault(Fault::Damage(at as u64, reason)),
            None => self.step(reading),
        }
    }

    fn step(&mut self, reading: Reading) -> Next {
        if let (Some(last), Some(end)) = (reading.found.last(), reading.end) {
            self.tip.offset = end as u64;
            self.tip.round += 1;
            self.tip.chain = last.header.crc;
        }
        Next::Round(reading.found, reading.note)
    }

    fn read(&self, start: usize) -> Reading {
        let mut reading = Reading {
            found: Vec::new(),
            end: None,
            stopped: None,
            note: None,
        };
        let (mut at, mut chain) = (start, self.tip.chain);
        loop {
            let header = match self.header(start, at, chain, reading.end) {
                Ok(header) => header,
                Err(reason) => {
                    reading.stopped = Some((at, reason));
                    return reading;
                }
            };
            let end = start + header.round_len as usize;
            let body = header.body();
            let crc = self.bytes.get(body.clone()).map(crc32c::crc32c);
            reading.end = Some(end);
            chain = header.crc;
            at += record_len(body.len());
            let last = header.last;
            self.check_padding(body.end, at, &mut reading);
            reading.found.push(Found {
                whole: crc == Some(header.body_crc) || mutant!("checksums-off"),
                header,
                body,
            });
            if last {
                if at > end || end - at >= SECTOR {
                    reading.stopped = Some((at, "a round longer than its records".into()));
                }
                self.check_padding(at, end, &mut reading);
                return reading;
            }
        }
    }

    /// The header at `at`, if it belongs exactly there.
    fn header(
        &self,
        start: usize,
        at: usize,
        chain: u32,
        end: Option<usize>,
    ) -> Result<Header, String> {
        let bytes = self.bytes.get(at..end.unwrap_or(self.bytes.len()));
        let header = match Header::decode(bytes.unwrap_or_default()) {
            Ok(header) => header,
            Err(NoHeader::Broken) => return Err("no whole record header".into()),
            Err(NoHeader::Version(version)) => {
                return Err(format!("a record of format {version}, unknown here"));
            }
        };
        let round_end = start + header.round_len as usize;
        if header.segment != self.tip.segment || header.offset as usize != at {
            let (segment, offset) = (header.segment, header.offset);
            return Err(format!(
                "a record that belongs to segment {segment} byte {offset}"
            ));
        }
        if header.round != self.tip.round || header.round_start as usize != start {
            let (found, expected) = (header.round, self.tip.round);
            return Err(format!(
                "a record of round {found}, expected round {expected}"
            ));
        }
        if header.previous != chain {
            return Err("the record does not follow the one before it".into());
        }
        let fits = header.body().end <= round_end
            && round_end <= self.bytes.len()
            && (header.round_len as usize).is_multiple_of(SECTOR)
            && end.is_none_or(|end| end == round_end);
        if !fits || (header.kind == Kind::Summary) != (at == 0) {
            return Err("a record header that contradicts itself".into());
        }
        Ok(header)
    }

    fn check_padding(&self, from: usize, end: usize, reading: &mut Reading) {
        if !is_zero(self.bytes.get(from..end).unwrap_or_default()) {
            reading.note = Some(format!(
                "segment {} byte {from}: bits that mean nothing have changed",
                self.tip.segment
            ));
        }
    }

    /// Whether the round that begins at `start` is unfinished and the last one; then, how many
    /// bytes there are of it.
    fn torn(&self, start: usize, reading: &Reading) -> Option<u64> {
        let missing_body = reading
            .found
            .iter()
            .any(|found| !found.whole && self.has_missing_sector(found.body.clone()));
        let missing_header = reading
            .stopped
            .as_ref()
            .is_some_and(|(at, _)| self.has_missing_sector(*at..at + HEADER));
        let unfinished = missing_body || missing_header;
        if !unfinished || !self.last_segment || self.has_later(start, reading) {
            return None;
        }
        let rest = self.bytes.get(start..)?;
        let end = rest.iter().rposition(|byte| *byte != 0)? + 1;
        Some(end as u64)
    }

    fn has_missing_sector(&self, range: Range<usize>) -> bool {
        let range = sectors(range);
        let bytes = self.bytes.get(range.start..range.end.min(self.bytes.len()));
        bytes.unwrap_or_default().chunks(SECTOR).any(is_zero)
    }

    /// Whether something stands after the round that begins at `start`. If no header tells where it
    /// ends, any record that is whole and is not of this very round counts.
    fn has_later(&self, start: usize, reading: &Reading) -> bool {
        if let Some(end) = reading.end {
            return !is_zero(self.bytes.get(end..).unwrap_or_default());
        }
        let mut at = start;
        while at < self.bytes.len() {
            let Ok(header) = Header::decode(self.bytes.get(at..).unwrap_or_default()) else {
                at += 8;
                continue;
            };
            let of_this_round = header.segment == self.tip.segment
                && header.offset as usize == at
                && header.round == self.tip.round
                && header.round_start as usize == start;
            if !of_this_round {
                return true;
            }
            let end = start + header.round_len as usize;
            return !is_zero(self.bytes.get(end..).unwrap_or_default());
        }
        false
    }
}
