//! How far the log surely was durable: a second witness, in a file of its own.
//!
//! A log whose last rounds are gone without a trace (a file cut back and grown again, a segment
//! removed after its seal, writes that a disk took back) looks like one that ended there. Who goes
//! on with it has forgotten votes and entries that others count on. So after each round was made
//! durable its number goes into this file, and a log that ends before the mark is damaged.
//!
//! The mark is written behind the log's sync, never before it, and is made durable now and then:
//! a killed process leaves it exact, a power cut leaves one of the last [`MARK_EVERY`] rounds or
//! of the last second.
//!
//! ```text
//! two slots of a sector, written in turn:
//! 0 magic u32   4 chain u32   8 round u64   16 segment u64   24 checksum u32
//! ```

use super::limits::SECTOR;
use super::round::Tip;
use crate::disk::{Disk, DiskFile};
use std::io;
use std::sync::Arc;

/// The file's name.
pub(super) const NAME: &str = "mark";
/// After how many rounds the mark is made durable.
const MARK_EVERY: u64 = 512;
const MAGIC: u32 = u32::from_le_bytes(*b"FlMk");
const LENGTH: usize = 28;

/// What the mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marked {
    /// The number of the round after the last durable one.
    pub(super) round: u64,
    /// The segment of the last durable one.
    pub(super) segment: u64,
    /// The header checksum of its last record.
    chain: u32,
}

impl Marked {
    fn of(tip: Tip) -> Marked {
        Marked {
            round: tip.round,
            segment: tip.segment,
            chain: tip.chain,
        }
    }

    /// Whether a log that ends at `tip` holds all that was durable.
    pub(super) fn is_held_by(&self, tip: Option<Tip>) -> bool {
        tip.is_some_and(|tip| {
            tip.round > self.round || (tip.round == self.round && tip.chain == self.chain)
        })
    }

    fn encode(&self) -> [u8; SECTOR] {
        let mut bytes = [0; SECTOR];
        let fields = [
            &MAGIC.to_le_bytes()[..],
            &self.chain.to_le_bytes(),
            &self.round.to_le_bytes(),
            &self.segment.to_le_bytes(),
        ];
        let body = fields.concat();
        let crc = crc32c::crc32c(&body).to_le_bytes();
        let whole = [body, crc.to_vec()].concat();
        bytes[..LENGTH].copy_from_slice(&whole);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Marked> {
        let (body, crc) = bytes.get(..LENGTH)?.split_at(LENGTH - 4);
        let whole = crc32c::crc32c(body).to_le_bytes() == crc;
        let magic = body.get(..4)? == MAGIC.to_le_bytes();
        (whole && magic).then_some(Marked {
            chain: u32::from_le_bytes(body.get(4..8)?.try_into().ok()?),
            round: u64::from_le_bytes(body.get(8..16)?.try_into().ok()?),
            segment: u64::from_le_bytes(body.get(16..24)?.try_into().ok()?),
        })
    }
}

/// What the folder's mark says; nothing if there is none, or none that can be read.
pub(super) fn read(disk: &dyn Disk) -> Option<Marked> {
    let file = disk.open(NAME).ok()?;
    let slot = |number: u64| {
        let mut bytes = [0; SECTOR];
        let read = file.read_exact_at(&mut bytes, number * SECTOR as u64);
        read.ok().and_then(|()| Marked::decode(&bytes))
    };
    [slot(0), slot(1)]
        .into_iter()
        .flatten()
        .max_by_key(|mark| mark.round)
}

/// The mark of a log in use.
pub(super) struct Mark {
    /// None if it could not be made: the log does without.
    file: Option<Arc<dyn DiskFile>>,
    unsynced: u64,
}

impl Mark {
    /// Opens the mark, made if it is not there.
    pub(super) fn open(disk: &dyn Disk) -> Mark {
        let file = match disk.open(NAME) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(disk),
            Err(error) => Err(error),
        };
        Mark {
            file: made(file),
            unsynced: 0,
        }
    }

    /// Notes that everything before `tip` is durable.
    pub(super) fn set(&mut self, tip: Tip) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let at = tip.round % 2 * SECTOR as u64;
        file.write_all_at(&Marked::of(tip).encode(), at)?;
        self.unsynced += 1;
        if self.unsynced >= MARK_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    /// Makes what it says durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| self.unsynced > 0) {
            file.sync_data()?;
        }
        self.unsynced = 0;
        Ok(())
    }
}

fn make(disk: &dyn Disk) -> io::Result<Arc<dyn DiskFile>> {
    let bytes = [0; 2 * SECTOR];
    let file = disk.create(NAME, bytes.len() as u64)?;
    file.write_all_at(&bytes, 0)?;
    file.sync_data()?;
    disk.sync_folder()?;
    Ok(file)
}

/// Where there is no room for it, the log is safe without its witness, only less sure to see that
/// its end is gone.
fn made<T>(result: io::Result<T>) -> Option<T> {
    let told = |error: &io::Error| tracing::warn!(%error, "the log's mark cannot be made");
    result.inspect_err(told).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    fn tip(round: u64, chain: u32) -> Tip {
        Tip {
            segment: 3,
            offset: 512,
            round,
            chain,
        }
    }

    #[test]
    fn the_newest_whole_slot_counts() {
        let disk = SimDisk::new();
        assert_eq!(read(&disk), None);
        let mut mark = Mark::open(&disk);
        assert_eq!(read(&disk), None);
        mark.set(tip(7, 70)).unwrap();
        mark.set(tip(8, 80)).unwrap();
        assert_eq!(read(&disk), Some(Marked::of(tip(8, 80))));
        disk.flip_bit(NAME, 9, 1);
        assert_eq!(read(&disk), Some(Marked::of(tip(7, 70))));
        drop(mark);
        let mut mark = Mark::open(&disk);
        mark.set(tip(9, 90)).unwrap();
        assert_eq!(read(&disk), Some(Marked::of(tip(9, 90))));
    }

    #[test]
    fn a_log_holds_what_is_marked_or_does_not() {
        let marked = Marked::of(tip(8, 80));
        assert!(marked.is_held_by(Some(tip(8, 80))));
        assert!(marked.is_held_by(Some(tip(9, 0))));
        assert!(!marked.is_held_by(Some(tip(8, 81))), "another history");
        assert!(!marked.is_held_by(Some(tip(7, 70))));
        assert!(!marked.is_held_by(None));
    }

    #[test]
    fn what_is_synced_survives_a_power_cut_and_never_runs_ahead() {
        let disk = SimDisk::new();
        let mut mark = Mark::open(&disk);
        mark.set(tip(7, 70)).unwrap();
        mark.sync().unwrap();
        mark.set(tip(8, 80)).unwrap();
        for seed in 0..20 {
            let found = read(&disk.copy().power_cut(seed)).unwrap();
            assert!((7..=8).contains(&found.round), "{found:?}");
        }
    }
}
