//! The entries of one group that are there: where each is, and its payload while it is in memory.

use crate::position::LogPosition;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u32,
    pub(super) body_len: u32,
}

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) term: u64,
    /// Which append made it: an index can be written again after a truncation.
    serial: u64,
    pub(super) payload: Option<Bytes>,
    /// None until it is durable.
    pub(super) place: Option<Place>,
    /// Whether recovery found the body's checksum to hold.
    whole: bool,
}

/// The entries of a group, without gaps.
#[derive(Debug, Default)]
pub(super) struct Slots {
    first: u64,
    slots: VecDeque<Slot>,
}

impl Slots {
    /// Adds an entry that was read from the disk.
    pub(super) fn recover(&mut self, position: LogPosition, place: Place, whole: bool) {
        self.push(Slot {
            term: position.term,
            serial: 0,
            payload: None,
            place: Some(place),
            whole,
        });
        if self.slots.len() == 1 {
            self.first = position.index;
        }
    }

    /// Adds an entry that is still to be written.
    pub(super) fn append(&mut self, position: LogPosition, payload: Bytes, serial: u64) {
        if self.slots.is_empty() {
            self.first = position.index;
        }
        assert_eq!(self.range().end, position.index, "a gap in the log");
        self.push(Slot {
            term: position.term,
            serial,
            payload: Some(payload),
            place: None,
            whole: true,
        });
    }

    fn push(&mut self, slot: Slot) {
        self.slots.push_back(slot);
    }

    /// The indexes that are there.
    pub(super) fn range(&self) -> Range<u64> {
        self.first..self.first + self.slots.len() as u64
    }

    pub(super) fn get(&self, index: u64) -> Option<&Slot> {
        self.slots.get(self.at(index)?)
    }

    fn get_mut(&mut self, index: u64) -> Option<&mut Slot> {
        let at = self.at(index)?;
        self.slots.get_mut(at)
    }

    fn at(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.first)?).ok()
    }

    /// The position of the entry `index`.
    pub(super) fn position(&self, index: u64) -> Option<LogPosition> {
        let term = self.get(index)?.term;
        Some(LogPosition { term, index })
    }

    pub(super) fn truncate_after(&mut self, kept: Option<u64>) {
        let end = kept.map_or(0, |kept| kept.saturating_add(1));
        let keep = end.saturating_sub(self.first);
        self.slots
            .truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    pub(super) fn purge(&mut self, upto: u64) {
        let gone = upto.saturating_add(1).saturating_sub(self.first);
        let gone = usize::try_from(gone)
            .unwrap_or(usize::MAX)
            .min(self.slots.len());
        self.slots.drain(..gone);
        self.first += gone as u64;
    }

    /// Notes that the entry made by append `serial` is durable. False if it is gone.
    pub(super) fn locate(&mut self, index: u64, serial: u64, place: Place) -> bool {
        match self.get_mut(index) {
            Some(slot) if slot.serial == serial => {
                slot.place = Some(place);
                true
            }
            _ => false,
        }
    }

    /// Forgets the payload of the entry at `place`.
    pub(super) fn evict(&mut self, index: u64, place: Place) {
        if let Some(slot) = self.get_mut(index)
            && slot.place == Some(place)
        {
            slot.payload = None;
        }
    }

    /// The first entry whose body is damaged.
    pub(super) fn damaged(&self) -> Option<u64> {
        let at = self.slots.iter().position(|slot| !slot.whole)?;
        Some(self.first + at as u64)
    }
}
