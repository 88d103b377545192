//! What all sessions of a load share: the record of what was asked and answered.

use crate::history::clock::Clock;
use crate::history::{Answer, Name, Operation, Request};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// Parts of the record, so that sessions do not wait for each other to write into it.
const PARTS: usize = 16;
/// Keys of each part that are kept to be sent again.
const KEPT: usize = 512;

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were sent, and answered or given up.
    pub sent: u64,
    /// Payments and transfers that were acknowledged for the first time.
    pub acknowledged: u64,
    /// What was refused for the first time.
    pub refused: u64,
    /// What surely did not happen.
    pub surely_not: u64,
    /// What was not answered.
    pub unknown: u64,
}

pub(super) struct Recorder {
    pub(super) clock: Clock,
    parts: [Mutex<Part>; PARTS],
    acknowledged: watch::Sender<u64>,
    sent: AtomicU64,
    refused: AtomicU64,
    surely_not: AtomicU64,
    unknown: AtomicU64,
    stop: AtomicBool,
}

#[derive(Default)]
struct Part {
    operations: Vec<Operation>,
    /// A sample of what was decided, old and new alike.
    decided: Vec<(Name, Request)>,
    decided_ever: u64,
}

impl Recorder {
    pub(super) fn new(clock: Clock) -> Recorder {
        Recorder {
            clock,
            parts: Default::default(),
            acknowledged: watch::Sender::new(0),
            sent: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            surely_not: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// Of what is called with the same `lane`, one part of the record is used.
    pub(super) fn record(&self, lane: usize, operation: Operation, chance: u64) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut acknowledged = false;
        match &operation.answer {
            Answer::Acknowledged { .. } => acknowledged = !operation.replayed,
            Answer::Refused { .. } => add(&self.refused, !operation.replayed),
            Answer::SurelyNot => add(&self.surely_not, true),
            Answer::Unknown => add(&self.unknown, true),
            Answer::Balance { .. } => {}
        }
        let mut part = self.part(lane);
        if operation.answer.is_final() && !operation.replayed {
            part.keep(&operation, chance);
        }
        part.operations.push(operation);
        drop(part);
        if acknowledged {
            self.acknowledged.send_modify(|count| *count += 1);
        }
    }

    /// Something that was decided before, by whomever.
    pub(super) fn decided(&self, chance: u64) -> Option<(Name, Request)> {
        let part = self.part(chance as usize);
        let at = (chance >> 8) as usize % part.decided.len().max(1);
        part.decided.get(at).cloned()
    }

    /// All that is kept of what was decided.
    pub(super) fn all_decided(&self) -> Vec<(Name, Request)> {
        let parts = 0..PARTS;
        parts
            .flat_map(|lane| self.part(lane).decided.clone())
            .collect()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            sent: self.sent.load(Ordering::Relaxed),
            acknowledged: *self.acknowledged.borrow(),
            refused: self.refused.load(Ordering::Relaxed),
            surely_not: self.surely_not.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.acknowledged.subscribe()
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Everything that was asked, in the order of the answers.
    pub(super) fn take(&self) -> Vec<Operation> {
        let mut all = Vec::new();
        for lane in 0..PARTS {
            all.append(&mut self.part(lane).operations);
        }
        all.sort_by_key(|one| one.returned);
        all
    }

    fn part(&self, lane: usize) -> std::sync::MutexGuard<'_, Part> {
        let part = &self.parts[lane % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// A sample in which all that was ever decided is equally likely (Vitter's algorithm R).
    fn keep(&mut self, operation: &Operation, chance: u64) {
        let Some(key) = &operation.key else { return };
        let one = (key.clone(), operation.request.clone());
        self.decided_ever += 1;
        if self.decided.len() < KEPT {
            self.decided.push(one);
        } else if let Some(place) = self.decided.get_mut((chance % self.decided_ever) as usize) {
            *place = one;
        }
    }
}

fn add(to: &AtomicU64, that: bool) {
    to.fetch_add(u64::from(that), Ordering::Relaxed);
}
