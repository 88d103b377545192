//! The log of one group.

use super::books::GroupState;
use super::kinds::{GroupLogState, LogEntry};
use super::limits::VOTE_BYTES;
use super::queue::{Item, Rejected, Stopped, What};
use super::shared::Shared;
use super::slots::{Place, Slots};
use crate::position::LogPosition;
use bytes::Bytes;
use florin_failpoints::failpoint;
use florin_ledger::id::GroupId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Called once, on the log's writer thread, when an operation is durable or has failed. It must be
/// short and must not block: every group of the node waits behind it.
pub type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A handle to the log of one group. Clones are the same log.
#[derive(Clone)]
pub struct GroupLog {
    pub(super) shared: Arc<Shared>,
    pub(super) group: Arc<Group>,
}

/// A group in memory: what its callers see at once.
pub(super) struct Group {
    pub(super) id: GroupId,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    vote: Option<Bytes>,
    purged: Option<LogPosition>,
    last: Option<LogPosition>,
    slots: Slots,
    /// The last index up to which everything is durable or purged.
    durable: Option<u64>,
    appends: u64,
    waiters: BTreeMap<u64, Vec<Done>>,
    removed: bool,
}

impl GroupLog {
    /// The group.
    pub fn id(&self) -> GroupId {
        self.group.id
    }

    /// Appends entries. They are readable when this returns and durable when `done` is called with
    /// `Ok`. Completions come back in the order of the calls, over all groups of the node. The
    /// first index must follow the last one; an empty log takes any.
    pub fn append(&self, entries: Vec<LogEntry>, done: Done) {
        failpoint!("storage.log.append");
        // The queue is filled under the group's lock, so both have the same order.
        let mut memory = self.group.memory.lock();
        if let Err(error) = memory.check_append(&entries, self.shared.entry_bytes_max()) {
            let rejected = self.push(What::Refused(error), Some(done));
            drop(memory);
            return rejected.answer();
        }
        memory.appends += 1;
        let serial = memory.appends;
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            memory.last = Some(entry.position);
            memory
                .slots
                .append(entry.position, entry.payload.clone(), serial);
            let what = What::Entry(Arc::clone(&self.group), entry, serial);
            items.push(Item::new(what, None));
        }
        match items.last_mut() {
            Some(last) => last.done = Some(done),
            None => items.push(Item::new(What::Nothing, Some(done))),
        }
        let rejected = self.shared.queue.push(items);
        drop(memory);
        rejected.answer();
    }

    /// The entries whose bytes are damaged on the disk, in order. All else of the group is whole:
    /// which entries it has, what they should be, and its vote. It must not take part in consensus
    /// before they are mended, or purged because its ledger holds them.
    pub fn damaged(&self) -> Vec<LogPosition> {
        self.group.memory.lock().slots.damaged()
    }

    /// Puts a damaged entry right, as another replica has it. The same position is the same entry
    /// everywhere, and its checksum must be the one that was written here: anything else is
    /// refused. Durable when `done` is called with `Ok`.
    pub fn mend(&self, entry: LogEntry, done: Done) {
        let mut memory = self.group.memory.lock();
        memory.appends += 1;
        let serial = memory.appends;
        let what = if memory.removed {
            What::Refused(removed())
        } else if memory.slots.mend(entry.position, &entry.payload, serial) {
            What::Mend(Arc::clone(&self.group), entry, serial)
        } else {
            let position = entry.position;
            What::Refused(invalid(format!("entry {position} is not what it was here")))
        };
        let rejected = self.push(what, Some(done));
        drop(memory);
        rejected.answer();
    }

    /// Saves the vote, in the same queue as appends.
    pub fn save_vote(&self, vote: Bytes, done: Done) {
        failpoint!("storage.log.vote");
        let mut memory = self.group.memory.lock();
        let what = if memory.removed {
            What::Refused(removed())
        } else if vote.len() > VOTE_BYTES {
            What::Refused(invalid(format!("a vote of {} bytes", vote.len())))
        } else {
            memory.vote = Some(vote.clone());
            What::Vote(self.group.id, vote)
        };
        let rejected = self.push(what, Some(done));
        drop(memory);
        rejected.answer();
    }

    /// Drops the entries after `last_kept` (all of them for `None`), in the same queue: it is on
    /// the disk before any later append.
    pub fn truncate_after(&self, last_kept: Option<u64>) {
        failpoint!("storage.log.truncate");
        self.truncate(&mut self.group.memory.lock(), last_kept);
    }

    fn truncate(&self, memory: &mut Memory, last_kept: Option<u64>) {
        let kept = match last_kept {
            Some(kept) if memory.last.is_none_or(|last| kept >= last.index) => return,
            Some(kept) => memory.slots.position(kept).or(memory.purged),
            None => memory.purged,
        };
        if memory.removed || kept == memory.last {
            return;
        }
        let index = kept.map(|kept| kept.index);
        memory.last = kept;
        memory.slots.truncate_after(index);
        memory.durable = memory.durable.min(index);
        // Nobody waits for it: there is nothing to answer if the queue has stopped.
        let _rejected = self.push(What::Truncate(self.group.id, kept), None);
    }

    /// Drops the entries up to and with `upto`, which may lie beyond the last one. What is purged
    /// is committed: if the entry there is of another term, it and all that follow it never will
    /// be, and they go as well.
    pub fn purge(&self, upto: LogPosition) {
        failpoint!("storage.log.purge");
        let mut memory = self.group.memory.lock();
        if memory.removed
            || memory
                .purged
                .is_some_and(|purged| purged.index >= upto.index)
        {
            return;
        }
        let held = memory.slots.position(upto.index);
        if held.is_some_and(|held| held != upto) {
            self.truncate(&mut memory, upto.index.checked_sub(1));
        }
        memory.purged = Some(upto);
        memory.last = memory
            .last
            .filter(|last| last.index > upto.index)
            .or(Some(upto));
        memory.slots.purge(upto.index);
        memory.durable = memory.durable.max(Some(upto.index));
        let _rejected = self.push(What::Purge(self.group.id, upto), None);
        let woken = memory.take_woken();
        drop(memory);
        woken.into_iter().for_each(|done| done(Ok(())));
    }

    /// The entries of `range` that are there, in order, as many as fit in `max_bytes` of payload
    /// but at least one. Damage found on the way is `InvalidData`.
    pub fn read(&self, range: Range<u64>, max_bytes: usize) -> io::Result<Vec<LogEntry>> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut next = range.start;
        loop {
            // What is in memory is taken under the lock, what is on the disk is read without it.
            let on_disk = {
                let memory = self.group.memory.lock();
                let there = memory.slots.range();
                next = next.max(there.start);
                let end = range.end.min(there.end);
                memory.collect(&mut next, end, max_bytes, &mut bytes, &mut entries)?
            };
            let Some((position, place)) = on_disk else {
                return Ok(entries);
            };
            match self.shared.read_entry(self.group.id, position, place) {
                Ok(payload) => entries.push(LogEntry { position, payload }),
                Err(error) if self.group.has(position, place) => return Err(error),
                // It was purged or truncated meanwhile; go on with what is left.
                Err(_) => continue,
            }
            bytes += place.body_len as usize;
            next = position.index + 1;
        }
    }

    /// The position of the entry `index`; `None` if it is purged or was never here.
    pub fn position(&self, index: u64) -> Option<LogPosition> {
        self.group.memory.lock().slots.position(index)
    }

    /// Vote, purged and last position, as of the calls so far (not all of it durable yet).
    pub fn state(&self) -> GroupLogState {
        let memory = self.group.memory.lock();
        GroupLogState {
            vote: memory.vote.clone(),
            purged: memory.purged,
            last: memory.last,
        }
    }

    /// The last index up to which every entry is durable here (or purged); `None` if there is none.
    pub fn durable(&self) -> Option<u64> {
        self.group.memory.lock().durable
    }

    /// Calls `done` once the entry `index` is durable: at once if it is, else on the writer thread.
    pub fn on_durable(&self, index: u64, done: Done) {
        let mut memory = self.group.memory.lock();
        let answer = if memory.durable >= Some(index) {
            Ok(())
        } else if memory.removed {
            Err(removed())
        } else if let Some(stopped) = self.shared.queue.stopped() {
            Err(stopped.error())
        } else {
            memory.waiters.entry(index).or_default().push(done);
            return;
        };
        drop(memory);
        done(answer);
    }

    fn push(&self, what: What, done: Option<Done>) -> Rejected {
        self.shared.queue.push([Item::new(what, done)])
    }
}

impl Group {
    pub(super) fn new(id: GroupId) -> Self {
        Group {
            id,
            memory: Mutex::default(),
        }
    }

    /// A group as recovery found it: all of it is durable.
    pub(super) fn recovered(id: GroupId, state: &GroupState, slots: Slots) -> Self {
        let memory = Memory {
            vote: state.vote.clone().map(Bytes::from),
            purged: state.purged,
            last: state.last,
            slots,
            durable: state.last.map(|last| last.index),
            ..Memory::default()
        };
        Group {
            id,
            memory: Mutex::new(memory),
        }
    }

    /// Notes that an entry is durable, and returns those who waited for it.
    pub(super) fn located(&self, index: u64, serial: u64, place: Place) -> Vec<Done> {
        let mut memory = self.memory.lock();
        if !memory.slots.locate(index, serial, place) {
            return Vec::new();
        }
        memory.durable = memory.durable.max(Some(index));
        memory.take_woken()
    }

    pub(super) fn evict(&self, index: u64, place: Place) {
        self.memory.lock().slots.evict(index, place);
    }

    /// Ends the group: nothing of it is taken any more.
    pub(super) fn remove(&self) -> Vec<Done> {
        let mut memory = self.memory.lock();
        memory.removed = true;
        memory.take_waiters()
    }

    /// Answers everybody who waits with an error, because nothing more will be written.
    pub(super) fn stop(&self, stopped: &Stopped) {
        let waiters = self.memory.lock().take_waiters();
        for done in waiters {
            done(Err(stopped.error()));
        }
    }

    fn has(&self, position: LogPosition, place: Place) -> bool {
        let memory = self.memory.lock();
        let slot = memory.slots.get(position.index);
        slot.is_some_and(|slot| slot.place == Some(place))
    }
}

impl Memory {
    fn check_append(&self, entries: &[LogEntry], bytes_max: usize) -> io::Result<()> {
        if self.removed {
            return Err(removed());
        }
        let mut expected = self.last.map(|last| last.index + 1);
        for entry in entries {
            let index = entry.position.index;
            if expected.is_some_and(|expected| expected != index) {
                let expected = expected.unwrap_or_default();
                return Err(invalid(format!(
                    "entry {index} where {expected} should follow"
                )));
            }
            if entry.payload.len() > bytes_max {
                let bytes = entry.payload.len();
                return Err(invalid(format!(
                    "entry {index} has {bytes} bytes, over {bytes_max}"
                )));
            }
            expected = Some(index + 1);
        }
        Ok(())
    }

    /// Takes entries from `next` on while they are in memory; returns the first that is not.
    fn collect(
        &self,
        next: &mut u64,
        end: u64,
        max_bytes: usize,
        bytes: &mut usize,
        entries: &mut Vec<LogEntry>,
    ) -> io::Result<Option<(LogPosition, Place)>> {
        while *next < end {
            let index = *next;
            // A purge between two looks must not leave a hole in the answer.
            let follows = entries.last().map(|last| last.position.index + 1);
            if follows.is_some_and(|follows| follows != index) {
                break;
            }
            let Some(slot) = self.slots.get(index) else {
                break;
            };
            let position = LogPosition {
                term: slot.term,
                index,
            };
            let length = match (&slot.payload, slot.place) {
                (Some(payload), _) => payload.len(),
                (None, Some(place)) => place.body_len as usize,
                (None, None) => return Err(io::Error::other("an entry that is nowhere")),
            };
            if !entries.is_empty() && bytes.saturating_add(length) > max_bytes {
                break;
            }
            match (&slot.payload, slot.place) {
                (Some(payload), _) => entries.push(LogEntry {
                    position,
                    payload: payload.clone(),
                }),
                (None, place) => return Ok(place.map(|place| (position, place))),
            }
            *bytes += length;
            *next += 1;
        }
        Ok(None)
    }

    fn take_woken(&mut self) -> Vec<Done> {
        let Some(durable) = self.durable else {
            return Vec::new();
        };
        if self
            .waiters
            .first_key_value()
            .is_none_or(|(index, _)| *index > durable)
        {
            return Vec::new();
        }
        let later = self.waiters.split_off(&(durable + 1));
        let woken = std::mem::replace(&mut self.waiters, later);
        woken.into_values().flatten().collect()
    }

    fn take_waiters(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.waiters)
            .into_values()
            .flatten()
            .collect()
    }
}

fn removed() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the group was removed")
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
