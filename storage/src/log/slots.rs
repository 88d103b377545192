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
    /// The checksum that the body should have, if recovery found that it has another.
    broken: Option<u32>,
}

/// The entries of a group, without gaps.
#[derive(Debug, Default)]
pub(super) struct Slots {
    first: u64,
    slots: VecDeque<Slot>,
}

impl Slots {
    /// Adds an entry that was read from the disk.
    /// `broken` is the checksum that it should have, if it has another.
    pub(super) fn recover(&mut self, position: LogPosition, place: Place, broken: Option<u32>) {
        self.push(Slot {
            term: position.term,
            serial: 0,
            payload: None,
            place: Some(place),
            broken,
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
            broken: None,
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

    /// The entries whose bodies are damaged.
    pub(super) fn damaged(&self) -> Vec<LogPosition> {
        let slots = (self.first..).zip(&self.slots);
        let broken = slots.filter(|(_, slot)| slot.broken.is_some());
        let position = |(index, slot): (u64, &Slot)| LogPosition {
            term: slot.term,
            index,
        };
        broken.map(position).collect()
    }

    /// Takes a mended entry that was read from the disk.
    pub(super) fn recover_mended(
        &mut self,
        position: LogPosition,
        place: Place,
        broken: Option<u32>,
    ) {
        let slot = self.get_mut(position.index);
        // If the damaged record is no longer at hand, nor is anybody who needs it.
        if let Some(slot) = slot.filter(|slot| slot.term == position.term) {
            slot.place = Some(place);
            slot.broken = broken;
        }
    }

    /// Takes the whole payload of an entry that is damaged, still to be written. False if there is
    /// no such entry, or if it is not that one's payload.
    pub(super) fn mend(&mut self, position: LogPosition, payload: &Bytes, serial: u64) -> bool {
        let slot = self.get_mut(position.index);
        let fits = |slot: &&mut Slot| {
            slot.term == position.term
                && slot.broken == Some(crc32c::crc32c(payload))
                && slot
                    .place
                    .is_some_and(|place| place.body_len as usize == payload.len())
        };
        let Some(slot) = slot.filter(fits) else {
            return false;
        };
        *slot = Slot {
            term: position.term,
            serial,
            payload: Some(payload.clone()),
            place: None,
            broken: None,
        };
        true
    }
}
