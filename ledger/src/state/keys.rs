//! Which idempotency keys are remembered.
//!
//! Tens of millions of keys must fit, and growing must not stall payments. A key takes 32 bytes
//! in a ring, in order of time, and a slot of 5 bytes in a table that says where in the ring
//! it is; both exist once per shard, so that each part that grows is small. Whether a key is new,
//! which nearly all are, the table tells by a byte of each key's hash that it keeps apart, so that
//! the ring, far away in memory, is not asked. Forgetting takes from the ring's front. Nothing here
//! depends on when forgetting happens: what is over time is never found.

use crate::id::{Position, Timestamp};
use crate::limits::KEY_SHARDS;
use hashbrown::HashTable;
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
            // What is over time is found until it is forgotten, which comes with the sweeps.
            if shard.find(key).is_some() {
                shard.forget(horizon);
                assert!(shard.find(key).is_none(), "once: a key was decided twice");
            }
            shard.push(Entry::new(key, fingerprint, position));
        }
    }

    /// Forgets what is over time: in one shard with every batch.
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

/// Entries are numbered by 31 bits, round and round.
const NUMBERS: u32 = u32::MAX >> 1;

#[derive(Clone, Debug, Default)]
struct Shard {
    ring: VecDeque<Entry>,
    /// The number of the entry at the front.
    front: u32,
    /// Entries by key, each as its number.
    table: HashTable<u32>,
}

/// Keys are hashes already; the bits that chose the shard are left out.
fn spread([low, high]: ScopedKey) -> u64 {
    (low / KEY_SHARDS as u64) ^ high.rotate_left(17)
}

fn entry(ring: &VecDeque<Entry>, front: u32, number: u32) -> Option<&Entry> {
    ring.get((number.wrapping_sub(front) & NUMBERS) as usize)
}

impl Shard {
    fn find(&self, key: ScopedKey) -> Option<&Entry> {
        let at = |number| entry(&self.ring, self.front, number);
        let same = |number: &u32| at(*number).is_some_and(|entry| entry.key() == key);
        at(*self.table.find(spread(key), same)?)
    }

    fn push(&mut self, new: Entry) {
        if self.ring.len() == self.ring.capacity() {
            // By a quarter and not to the double: most of the table's memory is here.
            self.ring.reserve_exact(self.ring.len() / 4 + 4);
        }
        let number = self.front.wrapping_add(self.ring.len() as u32) & NUMBERS;
        self.ring.push_back(new);
        let (ring, front) = (&self.ring, self.front);
        let again =
            |number: &u32| entry(ring, front, *number).map_or(0, |entry| spread(entry.key()));
        self.table.insert_unique(spread(new.key()), number, again);
    }

    /// Forgets what is over time.
    fn forget(&mut self, horizon: Horizon) {
        while let Some(oldest) = self.ring.front() {
            if !horizon.passed(oldest.position().time) {
                break;
            }
            let (hash, number) = (spread(oldest.key()), self.front);
            match self.table.find_entry(hash, |found| *found == number) {
                Ok(found) => found.remove(),
                Err(_) => panic!("once: a remembered key lost its place"),
            };
            self.ring.pop_front();
            self.front = self.front.wrapping_add(1) & NUMBERS;
        }
        if self.ring.is_empty() && self.table.capacity() > 0 {
            *self = Shard::default();
        }
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
