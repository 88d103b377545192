//! The segment files: prepared ahead, in use, and removed when nobody needs them.
//!
//! A segment is made as `NUMBER.new`, filled with zeros, made durable, and only then named
//! `NUMBER.log`; the one after next is begun only when a round stands in the next one. So at most
//! one segment is empty, and it is the last.

use super::kinds::{DiskFull, LogUsage};
use super::limits::{RESERVE_DIVISOR, ROOM_POLL_MS, ZERO_BYTES, ZERO_BYTES_URGENT};
use crate::disk::{Disk, DiskFile};
use florin_failpoints::failpoint;
use florin_ledger::id::GroupId;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The number of the first segment of a log.
pub(super) const FIRST_SEGMENT: u64 = 1;
/// How the name of a file under preparation ends.
pub(super) const UNFINISHED: &str = ".new";
const SUFFIX: &str = ".log";

/// The name of a segment's file.
pub(super) fn segment_name(number: u64) -> String {
    format!("{number:016x}{SUFFIX}")
}

/// The number of the segment that a file of this name is.
pub(super) fn parse_name(name: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_suffix(SUFFIX)?, 16).ok()?;
    (segment_name(number) == name).then_some(number)
}

/// The segments of one log.
pub(super) struct Segments {
    disk: Arc<dyn Disk>,
    length: u64,
    min_free: u64,
    state: Mutex<State>,
    changed: Condvar,
    /// The last attempt to prepare a segment found no room.
    lacking: AtomicBool,
    free: AtomicU64,
    /// What is left in the segment in use.
    left: AtomicU64,
}

#[derive(Default)]
struct State {
    in_use: BTreeMap<u64, (Arc<dyn DiskFile>, u64)>,
    prepared: Option<(u64, Arc<dyn DiskFile>)>,
    wanted: Option<u64>,
    /// The writer waits for it.
    urgent: bool,
    /// Segments before this one may go.
    keep_from: u64,
    slowest: Option<GroupId>,
    closing: bool,
    closed: bool,
}

enum Duty {
    Remove(u64),
    Prepare { number: u64, urgent: bool },
    Nothing,
}

impl Segments {
    pub(super) fn new(disk: Arc<dyn Disk>, length: u64, min_free: u64) -> Self {
        Segments {
            disk,
            length,
            min_free,
            state: Mutex::default(),
            changed: Condvar::new(),
            lacking: AtomicBool::new(false),
            free: AtomicU64::new(u64::MAX),
            left: AtomicU64::new(u64::MAX),
        }
    }

    /// The length of new segments.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Takes a segment with records into the books. The next one is wanted from now on.
    pub(super) fn install(&self, number: u64, file: Arc<dyn DiskFile>, length: u64) {
        let mut state = self.state.lock();
        state.in_use.insert(number, (file, length));
        state.wanted = Some(number + 1);
        self.changed.notify_all();
    }

    /// Takes a segment that was prepared by an earlier run.
    pub(super) fn install_prepared(&self, number: u64, file: Arc<dyn DiskFile>) {
        self.state.lock().prepared = Some((number, file));
    }

    /// Takes segment `number` into use. With `wait`, waits until there is room for it; `None` if
    /// there is none and the log closes.
    pub(super) fn take(&self, number: u64, wait: bool) -> Option<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        loop {
            if let Some((_, file)) = state.prepared.take_if(|(ready, _)| *ready == number) {
                state.urgent = false;
                state.wanted = None;
                return Some(file);
            }
            if !wait || state.closed || (state.closing && self.lacking.load(Ordering::Relaxed)) {
                return None;
            }
            state.wanted = Some(number);
            state.urgent = true;
            self.changed.notify_all();
            self.changed.wait(&mut state);
        }
    }

    /// Says that the writer cannot go on without segment `number`.
    pub(super) fn need(&self, number: u64) {
        let mut state = self.state.lock();
        state.wanted = Some(number);
        state.urgent = true;
    }

    /// The file of a segment in use.
    pub(super) fn file(&self, number: u64) -> Option<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        state.in_use.get(&number).map(|(file, _)| Arc::clone(file))
    }

    /// Lets the segments before `number` go; `slowest` is the group that needs the rest.
    pub(super) fn keep_from(&self, number: u64, slowest: Option<GroupId>) {
        let mut state = self.state.lock();
        state.keep_from = number;
        state.slowest = slowest;
        self.changed.notify_all();
    }

    pub(super) fn set_left(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// Whether there is room for new work.
    pub(super) fn writable(&self) -> Result<(), DiskFull> {
        let reserve = self.length / RESERVE_DIVISOR;
        let enough = self.left.load(Ordering::Relaxed) >= reserve;
        if enough || !self.lacking.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(DiskFull {
            free_bytes: self.free.load(Ordering::Relaxed),
            needed_bytes: self.length + self.min_free,
        })
    }

    pub(super) fn usage(&self) -> LogUsage {
        let state = self.state.lock();
        LogUsage {
            segments: state.in_use.len(),
            bytes: state.in_use.values().map(|(_, length)| length).sum(),
            slowest: state.slowest,
        }
    }

    /// The keeper's thread: prepares and removes until the log is closed.
    pub(super) fn keep(&self) -> io::Result<()> {
        loop {
            let pause = self.work()?;
            let mut state = self.state.lock();
            if state.closed {
                return Ok(());
            }
            match (pause, state.duty()) {
                (Some(pause), _) => {
                    self.changed.wait_for(&mut state, pause);
                }
                (None, Duty::Nothing) => self.changed.wait(&mut state),
                _ => {}
            }
        }
    }

    /// Does what is to be done now. Returns how long to wait before trying again what failed.
    pub(super) fn work(&self) -> io::Result<Option<Duration>> {
        let again = Some(Duration::from_millis(ROOM_POLL_MS));
        loop {
            let duty = self.state.lock().duty();
            match duty {
                Duty::Nothing => return Ok(None),
                Duty::Remove(number) => {
                    if let Err(error) = self.remove(number) {
                        tracing::warn!(segment = number, %error, "cannot remove a log segment");
                        return Ok(again);
                    }
                }
                Duty::Prepare { number, urgent } => {
                    if !self.prepare(number, urgent)? {
                        return Ok(again);
                    }
                }
            }
        }
    }

    /// The oldest first, each made durable: a crash leaves no gap in the numbers.
    fn remove(&self, number: u64) -> io::Result<()> {
        failpoint!("storage.segment.remove", Err(rustix::io::Errno::IO.into()));
        match self.disk.remove(&segment_name(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.disk.sync_folder()?,
        }
        self.state.lock().in_use.remove(&number);
        Ok(())
    }

    /// Makes segment `number` ready. False if there is no room: what is left to others is taken
    /// only if the writer cannot go on otherwise.
    fn prepare(&self, number: u64, urgent: bool) -> io::Result<bool> {
        let free = self.disk.free_bytes()?;
        self.free.store(free, Ordering::Relaxed);
        let room = free >= self.length + self.min_free || (urgent && free >= self.length);
        let made = if room {
            self.make(number, urgent)
        } else {
            Err(io::ErrorKind::StorageFull.into())
        };
        let lacking = match made {
            Ok(file) => {
                let mut state = self.state.lock();
                state.prepared = Some((number, file));
                false
            }
            Err(error) if is_full(&error) => true,
            Err(error) => return Err(error),
        };
        if lacking != self.lacking.swap(lacking, Ordering::Relaxed) {
            tracing::warn!(free, full = lacking, "room for the log changed");
        }
        let _state = self.state.lock();
        self.changed.notify_all();
        Ok(!lacking)
    }

    fn make(&self, number: u64, urgent: bool) -> io::Result<Arc<dyn DiskFile>> {
        // Somebody who waits wants it soon; otherwise it must not get in the writer's way.
        let piece = if urgent {
            ZERO_BYTES_URGENT
        } else {
            ZERO_BYTES
        };
        let unfinished = format!("{number:016x}{UNFINISHED}");
        let made = self.disk.create(&unfinished, self.length).and_then(|file| {
            failpoint!(
                "storage.segment.fill",
                Err(io::ErrorKind::StorageFull.into())
            );
            fill_with_zeros(&*file, 0, self.length, piece)?;
            failpoint!("storage.segment.rename", Err(rustix::io::Errno::IO.into()));
            self.disk.rename(&unfinished, &segment_name(number))?;
            failpoint!("storage.segment.sync", Err(rustix::io::Errno::IO.into()));
            self.disk.sync_folder()?;
            failpoint!("storage.segment.ready");
            Ok(file)
        });
        if made.as_ref().is_err_and(is_full) {
            self.disk.remove(&unfinished)?;
        }
        made
    }

    /// Lets a writer that waits for room give up.
    pub(super) fn closing(&self) {
        self.state.lock().closing = true;
        self.changed.notify_all();
    }

    /// Ends the keeper.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

impl State {
    fn duty(&self) -> Duty {
        if self.closed {
            return Duty::Nothing;
        }
        if let Some((number, _)) = self.in_use.first_key_value()
            && *number < self.keep_from
        {
            return Duty::Remove(*number);
        }
        match self.wanted {
            Some(number) if self.prepared.is_none() => Duty::Prepare {
                number,
                urgent: self.urgent,
            },
            _ => Duty::Nothing,
        }
    }
}

/// Writes zeros and makes them durable, piece by piece.
pub(super) fn fill_with_zeros(
    file: &dyn DiskFile,
    from: u64,
    length: u64,
    piece: usize,
) -> io::Result<()> {
    let zeros = vec![0; piece];
    let mut done = 0;
    while done < length {
        let piece = (length - done).min(piece as u64);
        let zeros = zeros.get(..piece as usize).unwrap_or_default();
        file.write_all_at(zeros, from + done)?;
        file.sync_data()?;
        done += piece;
    }
    Ok(())
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}
