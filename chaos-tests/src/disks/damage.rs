//! Damage to the files of a stopped node: rot, torn writes, lost ends.
//!
//! The log is filled with zeros before it is written, and a byte of it is written once: what is not
//! zero was written. So only such bytes are hit, never prepared space, where nobody would see it.

use super::DiskError;
use crate::fabric::dice::Dice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The unit in which disks write, and tear.
const SECTOR: u64 = 512;

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// Which files may be hit.
    pub part: Part,
    /// What happens to one of them.
    pub how: How,
}

/// Which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The log.
    Log,
    /// The ledger store.
    Store,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// So many bits, each in another byte that was written, are the other way round.
    Flip(u32),
    /// The file ends in the middle of what was written.
    Truncate,
    /// The last sector that was written is half zeros: its write was torn.
    Tear,
    /// A sector that was written is zeros: its write was lost.
    Zero,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Damaged {
    /// To which file.
    pub file: PathBuf,
    /// From which byte on, the first one if there are more.
    pub offset: u64,
    /// What happened.
    pub how: How,
}

/// Damages one file below a data folder.
pub(super) fn inflict(data: &Path, damage: Damage, seed: u64) -> Result<Damaged, DiskError> {
    let mut dice = Dice::new(seed);
    let folder = match damage.part {
        Part::Log => data.join("log"),
        Part::Store => data.join("store"),
    };
    let mut files = Vec::new();
    for path in files_below(&folder)? {
        // Beside the log's segments lies a mark of how far it was durable: another thing to lose.
        if damage.part == Part::Log && path.extension().is_none_or(|kind| kind != "log") {
            continue;
        }
        let written = Written::of(&path)?;
        // Less is a header, and not worth a fault.
        if written.end() > SECTOR {
            files.push((path, written));
        }
    }
    if files.is_empty() {
        return Err(DiskError::Nothing(folder));
    }
    // Tears and lost ends happen where was written last.
    let at = match damage.how {
        How::Flip(_) | How::Zero => dice.below(files.len() as u64) as usize,
        How::Truncate | How::Tear => files.len() - 1,
    };
    let (path, written) = files.swap_remove(at);
    let failed = |why| DiskError::System {
        what: format!("damage {}", path.display()),
        why,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    let offset = match damage.how {
        How::Flip(bits) => flip(&file, &written, bits, &mut dice),
        How::Truncate => truncate(&file, &written, &mut dice),
        How::Tear => zero(&file, tear(written.end()), SECTOR / 2),
        How::Zero => {
            let hit = written.draw(&mut dice) as u64;
            zero(&file, hit / SECTOR * SECTOR, SECTOR)
        }
    };
    let offset = offset
        .and_then(|at| file.sync_all().map(|()| at))
        .map_err(failed)?;
    Ok(Damaged {
        file: path,
        offset,
        how: damage.how,
    })
}

/// What a file holds, up to the last byte that is not zero.
struct Written(Vec<u8>);

impl Written {
    fn of(path: &Path) -> Result<Written, DiskError> {
        let mut bytes = fs::read(path).map_err(|why| DiskError::System {
            what: format!("read {}", path.display()),
            why,
        })?;
        let end = bytes.iter().rposition(|byte| *byte != 0);
        bytes.truncate(end.map_or(0, |last| last + 1));
        Ok(Written(bytes))
    }

    fn end(&self) -> u64 {
        self.0.len() as u64
    }

    /// The place of a byte that is not zero. There is one: the last.
    fn draw(&self, dice: &mut Dice) -> usize {
        let from = dice.below(self.end()) as usize;
        let next = self.0.iter().skip(from).position(|byte| *byte != 0);
        from + next.unwrap_or_default()
    }
}

/// Turns bits round, each in a byte that was written; says where the first one is.
fn flip(file: &File, written: &Written, bits: u32, dice: &mut Dice) -> io::Result<u64> {
    let mut places = BTreeSet::new();
    // A small file may have fewer bytes than bits are asked for.
    for _ in 0..bits.max(1) {
        places.insert(written.draw(dice));
    }
    for place in &places {
        let byte = written.0.get(*place).copied().unwrap_or_default();
        let turned = byte ^ (1 << dice.below(8));
        file.write_all_at(&[turned], *place as u64)?;
    }
    Ok(places.first().map_or(0, |place| *place as u64))
}

/// Ends the file in the second half of what was written.
fn truncate(file: &File, written: &Written, dice: &mut Dice) -> io::Result<u64> {
    let half = written.end() / 2;
    let end = half + dice.below(written.end() - half);
    file.set_len(end)?;
    Ok(end)
}

/// From where on the last sector is zeros: from its middle, or, if no more than that was written,
/// from the middle of what was.
fn tear(end: u64) -> u64 {
    let sector = (end - 1) / SECTOR * SECTOR;
    match sector + SECTOR / 2 {
        middle if middle < end => middle,
        _ => sector + (end - sector) / 2,
    }
}

fn zero(file: &File, from: u64, bytes: u64) -> io::Result<u64> {
    let bytes = bytes.min(file.metadata()?.len().saturating_sub(from));
    file.write_all_at(&vec![0; bytes as usize], from)?;
    Ok(from)
}

/// All files below a folder, by name.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let failed = |why| DiskError::System {
        what: format!("list {}", folder.display()),
        why,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three files of a log: full, half full, prepared.
    fn log() -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("log");
        fs::create_dir(&folder).unwrap();
        let file = |name: &str, written: usize| {
            let mut bytes = vec![0xa5; written];
            bytes.resize(8192, 0);
            fs::write(folder.join(name), bytes).unwrap();
        };
        file("1.log", 8192);
        file("2.log", 4000);
        file("3.log", 0);
        data
    }

    fn differences(before: &[u8], after: &[u8]) -> Vec<usize> {
        let pairs = before.iter().zip(after).enumerate();
        pairs
            .filter(|(_, (one, other))| one != other)
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn only_what_was_written_is_hit() {
        for seed in 0..12 {
            for how in [
                How::Flip(1),
                How::Flip(5),
                How::Truncate,
                How::Tear,
                How::Zero,
            ] {
                let data = log();
                let before = |file: &Path| match file.ends_with("1.log") {
                    true => 8192,
                    false => 4000,
                };
                let part = Part::Log;
                let hit = inflict(data.path(), Damage { part, how }, seed).unwrap();
                assert!(!hit.file.ends_with("3.log"), "{hit:?}");
                let after = fs::read(&hit.file).unwrap();
                let mut written = vec![0xa5; before(&hit.file)];
                written.resize(8192, 0);
                let changed = differences(&written, &after);
                match how {
                    How::Flip(bits) => {
                        assert!((1..=bits as usize).contains(&changed.len()), "{hit:?}");
                        assert_eq!(changed[0] as u64, hit.offset);
                        assert!(changed.iter().all(|at| after[*at] != 0xa5));
                    }
                    How::Truncate => {
                        assert!(hit.file.ends_with("2.log"), "{hit:?}");
                        assert_eq!(after.len() as u64, hit.offset);
                        assert!((2000..4000).contains(&after.len()));
                    }
                    How::Tear => assert_eq!(changed, (3840..4000).collect::<Vec<_>>()),
                    How::Zero => assert!((400..=512).contains(&changed.len()), "{hit:?}"),
                }
            }
        }
    }

    #[test]
    fn a_tear_takes_something_away() {
        let rows = [
            (4000, 3840),
            (8192, 7936),
            (3841, 3840),
            (3840, 3712),
            (3585, 3584),
        ];
        for (end, from) in rows {
            assert_eq!(tear(end), from, "{end}");
            assert!(tear(end) < end);
        }
    }

    #[test]
    fn a_seed_hits_the_same_place_again() {
        let damage = Damage {
            part: Part::Log,
            how: How::Flip(1),
        };
        let place = |seed| inflict(log().path(), damage, seed).unwrap().offset;
        assert_eq!(place(4), place(4));
        let places: BTreeSet<u64> = (0..20).map(place).collect();
        assert!(places.len() > 10, "{places:?}");
    }

    #[test]
    fn nothing_written_is_an_error() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("store")).unwrap();
        fs::write(data.path().join("store/db"), vec![0; 4096]).unwrap();
        let damage = Damage {
            part: Part::Store,
            how: How::Zero,
        };
        let error = inflict(data.path(), damage, 1).unwrap_err();
        assert!(matches!(error, DiskError::Nothing(_)), "{error}");
    }
}
