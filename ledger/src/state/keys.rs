//! Which idempotency keys are remembered.
//!
//! Tens of millions of keys must fit, and growing must not stall payments. A key takes 32 bytes
//! in a ring, in order of time, and a slot of 4 bytes in an open table that says where in the ring
//! it is; both exist once per shard, so that each part that grows is small. Forgetting takes
//! from the ring's front. Nothing here depends on when forgetting happens: what is
//! over time is never found.

use crate::id::{Position, Timestamp};
use crate::limits::KEY_SHARDS;
use std::collections::VecDeque;

/// An idempotency key, mixed with its ledger.
pub(crate) type ScopedKey = [u64; 2];

/// 56 bits of the request's fingerprint: enough to tell a mistake, and it makes an entry 32 bytes.
pub(crate) type ShortFingerprint = u64;

/// Cuts a fingerprint.
pub(crate) fn short(fingerprint: &[u8; 16]) -> ShortFingerprint {
    let [a, b, c, d, e, f, g, ..] = *fingerprint;
    u64::from_le_bytes([a, b, c, d, e, f, g, 0])
}

/// Until when what happened at a time is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    pub(crate) now: Timestamp,
    pub(crate) retention: u64,
}

impl Horizon {
    pub(crate) fn passed(self, time: Timestamp) -> bool {
        time.0.saturating_add(self.retention) <= self.now.0
    }
}

/// The remembered keys of a group.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    shards: Box<[Shard]>,
    sweep: usize,
}

impl Keys {
    pub(crate) fn new() -> Keys {
        Keys {
            shards: vec![Shard::default(); KEY_SHARDS].into_boxed_slice(),
            sweep: 0,
        }
    }

    /// What was remembered for a key.
    pub(crate) fn get(
        &self,
        key: ScopedKey,
        horizon: Horizon,
    ) -> Option<(ShortFingerprint, Position)> {
        let entry = self.shards.get(shard_of(key))?.find(key)?;
        let position = entry.position();
        (!horizon.passed(position.time)).then(|| (entry.fingerprint(), position))
    }

    /// Remembers a key.
    ///
    /// # Panics
    /// If it is remembered already: the invariant *once* is broken.
    pub(crate) fn insert(
        &mut self,
        key: ScopedKey,
        fingerprint: ShortFingerprint,
        position: Position,
        horizon: Horizon,
    ) {
        if let Some(shard) = self.shards.get_mut(shard_of(key)) {
            shard.forget(horizon);
            assert!(shard.find(key).is_none(), "once: a key was decided twice");
            shard.push(Entry::new(key, fingerprint, position));
        }
    }

    /// Gives memory back where no new keys come: one shard with every batch.
    pub(crate) fn sweep(&mut self, horizon: Horizon) {
        self.sweep = (self.sweep + 1) % KEY_SHARDS;
        if let Some(shard) = self.shards.get_mut(self.sweep) {
            shard.forget(horizon);
        }
    }

    /// Everything remembered, in an order that depends on nothing else.
    pub(crate) fn iter(&self, horizon: Horizon) -> impl Iterator<Item = &[u64; 4]> {
        self.shards
            .iter()
            .flat_map(|shard| shard.ring.iter())
            .filter(move |entry| !horizon.passed(entry.position().time))
            .map(|entry| &entry.0)
    }
}

fn shard_of(key: ScopedKey) -> usize {
    let [low, _] = key;
    low as usize % KEY_SHARDS
}

/// Key (128 bits), time (56), ordinal (16), fingerprint (56).
#[derive(Clone, Copy, Debug)]
struct Entry([u64; 4]);

impl Entry {
    fn new([low, high]: ScopedKey, fingerprint: ShortFingerprint, position: Position) -> Entry {
        let time = position.time.0 << 8 | fingerprint >> 48 & 0xff;
        let place = u64::from(position.ordinal) << 48 | fingerprint & 0xffff_ffff_ffff;
        Entry([low, high, time, place])
    }

    fn key(&self) -> ScopedKey {
        let [low, high, ..] = self.0;
        [low, high]
    }

    fn position(&self) -> Position {
        let [.., time, place] = self.0;
        Position {
            time: Timestamp(time >> 8),
            ordinal: (place >> 48) as u16,
        }
    }

    fn fingerprint(&self) -> ShortFingerprint {
        let [.., time, place] = self.0;
        (time & 0xff) << 48 | place & 0xffff_ffff_ffff
    }
}

/// No entry.
const EMPTY: u32 = u32::MAX;

/// Entries are numbered by 31 bits, round and round.
const NUMBERS: u32 = u32::MAX >> 1;

#[derive(Clone, Debug, Default)]
struct Shard {
    ring: VecDeque<Entry>,
    /// The number of the entry at the front.
    front: u32,
    /// A power of two of slots, each an entry's number or [`EMPTY`]; probed one after the other.
    slots: Vec<u32>,
}

impl Shard {
    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    fn home(&self, key: ScopedKey) -> usize {
        let [low, high] = key;
        ((low / KEY_SHARDS as u64) ^ high.rotate_left(17)) as usize & self.mask()
    }

    fn slot(&self, at: usize) -> u32 {
        self.slots.get(at).copied().unwrap_or(EMPTY)
    }

    fn set(&mut self, at: usize, number: u32) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = number;
        }
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.ring
            .get((number.wrapping_sub(self.front) & NUMBERS) as usize)
    }

    fn find(&self, key: ScopedKey) -> Option<&Entry> {
        let mut at = self.home(key);
        loop {
            match self.slot(at) {
                EMPTY => return None,
                number => {
                    let entry = self.entry(number)?;
                    if entry.key() == key {
                        return Some(entry);
                    }
                }
            }
            at = (at + 1) & self.mask();
        }
    }

    fn push(&mut self, entry: Entry) {
        if (self.ring.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        if self.ring.len() == self.ring.capacity() {
            // By a quarter and not to the double: most of the table's memory is here.
            self.ring.reserve_exact(self.ring.len() / 4 + 4);
        }
        let number = self.front.wrapping_add(self.ring.len() as u32) & NUMBERS;
        self.ring.push_back(entry);
        self.place(entry.key(), number);
    }

    fn place(&mut self, key: ScopedKey, number: u32) {
        let mut at = self.home(key);
        while self.slot(at) != EMPTY {
            at = (at + 1) & self.mask();
        }
        self.set(at, number);
    }

    fn grow(&mut self) {
        self.slots = vec![EMPTY; (self.slots.len() * 2).max(8)];
        for offset in 0..self.ring.len() {
            let number = self.front.wrapping_add(offset as u32) & NUMBERS;
            if let Some(key) = self.ring.get(offset).map(Entry::key) {
                self.place(key, number);
            }
        }
    }

    /// Forgets what is over time.
    fn forget(&mut self, horizon: Horizon) {
        while let Some(entry) = self.ring.front().copied() {
            if !horizon.passed(entry.position().time) {
                break;
            }
            self.unplace(entry.key(), self.front);
            self.ring.pop_front();
            self.front = self.front.wrapping_add(1) & NUMBERS;
        }
        if self.ring.is_empty() && self.slots.len() > 8 {
            *self = Shard::default();
        }
    }

    /// Empties a slot and moves up what was pushed past it (Knuth, volume 3, algorithm 6.4R).
    fn unplace(&mut self, key: ScopedKey, number: u32) {
        let mask = self.mask();
        let mut hole = self.home(key);
        while self.slot(hole) != number {
            assert!(
                self.slot(hole) != EMPTY,
                "once: a remembered key lost its slot"
            );
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let next = self.slot(at);
            if next == EMPTY {
                break;
            }
            let home = self.entry(next).map_or(at, |entry| self.home(entry.key()));
            // It may move up unless its home lies cyclically between the hole and where it is.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.set(hole, next);
                hole = at;
            }
        }
        self.set(hole, EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Against a map: a few thousand keys that come, are over time and come again.
    #[test]
    fn remembers_as_a_map_would() {
        let mut keys = Keys::new();
        let mut map: BTreeMap<ScopedKey, (u64, Position)> = BTreeMap::new();
        let mut seed = 7_u64;
        for time in 1..6_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Few keys, and few of their low bits differ: the table must cope with crowding.
            let key = [(seed >> 40) % 900 * 512, seed >> 60];
            let position = Position {
                time: Timestamp(time),
                ordinal: (seed >> 20) as u16,
            };
            let horizon = Horizon {
                now: Timestamp(time),
                retention: 700,
            };
            map.retain(|_, (_, position)| !horizon.passed(position.time));
            assert_eq!(keys.get(key, horizon), map.get(&key).copied());
            map.entry(key).or_insert_with(|| {
                keys.insert(key, seed >> 8, position, horizon);
                (seed >> 8, position)
            });
            keys.sweep(horizon);
            if time % 100 == 0 {
                assert_eq!(keys.iter(horizon).count(), map.len());
            }
        }
    }
}
