//! A disk in memory that tests can break: unsynced writes are lost or torn by a power cut, bits
//! flip, writes go astray, calls fail, the disk fills up. The same seed gives the same damage.

mod content;
mod faults;

pub use faults::{Counts, Faults, Misdirected};

use super::{Disk, DiskFile};
use content::Content;
use faults::Dice;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// A simulated disk with one folder. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The names as they are, and as a power cut may find them.
    names: BTreeMap<String, Arc<Mutex<Content>>>,
    durable_names: BTreeMap<String, Arc<Mutex<Content>>>,
    capacity: Option<u64>,
    cut: bool,
    faults: Faults,
    counts: Counts,
}

struct SimFile {
    state: Arc<Mutex<State>>,
    content: Arc<Mutex<Content>>,
}

impl SimDisk {
    /// An empty disk without limits and faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many bytes the files may have together.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Sets what shall go wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// What was asked so far.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    /// Cuts the power: this disk and its open files fail from now on, and the disk that is
    /// returned holds what survived. Of what was not synced, each sector and each change of a name
    /// is there or not, as the seed has it; some seeds keep or lose all of it.
    pub fn power_cut(&self, seed: u64) -> SimDisk {
        let mut state = self.state.lock();
        state.cut = true;
        let mut dice = Dice(seed);
        // All, nothing, or anything in between.
        let keep = match dice.roll(4) {
            0 => 0,
            1 => 100,
            _ => 1 + dice.roll(99),
        };
        let names = state.surviving_names(&mut dice, keep);
        let mut survivor = State {
            capacity: state.capacity,
            ..State::default()
        };
        for (name, content) in names {
            let content = content.lock().survivor(&mut dice, keep);
            let content = Arc::new(Mutex::new(content));
            survivor.names.insert(name.clone(), Arc::clone(&content));
            survivor.durable_names.insert(name, content);
        }
        SimDisk {
            state: Arc::new(Mutex::new(survivor)),
        }
    }

    /// A copy of the disk as a process finds it that starts again after a kill: nothing is lost,
    /// and nothing more is durable. This disk and its open files fail from now on.
    pub fn kill(&self) -> SimDisk {
        let copy = self.copy();
        self.state.lock().cut = true;
        copy
    }

    /// An independent copy of the disk, without its faults.
    pub fn copy(&self) -> SimDisk {
        let state = self.state.lock();
        let mut copy = State {
            capacity: state.capacity,
            ..State::default()
        };
        for (name, content) in &state.names {
            let content = Arc::new(Mutex::new(content.lock().clone()));
            copy.names.insert(name.clone(), content);
        }
        for (name, content) in &state.durable_names {
            let shared = state
                .names
                .get(name)
                .filter(|c| Arc::ptr_eq(c, content))
                .and_then(|_| copy.names.get(name).cloned());
            let content = shared.unwrap_or_else(|| Arc::new(Mutex::new(content.lock().clone())));
            copy.durable_names.insert(name.clone(), content);
        }
        SimDisk {
            state: Arc::new(Mutex::new(copy)),
        }
    }

    /// The content of a file.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let content = state.names.get(name)?.lock();
        Some(content.bytes.clone())
    }

    /// Replaces the content of a file, durably; makes the file if it is not there.
    pub fn set_bytes(&self, name: &str, bytes: Vec<u8>) {
        let content = Content {
            durable: bytes.clone(),
            bytes,
            unsynced: BTreeSet::new(),
        };
        let content = Arc::new(Mutex::new(content));
        let mut state = self.state.lock();
        state.names.insert(name.into(), Arc::clone(&content));
        state.durable_names.insert(name.into(), content);
    }

    /// Flips one bit of a file, in memory and on the platter. False if there is no such bit.
    pub fn flip_bit(&self, name: &str, byte: usize, bit: u8) -> bool {
        let state = self.state.lock();
        let Some(content) = state.names.get(name) else {
            return false;
        };
        let mut content = content.lock();
        let mask = 1 << (bit % 8);
        let Content { bytes, durable, .. } = &mut *content;
        if let Some(byte) = durable.get_mut(byte) {
            *byte ^= mask;
        }
        bytes.get_mut(byte).map(|byte| *byte ^= mask).is_some()
    }

    fn up(&self) -> io::Result<MutexGuard<'_, State>> {
        up(&self.state)
    }

    /// As `up`, for a call that changes something.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = up(&self.state)?;
        state.change()?;
        Ok(state)
    }
}

fn up(state: &Mutex<State>) -> io::Result<MutexGuard<'_, State>> {
    let state = state.lock();
    if state.cut {
        return Err(power_cut());
    }
    Ok(state)
}

fn power_cut() -> io::Error {
    io::Error::other("the power was cut")
}

impl State {
    /// Counts a call that changes something; the power may fail now.
    fn change(&mut self) -> io::Result<()> {
        self.counts.changes += 1;
        if Faults::spend(&mut self.faults.cut_after) {
            self.cut = true;
            return Err(power_cut());
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        let files = self.names.values();
        files.map(|content| content.lock().bytes.len() as u64).sum()
    }

    fn surviving_names(&self, dice: &mut Dice, keep: u64) -> BTreeMap<String, Arc<Mutex<Content>>> {
        let mut names = self.durable_names.clone();
        let all: BTreeSet<_> = self.names.keys().chain(names.keys()).cloned().collect();
        for name in all {
            let now = self.names.get(&name);
            let before = names.get(&name);
            let same = match (now, before) {
                (Some(now), Some(before)) => Arc::ptr_eq(now, before),
                (None, None) => true,
                _ => false,
            };
            if same || dice.roll(100) >= keep {
                continue;
            }
            match now {
                Some(content) => names.insert(name, Arc::clone(content)),
                None => names.remove(&name),
            };
        }
        names
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.up()?.names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.change()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if state
            .capacity
            .is_some_and(|room| state.used() + bytes > room)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let content: Arc<Mutex<Content>> = Arc::default();
        state.names.insert(name.into(), Arc::clone(&content));
        Ok(self.file(content))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let content = self.up()?.names.get(name).cloned();
        Ok(self.file(content.ok_or(io::ErrorKind::NotFound)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.change()?;
        let content = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.into(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.change()?.names.remove(name);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.change()?;
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.up()?;
        let capacity = state.capacity.unwrap_or(u64::MAX);
        Ok(capacity.saturating_sub(state.used()))
    }
}

impl SimDisk {
    fn file(&self, content: Arc<Mutex<Content>>) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            state: Arc::clone(&self.state),
            content,
        })
    }
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        let _state = up(&self.state)?;
        Ok(self.content.lock().bytes.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = up(&self.state)?;
        if let Some((name, at)) = &state.faults.unreadable {
            let hit = (offset..offset + buffer.len() as u64).contains(at);
            let this = state.names.get(name);
            if hit && this.is_some_and(|content| Arc::ptr_eq(content, &self.content)) {
                return Err(io::Error::other("simulated EIO"));
            }
        }
        let content = self.content.lock();
        let start = offset as usize;
        let from = content.bytes.get(start..start + buffer.len());
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = up(&self.state)?;
        if Faults::spend(&mut state.faults.fail_writes_after) {
            return Err(io::Error::other("simulated EIO"));
        }
        let (mut target, mut at) = (Arc::clone(&self.content), offset);
        if let Some(astray) = &mut state.faults.misdirect {
            if astray.after == 0 {
                at = astray.offset;
                let name = astray.name.clone();
                target = state.names.get(&name).cloned().unwrap_or(target);
                state.faults.misdirect = None;
            } else {
                astray.after -= 1;
            }
        }
        let length = target.lock().bytes.len() as u64;
        let grows = (at + bytes.len() as u64).saturating_sub(length);
        if state
            .capacity
            .is_some_and(|room| state.used() + grows > room)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.counts.writes += 1;
        state.counts.bytes += bytes.len() as u64;
        target.lock().write(bytes, at as usize);
        // The power may fail while it is written; what arrives is up to the cut.
        state.change()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = up(&self.state)?;
        state.change()?;
        if Faults::spend(&mut state.faults.fail_syncs_after) {
            // The kernel marks the pages clean: a later sync has nothing left to write.
            self.content.lock().unsynced.clear();
            return Err(io::Error::other("simulated EIO"));
        }
        state.counts.syncs += 1;
        self.content.lock().sync();
        Ok(())
    }
}
