//! The log of the node.

use super::GroupLog;
use super::books::Books;
use super::group::Group;
use super::kinds::{
    CreateGroupError, DiskFull, GroupFault, GroupLogState, LogOptions, LogUsage, OpenLogError,
    Recovery,
};
use super::limits::RESERVE_DIVISOR;
use super::queue::{Item, What};
use super::recover::{recover, report, standing};
use super::scan::{failed, scan};
use super::shared::Shared;
use super::writer::Writer;
use crate::disk::Disk;
use florin_failpoints::failpoint;
use florin_ledger::id::GroupId;
use parking_lot::Mutex;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

/// The write-ahead log of a node. Clones are the same log; it closes when the last one is dropped.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// Groups are created and removed one at a time.
    changing: Mutex<()>,
    drive: Drive,
}

/// Who turns the crank.
enum Drive {
    Threads {
        writer: Mutex<Option<JoinHandle<()>>>,
        keeper: Mutex<Option<JoinHandle<()>>>,
    },
    Steps(Box<Mutex<Writer>>),
}

impl Log {
    /// Opens the log on a folder, recovers it, and starts its threads.
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<(Log, Recovery), OpenLogError> {
        let (writer, shared, recovery) = recover(disk, options)?;
        let keeping = Arc::clone(&shared);
        let keeper = spawn("log-keeper", &shared, move || {
            if let Err(error) = keeping.segments.keep() {
                keeping.fail("cannot prepare a segment", &error);
            }
        })?;
        let writer = spawn("log-writer", &shared, move || writer.run())?;
        let drive = Drive::Threads {
            writer: Mutex::new(Some(writer)),
            keeper: Mutex::new(Some(keeper)),
        };
        Ok((Log::new(shared, drive), recovery))
    }

    /// Opens the log without threads: nothing is written until [`Log::step`] is called. For
    /// simulations, where the same seed must give the same run.
    pub fn open_stepped(
        disk: Arc<dyn Disk>,
        options: LogOptions,
    ) -> Result<(Log, Recovery), OpenLogError> {
        let (writer, shared, recovery) = recover(disk, options)?;
        let drive = Drive::Steps(Box::new(Mutex::new(writer)));
        Ok((Log::new(shared, drive), recovery))
    }

    fn new(shared: Arc<Shared>, drive: Drive) -> Log {
        let inner = Inner {
            shared,
            changing: Mutex::new(()),
            drive,
        };
        Log {
            inner: Arc::new(inner),
        }
    }

    /// Reads a log and says what [`Log::open`] would find. Changes nothing.
    pub fn inspect(disk: &dyn Disk) -> Result<Recovery, OpenLogError> {
        Ok(report(&scan(disk, None)?))
    }

    /// Reads a log and says where each group that is whole stands, in order. Changes nothing.
    pub fn standing(disk: &dyn Disk) -> Result<Vec<(GroupId, GroupLogState)>, OpenLogError> {
        Ok(standing(&scan(disk, None)?))
    }

    /// Writes what is queued and answers it, in a log without threads; nothing otherwise. False if
    /// the disk has no room for it.
    pub fn step(&self) -> bool {
        match &self.inner.drive {
            Drive::Threads { .. } => true,
            Drive::Steps(writer) => self.inner.step(&mut writer.lock()),
        }
    }

    /// The groups that the log holds and that are whole, in order.
    pub fn groups(&self) -> Vec<GroupId> {
        self.inner.shared.groups.lock().keys().copied().collect()
    }

    /// The groups that are damaged.
    pub fn faulty(&self) -> Vec<GroupFault> {
        let faulty = self.inner.shared.faulty.lock();
        let faults = faulty.iter().map(|(group, reason)| GroupFault {
            group: *group,
            reason: reason.clone(),
        });
        faults.collect()
    }

    /// Makes a new group; durable on return. Blocks for as long as a round takes.
    pub fn create_group(&self, group: GroupId) -> Result<GroupLog, CreateGroupError> {
        let _changing = self.inner.changing.lock();
        let shared = &self.inner.shared;
        if shared.groups.lock().contains_key(&group) {
            return Err(CreateGroupError::Exists(group));
        }
        let fault = shared.faulty.lock().get(&group).cloned();
        if let Some(reason) = fault {
            return Err(CreateGroupError::Faulty(GroupFault { group, reason }));
        }
        let groups = shared.groups.lock().len() + shared.faulty.lock().len() + 1;
        let room = shared.options.segment_bytes / RESERVE_DIVISOR;
        if Books::summary_bound(groups) as u64 > room {
            return Err(CreateGroupError::TooMany);
        }
        failpoint!("storage.log.create");
        let made = Arc::new(Group::new(group));
        self.inner.ask(What::Create(Arc::clone(&made)))?;
        Ok(GroupLog {
            shared: Arc::clone(shared),
            group: made,
        })
    }

    /// Forgets a group, whole or faulty, with all its entries and its vote; durable on return.
    /// Handles to it fail from then on. False if there is no such group.
    pub fn remove_group(&self, group: GroupId) -> io::Result<bool> {
        let _changing = self.inner.changing.lock();
        failpoint!("storage.log.remove");
        let shared = &self.inner.shared;
        let whole = shared.groups.lock().remove(&group);
        let Some(whole) = whole else {
            if !shared.faulty.lock().contains_key(&group) {
                return Ok(false);
            }
            return self.inner.ask(What::Remove(group)).map(|()| true);
        };
        // From here on the group takes nothing, so nothing of it can be queued after its removal.
        for done in whole.remove() {
            done(Err(io::ErrorKind::NotFound.into()));
        }
        self.inner.ask(What::Remove(group)).map(|()| true)
    }

    /// The log of a group; `None` if it is not there or faulty.
    pub fn group(&self, group: GroupId) -> Option<GroupLog> {
        let shared = &self.inner.shared;
        let group = shared.groups.lock().get(&group).cloned()?;
        Some(GroupLog {
            shared: Arc::clone(shared),
            group,
        })
    }

    /// Whether there is room for new work. Cheap; ask before each proposal.
    pub fn writable(&self) -> Result<(), DiskFull> {
        self.inner.shared.segments.writable()
    }

    /// Bytes of the largest entry that is taken.
    pub fn entry_bytes_max(&self) -> usize {
        self.inner.shared.entry_bytes_max()
    }

    /// What the log takes on the disk, and which group keeps it from shrinking.
    pub fn usage(&self) -> LogUsage {
        self.inner.shared.segments.usage()
    }

    /// Writes what is queued, seals the log and ends its threads. Later operations fail.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    /// Queues something and waits until it is durable.
    fn ask(&self, what: What) -> io::Result<()> {
        let (sender, answer) = channel();
        let done = Box::new(move |result| drop(sender.send(result)));
        self.shared
            .queue
            .push([Item::new(what, Some(done))])
            .answer();
        if let Drive::Steps(writer) = &self.drive {
            // One step writes all that is queued, unless the disk is full.
            if !self.step(&mut writer.lock()) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        answer
            .recv()
            .unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }

    /// Writes until the queue is empty; each segment that fills up makes room for the next.
    fn step(&self, writer: &mut Writer) -> bool {
        loop {
            let written = writer.step();
            match self.shared.segments.work() {
                Ok(_) if written => return true,
                Ok(None) => {}
                Ok(Some(_)) => return false,
                Err(error) => drop(self.shared.fail("cannot prepare a segment", &error)),
            }
        }
    }

    fn close(&self) {
        self.shared.queue.close();
        self.shared.segments.closing();
        match &self.drive {
            Drive::Threads { writer, keeper } => {
                join(writer);
                self.shared.segments.close();
                join(keeper);
            }
            Drive::Steps(writer) => {
                let mut writer = writer.lock();
                self.step(&mut writer);
                writer.end();
                self.shared.segments.close();
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Starts a thread of the log. A panic in it must not leave callers waiting for ever.
fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenLogError> {
    let shared = Arc::clone(shared);
    let guarded = move || {
        if panic::catch_unwind(AssertUnwindSafe(run)).is_err() {
            let error = io::Error::other("a bug, or a completion that panicked");
            let stopped = shared.fail("a thread of the log has panicked", &error);
            shared.answer_queue(&stopped);
        }
    };
    let spawned = thread::Builder::new().name(name.into()).spawn(guarded);
    spawned.map_err(failed("cannot start a thread"))
}

/// Waits for a thread to end, unless it is the one that asks.
fn join(handle: &Mutex<Option<JoinHandle<()>>>) {
    let handle = handle.lock().take();
    if let Some(handle) = handle
        && handle.thread().id() != thread::current().id()
    {
        // A panic of the thread has been reported where it happened.
        let _ = handle.join();
    }
}
