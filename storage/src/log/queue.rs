//! The one queue to the writer: first in, first out, for everything of every group.
//!
//! It is bounded by what raft keeps in flight per group; it never makes a caller wait.

use super::group::{Done, Group};
use super::kinds::LogEntry;
use crate::position::LogPosition;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the writer is asked for.
pub(super) enum What {
    Entry(Arc<Group>, LogEntry, u64),
    /// As an entry, in place of one that is damaged.
    Mend(Arc<Group>, LogEntry, u64),
    Vote(GroupId, Bytes),
    Truncate(GroupId, Option<LogPosition>),
    Purge(GroupId, LogPosition),
    Create(Arc<Group>),
    Remove(GroupId),
    /// An operation that was refused; it is answered in its turn.
    Refused(io::Error),
    /// Nothing to write; it is answered in its turn.
    Nothing,
}

/// One thing to do, and whom to tell.
pub(super) struct Item {
    pub(super) what: What,
    pub(super) done: Option<Done>,
}

impl Item {
    pub(super) fn new(what: What, done: Option<Done>) -> Self {
        Item { what, done }
    }
}

/// Why the queue takes nothing any more.
#[derive(Debug, Clone)]
pub(super) struct Stopped(Arc<str>);

impl Stopped {
    pub(super) fn new(reason: &str) -> Self {
        Stopped(reason.into())
    }

    pub(super) fn error(&self) -> io::Error {
        io::Error::other(self.0.to_string())
    }
}

/// Completions of operations that the queue did not take.
#[must_use]
pub(super) struct Rejected(Option<(Stopped, Vec<Done>)>);

impl Rejected {
    pub(super) fn answer(self) {
        if let Some((stopped, dones)) = self.0 {
            for done in dones {
                done(Err(stopped.error()));
            }
        }
    }
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    closed: bool,
    stopped: Option<Stopped>,
    writer_sleeps: bool,
}

/// The queue.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

/// What the writer woke up for.
pub(super) enum Woken {
    Work,
    Idle,
    Closed,
}

impl Queue {
    /// Adds items. What the queue does not take any more must be answered by the caller, outside
    /// of its locks.
    pub(super) fn push(&self, items: impl IntoIterator<Item = Item>) -> Rejected {
        let mut state = self.state.lock();
        let stopped = match &state.stopped {
            Some(stopped) => stopped.clone(),
            None if state.closed => Stopped::new("the log is closed"),
            None => {
                state.items.extend(items);
                if state.writer_sleeps && !state.items.is_empty() {
                    state.writer_sleeps = false;
                    self.filled.notify_one();
                }
                return Rejected(None);
            }
        };
        drop(state);
        let dones = items.into_iter().filter_map(|item| item.done).collect();
        Rejected(Some((stopped, dones)))
    }

    /// Waits until there is something and moves it to `items`, which is empty.
    pub(super) fn take(&self, items: &mut VecDeque<Item>, patience: Option<Duration>) -> Woken {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.state.lock();
        loop {
            if !state.items.is_empty() {
                std::mem::swap(&mut state.items, items);
                return Woken::Work;
            }
            if state.closed {
                return Woken::Closed;
            }
            state.writer_sleeps = true;
            match until {
                Some(until) => {
                    if self.filled.wait_until(&mut state, until).timed_out() {
                        state.writer_sleeps = false;
                        if state.items.is_empty() && !state.closed {
                            return Woken::Idle;
                        }
                    }
                }
                None => self.filled.wait(&mut state),
            }
        }
    }

    /// Moves what is there to `items`, without waiting.
    pub(super) fn try_take(&self, items: &mut VecDeque<Item>) -> bool {
        let mut state = self.state.lock();
        std::mem::swap(&mut state.items, items);
        !items.is_empty()
    }

    /// Takes nothing more; what is there is still written.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.writer_sleeps = false;
        self.filled.notify_one();
    }

    /// Takes nothing more, and nothing more is written.
    pub(super) fn stop(&self, stopped: Stopped) {
        self.state.lock().stopped.get_or_insert(stopped);
    }

    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.state.lock().stopped.clone()
    }
}
