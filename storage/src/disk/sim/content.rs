//! The bytes of a simulated file: as they are, and as a power cut may leave them.

use super::faults::Dice;
use std::collections::BTreeSet;

/// The unit in which a disk writes or does not write.
const SECTOR: usize = 512;

/// The content of one file.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// As a power cut that loses everything unsynced would leave it.
    pub(super) durable: Vec<u8>,
    /// Sectors that a power cut may lose.
    pub(super) unsynced: BTreeSet<usize>,
}

impl Content {
    pub(super) fn survivor(&self, dice: &mut Dice, keep: u64) -> Content {
        let mut bytes = self.durable.clone();
        for sector in &self.unsynced {
            if dice.roll(100) >= keep {
                continue;
            }
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(self.bytes.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let (Some(to), Some(from)) = (bytes.get_mut(start..end), self.bytes.get(start..end))
            {
                to.copy_from_slice(from);
            }
        }
        Content {
            durable: bytes.clone(),
            bytes,
            unsynced: BTreeSet::new(),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(to) = self.bytes.get_mut(offset..end) {
            to.copy_from_slice(bytes);
        }
        if !bytes.is_empty() {
            self.unsynced.extend(offset / SECTOR..=(end - 1) / SECTOR);
        }
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.bytes.len(), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            let start = sector * SECTOR;
            let end = (start + SECTOR).min(self.bytes.len());
            if let (Some(to), Some(from)) =
                (self.durable.get_mut(start..end), self.bytes.get(start..end))
            {
                to.copy_from_slice(from);
            }
        }
    }
}
