//! Reads the whole log and says what is in it. Changes nothing.

use super::books::{Books, Change};
use super::kinds::{OpenLogError, TornTail};
use super::limits::SECTOR;
use super::mark;
use super::record::{Header, Kind, is_zero};
use super::round::Tip;
use super::segments::{FIRST_SEGMENT, UNFINISHED, parse_name, segment_name};
use super::slots::{Place, Slots};
use super::walk::{Fault, Found, Next, Walk};
use crate::disk::Disk;
use crate::position::LogPosition;
use florin_ledger::id::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What the files of a log say.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) books: Books,
    pub(super) slots: BTreeMap<GroupId, Slots>,
    /// Where the next round goes; none if nothing was ever written.
    pub(super) tip: Option<Tip>,
    /// Where in its segment the last round begins.
    pub(super) last_round: u64,
    pub(super) torn: Option<TornTail>,
    /// Segments with records in them, with their lengths.
    pub(super) segments: BTreeMap<u64, u64>,
    /// The segment after the last one, if it was prepared.
    pub(super) prepared: Option<(u64, u64)>,
    /// Files left over from a preparation that did not end.
    pub(super) leftovers: Vec<String>,
    pub(super) faults: BTreeMap<GroupId, String>,
    /// Entries that can be mended, of groups that are not faulty.
    pub(super) damaged: BTreeMap<GroupId, Vec<LogPosition>>,
    pub(super) notes: Vec<String>,
    broken_votes: BTreeSet<GroupId>,
}

/// Reads the log. `segment_bytes` is the length that a log which has never been written to has.
pub(super) fn scan(disk: &dyn Disk, segment_bytes: Option<u64>) -> Result<Scan, OpenLogError> {
    let mut scan = Scan::default();
    let files = scan.list(disk)?;
    let mut bytes = Vec::new();
    for (at, (number, length)) in files.iter().enumerate() {
        read_segment(disk, *number, *length, &mut bytes, &mut scan.notes)?;
        let rest = files.get(at + 1..).unwrap_or_default();
        if scan.empty_segment(&bytes, *number, rest, segment_bytes)? {
            break;
        }
        let last = rest.is_empty() || is_empty_tail(disk, rest)?;
        if !scan.segment(*number, &bytes, last)? {
            scan.after_torn(*number, *length, rest)?;
            break;
        }
    }
    scan.check_mark(disk)?;
    scan.judge_groups();
    Ok(scan)
}

impl Scan {
    /// The segment files in order, with their lengths.
    fn list(&mut self, disk: &dyn Disk) -> Result<Vec<(u64, u64)>, OpenLogError> {
        let mut files = Vec::new();
        for name in disk.list().map_err(failed("cannot list the folder"))? {
            if let Some(number) = parse_name(&name) {
                let file = disk.open(&name).map_err(failed("cannot open a segment"))?;
                let length = file.length().map_err(failed("cannot stat a segment"))?;
                if let Some((before, _)) = files.last()
                    && before + 1 != number
                {
                    return Err(damaged(before + 1, 0, "the segment is missing"));
                }
                files.push((number, length));
            } else if name == mark::NAME {
                // It is read when all else is.
            } else if name.ends_with(UNFINISHED) {
                self.leftovers.push(name);
            } else {
                self.notes.push(format!("{name} is no file of the log"));
            }
        }
        Ok(files)
    }

    /// Whether the segment holds nothing: then it must be the one that was prepared ahead.
    fn empty_segment(
        &mut self,
        bytes: &[u8],
        number: u64,
        rest: &[(u64, u64)],
        segment_bytes: Option<u64>,
    ) -> Result<bool, OpenLogError> {
        if !is_zero(bytes) {
            return Ok(false);
        }
        let length = bytes.len() as u64;
        let before = self.segments.values().next_back().copied();
        let plausible = Some(length) == before
            || Some(length) == segment_bytes
            || (before.is_none() && segment_bytes.is_none());
        if !plausible || !length.is_multiple_of(SECTOR as u64) {
            return Err(damaged(number, 0, "an empty segment of a strange length"));
        }
        if !rest.is_empty() {
            return Err(damaged(number, 0, "an empty segment before others"));
        }
        if before.is_none() && number != FIRST_SEGMENT {
            return Err(damaged(
                number,
                0,
                "the segment is empty and has none before it",
            ));
        }
        self.prepared = Some((number, length));
        Ok(true)
    }

    /// Reads the rounds of one segment. False if the log ends in it with a torn round.
    fn segment(&mut self, number: u64, bytes: &[u8], last: bool) -> Result<bool, OpenLogError> {
        if let Ok(first) = Header::decode(bytes)
            && first.kind == Kind::Summary
            && first.position.map(|position| position.index) != Some(bytes.len() as u64)
        {
            let found = bytes.len();
            return Err(damaged(number, 0, format!("the file has {found} bytes")));
        }
        let mut tip = match self.tip {
            Some(tip) => tip,
            None => first_tip(number, bytes),
        };
        tip.segment = number;
        tip.offset = 0;
        let mut walk = Walk::new(bytes, tip, last);
        loop {
            let begins = walk.tip.offset;
            match walk.next() {
                Next::Nothing => return Ok(true),
                Next::Round(found, note) => {
                    for record in &found {
                        self.record(record, bytes)?;
                    }
                    self.notes.extend(note);
                    self.tip = Some(walk.tip);
                    self.last_round = begins;
                    self.segments.insert(number, bytes.len() as u64);
                }
                Next::Fault(Fault::Torn(bytes)) => {
                    self.torn = Some(TornTail {
                        segment: number,
                        offset: walk.tip.offset,
                        bytes,
                    });
                    return Ok(false);
                }
                Next::Fault(Fault::Damage(at, reason)) => {
                    return Err(damaged(number, at, reason));
                }
            }
        }
    }

    /// The segment in which the last round was torn, and the one prepared after it.
    fn after_torn(
        &mut self,
        number: u64,
        length: u64,
        rest: &[(u64, u64)],
    ) -> Result<(), OpenLogError> {
        if !self.segments.contains_key(&number) {
            // Its first round was the torn one: it is an empty segment again.
            if !rest.is_empty() || (self.tip.is_none() && number != FIRST_SEGMENT) {
                return Err(damaged(
                    number,
                    0,
                    "the first round of the segment is missing",
                ));
            }
            self.prepared = Some((number, length));
        } else if let Some(next) = rest.first() {
            self.prepared = Some(*next);
        }
        Ok(())
    }

    fn record(&mut self, record: &Found, bytes: &[u8]) -> Result<(), OpenLogError> {
        let header = &record.header;
        let group = GroupId(header.group);
        let body = bytes.get(record.body.clone()).unwrap_or_default();
        let change = match (header.kind, header.position) {
            (Kind::Seal, _) => return Ok(()),
            (Kind::Summary, _) => return self.summary(record, body),
            (Kind::Entry, Some(position)) => Change::Entry(position),
            (Kind::Mend, Some(position)) => Change::Mend(position),
            (Kind::Vote, _) => Change::Vote(body),
            (Kind::Truncate, kept) => Change::Truncate(kept),
            (Kind::Purge, Some(upto)) => Change::Purge(upto),
            (Kind::Create, _) => Change::Create,
            (Kind::Remove, _) => Change::Remove,
            (Kind::Entry | Kind::Mend | Kind::Purge, None) => {
                let at = u64::from(header.offset);
                return Err(damaged(header.segment, at, "a record without a position"));
            }
        };
        if let Err(reason) = self.books.enter(group, change, header.segment) {
            self.books.groups.entry(group).or_default();
            self.faults.insert(group, reason);
            return Ok(());
        }
        let slots = self.slots.entry(group).or_default();
        let broken = (!record.whole).then_some(header.body_crc);
        match change {
            Change::Entry(position) => slots.recover(position, place(record), broken),
            Change::Mend(position) => slots.recover_mended(position, place(record), broken),
            Change::Truncate(kept) => slots.truncate_after(kept.map(|kept| kept.index)),
            Change::Purge(upto) => slots.purge(upto.index),
            Change::Vote(_) if record.whole => {
                self.broken_votes.remove(&group);
            }
            Change::Vote(_) => {
                self.broken_votes.insert(group);
            }
            Change::Create | Change::Remove => {
                self.slots.remove(&group);
                self.faults.remove(&group);
                self.broken_votes.remove(&group);
            }
        }
        Ok(())
    }

    fn summary(&mut self, record: &Found, body: &[u8]) -> Result<(), OpenLogError> {
        let segment = record.header.segment;
        let summary = Books::from_summary(body).filter(|_| record.whole);
        let Some(summary) = summary else {
            return Err(damaged(segment, 0, "the summary is damaged"));
        };
        if self.tip.is_none() {
            self.books = summary;
            return Ok(());
        }
        if !summary.groups.keys().eq(self.books.groups.keys()) {
            return Err(damaged(segment, 0, "the summary names other groups"));
        }
        for (group, book) in &mut self.books.groups {
            let Some(summed) = summary.groups.get(group) else {
                continue;
            };
            if !summed.state.faulty && self.broken_votes.remove(group) {
                // The summary was written from memory, before the vote's own record went bad.
                book.state.vote.clone_from(&summed.state.vote);
            }
            book.state.faulty = summed.state.faulty;
            if book.state != summed.state && !self.broken_votes.contains(group) {
                let reason = format!("segment {segment} sums it up otherwise");
                self.faults.entry(*group).or_insert(reason);
            }
        }
        Ok(())
    }

    /// Whether the log ends before something that surely was durable. Then a whole tail of it is
    /// gone, and nobody can say whose votes and entries were in it.
    fn check_mark(&self, disk: &dyn Disk) -> Result<(), OpenLogError> {
        let Some(marked) = mark::read(disk) else {
            return Ok(());
        };
        if marked.is_held_by(self.tip) {
            return Ok(());
        }
        let (offset, ends) = self.tip.map_or((0, 0), |tip| (tip.offset, tip.round));
        let reason = format!(
            "the log's end is missing: round {} was durable, and it ends before round {ends}",
            marked.round.saturating_sub(1)
        );
        Err(damaged(marked.segment, offset, reason))
    }

    /// Which groups are faulty, after all that was read.
    fn judge_groups(&mut self) {
        for (group, book) in &mut self.books.groups {
            let damaged = self.slots.get(group).map(Slots::damaged);
            let reason = if let Some(reason) = self.faults.get(group) {
                reason.clone()
            } else if self.broken_votes.contains(group) {
                "its vote is damaged".into()
            } else if !book.is_covered() {
                "entries are missing".into()
            } else if book.state.faulty {
                "it was found damaged at an earlier start".into()
            } else {
                if let Some(damaged) = damaged.filter(|damaged| !damaged.is_empty()) {
                    self.damaged.insert(*group, damaged);
                }
                continue;
            };
            book.state.faulty = true;
            self.faults.insert(*group, reason);
        }
    }
}

/// What the first segment at hand follows is only known from itself.
fn first_tip(segment: u64, bytes: &[u8]) -> Tip {
    let header = Header::decode(bytes).ok();
    Tip {
        segment,
        offset: 0,
        round: header.as_ref().map_or(1, |header| header.round),
        chain: header.map_or(0, |header| header.previous),
    }
}

fn place(record: &Found) -> Place {
    Place {
        segment: record.header.segment,
        offset: record.header.offset,
        body_len: record.header.body_len,
    }
}

/// Reads a segment in one piece. What the disk refuses to give is filled with a pattern that is no
/// record and no zeros, so that it is judged as damage of that place.
fn read_segment(
    disk: &dyn Disk,
    number: u64,
    length: u64,
    bytes: &mut Vec<u8>,
    notes: &mut Vec<String>,
) -> Result<(), OpenLogError> {
    const UNREADABLE: u8 = 0xEE;
    const PIECE: usize = 64 << 10;
    if length > super::limits::SEGMENT_BYTES_MAX {
        return Err(damaged(number, 0, format!("the file has {length} bytes")));
    }
    let name = segment_name(number);
    let file = disk.open(&name).map_err(failed("cannot open a segment"))?;
    bytes.clear();
    bytes.resize(length as usize, 0);
    for (piece, buffer) in bytes.chunks_mut(PIECE).enumerate() {
        let at = (piece * PIECE) as u64;
        if file.read_exact_at(buffer, at).is_ok() {
            continue;
        }
        for (sector, buffer) in buffer.chunks_mut(SECTOR).enumerate() {
            let at = at + (sector * SECTOR) as u64;
            if let Err(error) = file.read_exact_at(buffer, at) {
                notes.push(format!("segment {number} byte {at}: {error}"));
                buffer.fill(UNREADABLE);
            }
        }
    }
    Ok(())
}

/// Whether what follows is at most one segment, prepared and never used.
fn is_empty_tail(disk: &dyn Disk, rest: &[(u64, u64)]) -> Result<bool, OpenLogError> {
    let [(number, length)] = rest else {
        return Ok(false);
    };
    let mut bytes = Vec::new();
    read_segment(disk, *number, *length, &mut bytes, &mut Vec::new())?;
    Ok(is_zero(&bytes))
}

pub(super) fn damaged(segment: u64, offset: u64, reason: impl Into<String>) -> OpenLogError {
    OpenLogError::Damaged {
        segment,
        offset,
        reason: reason.into(),
    }
}

pub(super) fn failed(what: &'static str) -> impl Fn(io::Error) -> OpenLogError {
    move |source| OpenLogError::Io {
        what: what.into(),
        source,
    }
}
