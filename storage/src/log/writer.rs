//! The writer: takes what waits, writes it as one round, syncs once, and answers in order.

use super::books::{Books, Change};
use super::group::{Done, Group};
use super::limits::{ROUND_BYTES, SEAL_AFTER_MS, SECTOR};
use super::mark::Mark;
use super::queue::{Item, Stopped, What, Woken};
use super::record::{HEADER, Kind, record_len};
use super::round::{Round, Tip};
use super::shared::Shared;
use super::slots::Place;
use crate::disk::DiskFile;
use crate::position::LogPosition;
use florin_failpoints::{failpoint, mutant};
use florin_ledger::id::GroupId;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Summaries and seals are no group's.
const NO_GROUP: GroupId = GroupId(u32::MAX);

/// The only one who writes to segments in use.
pub(super) struct Writer {
    shared: Arc<Shared>,
    books: Books,
    tip: Tip,
    /// The segment in use and its length; none in a log that was never written to.
    file: Option<(Arc<dyn DiskFile>, u64)>,
    round: Round,
    pending: VecDeque<Item>,
    /// What is in the round, with the offset of its record in it.
    taken: Vec<(Item, usize)>,
    cached: VecDeque<(Arc<Group>, u64, Place)>,
    cached_bytes: usize,
    /// Something was written after the last seal.
    unsealed: bool,
    mark: Mark,
}

/// How an attempt to write a round ended.
enum Outcome {
    Written,
    NoRoom,
    Failed(&'static str, io::Error),
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        books: Books,
        tip: Tip,
        file: Option<(Arc<dyn DiskFile>, u64)>,
        mark: Mark,
    ) -> Self {
        Writer {
            shared,
            books,
            tip,
            file,
            round: Round::default(),
            pending: VecDeque::new(),
            taken: Vec::new(),
            cached: VecDeque::new(),
            cached_bytes: 0,
            unsealed: true,
            mark,
        }
    }

    /// The writer's thread.
    pub(super) fn run(mut self) {
        let patience = Duration::from_millis(SEAL_AFTER_MS);
        let mut incoming = VecDeque::new();
        loop {
            let patience = self.unsealed.then_some(patience);
            match self.shared.queue.take(&mut incoming, patience) {
                Woken::Work => self.pending.append(&mut incoming),
                Woken::Idle => self.seal(),
                Woken::Closed => break,
            }
            while !self.pending.is_empty() && self.shared.queue.stopped().is_none() {
                if !self.write(true) {
                    self.abandon(&Stopped::new("the log closed, and the disk had no room"));
                }
            }
            if let Some(stopped) = self.shared.queue.stopped() {
                return self.abandon(&stopped);
            }
        }
        self.end();
    }

    /// Writes what is queued, without waiting for anything. False if there is no room for it.
    pub(super) fn step(&mut self) -> bool {
        let mut incoming = VecDeque::new();
        self.shared.queue.try_take(&mut incoming);
        self.pending.append(&mut incoming);
        while !self.pending.is_empty() {
            if let Some(stopped) = self.shared.queue.stopped() {
                self.abandon(&stopped);
                return true;
            }
            if !self.write(false) {
                return false;
            }
        }
        true
    }

    /// Ends an orderly life: everything is written.
    pub(super) fn end(&mut self) {
        if self.unsealed && self.shared.queue.stopped().is_none() {
            self.seal();
        }
        self.abandon(&Stopped::new("the log is closed"));
    }

    /// Begins the first segment of a new log.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.round.clear();
        match self.roll_and_commit() {
            Outcome::Written => Ok(()),
            Outcome::NoRoom => Err(io::ErrorKind::StorageFull.into()),
            Outcome::Failed(_, error) => Err(error),
        }
    }

    fn roll_and_commit(&mut self) -> Outcome {
        if !self.roll(false) {
            return Outcome::NoRoom;
        }
        self.commit()
    }

    /// Writes one round of what is pending. False if there is no room.
    fn write(&mut self, wait: bool) -> bool {
        self.round.clear();
        self.taken.clear();
        let first = self.pending.iter().map(size).find(|size| *size > 0);
        if first.is_some_and(|first| first > self.left()) && !self.roll(wait) {
            return false;
        }
        self.fill();
        match self.commit() {
            Outcome::Written => self.complete(),
            Outcome::NoRoom => return false,
            Outcome::Failed(what, error) => {
                let stopped = self.shared.fail(what, &error);
                self.abandon(&stopped);
            }
        }
        true
    }

    /// What is left in the segment in use.
    fn left(&self) -> usize {
        let length = self.file.as_ref().map_or(0, |(_, length)| *length);
        length.saturating_sub(self.tip.offset) as usize
    }

    /// Goes to the next segment, whose first record sums up all groups.
    fn roll(&mut self, wait: bool) -> bool {
        failpoint!("storage.log.roll");
        let next = self.tip.segment + 1;
        let segments = &self.shared.segments;
        let Some(file) = segments.take(next, wait) else {
            segments.need(next);
            return false;
        };
        let length = segments.length();
        self.file = Some((file, length));
        self.tip.segment = next;
        self.tip.offset = 0;
        let place = LogPosition {
            term: 0,
            index: length,
        };
        let summary = self.books.summary();
        self.round
            .push(Kind::Summary, NO_GROUP, Some(place), &summary);
        true
    }

    /// Moves pending items into the round while they fit.
    fn fill(&mut self) {
        let room = self.left();
        let mut records = 0;
        while let Some(item) = self.pending.front() {
            let size = size(item);
            let fits = self.round.len() + size <= room.min(ROUND_BYTES);
            let alone = records == 0 && self.round.len() + size <= room;
            if size > 0 && !fits && !alone {
                break;
            }
            let Some(item) = self.pending.pop_front() else {
                break;
            };
            records += usize::from(size > 0);
            let at = self.encode(&item.what);
            self.taken.push((item, at));
        }
    }

    fn encode(&mut self, what: &What) -> usize {
        let (kind, group, position, body, change): (_, _, _, &[u8], _) = match what {
            What::Entry(group, entry, _) => {
                let at = entry.position;
                let change = Change::Entry(at);
                (Kind::Entry, group.id, Some(at), &entry.payload, change)
            }
            What::Mend(group, entry, _) => {
                let at = entry.position;
                (
                    Kind::Mend,
                    group.id,
                    Some(at),
                    &entry.payload,
                    Change::Mend(at),
                )
            }
            What::Vote(group, vote) => (Kind::Vote, *group, None, vote, Change::Vote(vote)),
            What::Truncate(group, kept) => {
                (Kind::Truncate, *group, *kept, &[], Change::Truncate(*kept))
            }
            What::Purge(group, upto) => {
                (Kind::Purge, *group, Some(*upto), &[], Change::Purge(*upto))
            }
            What::Create(group) => (Kind::Create, group.id, None, &[], Change::Create),
            What::Remove(group) => (Kind::Remove, *group, None, &[], Change::Remove),
            What::Refused(_) | What::Nothing => return 0,
        };
        let entered = self.books.enter(group, change, self.tip.segment);
        assert!(entered.is_ok(), "group {}: {entered:?}", group.0);
        self.round.push(kind, group, position, body)
    }

    /// One write and one sync.
    fn commit(&mut self) -> Outcome {
        let Some((file, length)) = &self.file else {
            return Outcome::NoRoom;
        };
        if self.round.is_empty() {
            return Outcome::Written;
        }
        let fresh = self.tip.offset == 0;
        let began = Instant::now();
        let (bytes, after) = self.round.finish(self.tip);
        assert!(after.offset <= *length, "a round longer than its segment");
        failpoint!(
            "storage.log.write",
            Outcome::Failed("cannot write", rustix::io::Errno::IO.into())
        );
        if let Err(error) = file.write_all_at(bytes, self.tip.offset) {
            return Outcome::Failed("cannot write", error);
        }
        failpoint!(
            "storage.log.sync",
            Outcome::Failed("cannot sync", rustix::io::Errno::IO.into())
        );
        let synced = if mutant!("flush-without-fsync") {
            Ok(())
        } else {
            file.sync_data()
        };
        if let Err(error) = synced
            && !mutant!("go-on-after-failed-fsync")
        {
            return Outcome::Failed("cannot sync", error);
        }
        metrics::histogram!("florin_log_round_seconds").record(began.elapsed().as_secs_f64());
        metrics::counter!("florin_log_bytes_total").increment(bytes.len() as u64);
        if fresh {
            let file = Arc::clone(file);
            self.shared.segments.install(after.segment, file, *length);
        }
        if let Err(error) = self.mark.set(after) {
            return Outcome::Failed("cannot write the mark", error);
        }
        self.tip = after;
        self.unsealed = true;
        self.shared.segments.set_left(self.left() as u64);
        Outcome::Written
    }

    /// Tells everybody, in the order in which they came.
    fn complete(&mut self) {
        let start = self.tip.offset.saturating_sub(self.round.len() as u64);
        let mut dones: Vec<(Done, io::Result<()>)> = Vec::new();
        let mut woken: Vec<(Done, io::Result<()>)> = Vec::new();
        let mut freed = start == 0;
        for (item, at) in std::mem::take(&mut self.taken) {
            let mut answer = Ok(());
            match item.what {
                What::Entry(group, entry, serial) | What::Mend(group, entry, serial) => {
                    let place = Place {
                        segment: self.tip.segment,
                        offset: (start + at as u64) as u32,
                        body_len: entry.payload.len() as u32,
                    };
                    let told = group.located(entry.position.index, serial, place);
                    woken.extend(told.into_iter().map(|done| (done, Ok(()))));
                    self.cached_bytes += HEADER + entry.payload.len();
                    let index = entry.position.index;
                    self.cached.push_back((group, index, place));
                }
                What::Create(group) => {
                    self.shared.groups.lock().insert(group.id, group);
                }
                What::Remove(group) => {
                    self.shared.faulty.lock().remove(&group);
                    freed = true;
                }
                What::Truncate(..) | What::Purge(..) => freed = true,
                What::Refused(error) => answer = Err(error),
                What::Vote(..) | What::Nothing => {}
            }
            dones.extend(item.done.map(|done| (done, answer)));
        }
        failpoint!("storage.log.answer");
        for (done, answer) in dones.into_iter().chain(woken) {
            done(answer);
        }
        failpoint!("storage.log.answered");
        self.evict();
        if freed {
            self.collect_garbage();
        }
    }

    /// Forgets the payloads written longest ago while there are too many in memory.
    fn evict(&mut self) {
        while self.cached_bytes > self.shared.options.cache_bytes {
            let Some((group, index, place)) = self.cached.pop_front() else {
                return;
            };
            self.cached_bytes -= HEADER + place.body_len as usize;
            group.evict(index, place);
        }
    }

    /// Lets the segments go that no group needs. What freed them is durable.
    pub(super) fn collect_garbage(&self) {
        let current = self.tip.segment;
        let needed = self.books.oldest_needed();
        let keep_from = needed.map_or(current, |(segment, _)| segment.min(current));
        let slowest = needed.map(|(_, group)| group);
        self.shared.segments.keep_from(keep_from, slowest);
    }

    /// Writes a round without content: damage to the rounds before it cannot pass as torn then.
    fn seal(&mut self) {
        if self.left() >= SECTOR {
            failpoint!("storage.log.seal");
            self.round.clear();
            self.round.push(Kind::Seal, NO_GROUP, None, &[]);
            if let Outcome::Failed(what, error) = self.commit() {
                self.shared.fail(what, &error);
                return;
            }
        }
        self.unsealed = false;
        if let Err(error) = self.mark.sync() {
            self.shared.fail("cannot sync the mark", &error);
        }
    }

    /// Answers everything with an error: nothing more will be written.
    fn abandon(&mut self, stopped: &Stopped) {
        self.shared.stop(stopped.clone());
        let taken = std::mem::take(&mut self.taken).into_iter();
        let mut items: VecDeque<_> = taken.map(|(item, _)| item).collect();
        items.append(&mut self.pending);
        let mut queued = VecDeque::new();
        self.shared.queue.try_take(&mut queued);
        for done in items.into_iter().chain(queued).filter_map(|item| item.done) {
            done(Err(stopped.error()));
        }
    }
}

/// The room that an item takes in a round.
fn size(item: &Item) -> usize {
    match &item.what {
        What::Entry(_, entry, _) | What::Mend(_, entry, _) => record_len(entry.payload.len()),
        What::Vote(_, vote) => record_len(vote.len()),
        What::Truncate(..) | What::Purge(..) | What::Create(_) | What::Remove(_) => record_len(0),
        What::Refused(_) | What::Nothing => 0,
    }
}
