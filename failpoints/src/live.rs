//! Counts, armed failpoints, the planted mutant and the clock of this process.
//!
//! A failpoint that is not armed costs two atomic operations.

use crate::action::{Action, Order, When};
use crate::folder::{self, Folder};
use crate::sites::SITES;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// No mutant is planted.
const NONE: usize = usize::MAX;

/// What a simulation decides at each failpoint. It is told the name, and knows which host is running.
type Hook = Box<dyn Fn(&'static str) -> Action + Send + Sync>;

struct Counts {
    hits: AtomicU64,
    fired: AtomicU64,
    /// Whether somebody must be asked what happens here.
    armed: AtomicBool,
}

static COUNTS: [Counts; SITES.len()] = [const {
    Counts {
        hits: AtomicU64::new(0),
        fired: AtomicU64::new(0),
        armed: AtomicBool::new(false),
    }
}; SITES.len()];

static PLANTED: AtomicUsize = AtomicUsize::new(NONE);
static CLOCK_MS: AtomicI64 = AtomicI64::new(0);
static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());
static HOOK: OnceLock<Hook> = OnceLock::new();
static STARTED: OnceLock<Option<Folder>> = OnceLock::new();

/// An order that arms a failpoint, and how often it was reached since.
struct Armed {
    line: String,
    site: usize,
    action: Action,
    when: When,
    hits: u64,
}

/// Starts to follow the folder and the mutant that the environment names.
pub fn start() {
    STARTED.get_or_init(folder::from_environment);
}

/// Lets a function decide what happens at each failpoint of this process, instead of a folder. For
/// simulations, whose hosts share a process. The first one stays.
pub fn install(hook: impl Fn(&'static str) -> Action + Send + Sync + 'static) {
    if HOOK.set(Box::new(hook)).is_ok() {
        for counts in &COUNTS {
            counts.armed.store(true, Ordering::Release);
        }
    }
}

/// Plants a mutant, by its number in [`crate::MUTANTS`], or takes it out.
pub fn plant(mutant: Option<usize>) {
    start();
    PLANTED.store(mutant.unwrap_or(NONE), Ordering::Release);
}

/// Whether this mutant is planted.
pub fn planted(mutant: usize) -> bool {
    start();
    PLANTED.load(Ordering::Acquire) == mutant
}

/// How often the failpoint was reached, and how often it did something.
pub fn count(site: usize) -> (u64, u64) {
    COUNTS.get(site).map_or((0, 0), |counts| {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&counts.hits), load(&counts.fired))
    })
}

/// By how many milliseconds the clock of this process is ahead.
pub(crate) fn clock_shift() -> i64 {
    CLOCK_MS.load(Ordering::Acquire)
}

pub(crate) fn clock(now: SystemTime) -> SystemTime {
    start();
    let shift = clock_shift();
    let time = Duration::from_millis(shift.unsigned_abs());
    let shifted = if shift < 0 {
        now.checked_sub(time)
    } else {
        now.checked_add(time)
    };
    shifted.unwrap_or(now)
}

/// Counts the hit, asks what happens here, and ends the process if that is it; the rest is done by
/// the macro, in whose function the work goes on or not.
pub fn reach(site: usize) -> Action {
    let action = decide(site);
    if action == Action::Crash {
        folder::crash(followed());
    }
    action
}

fn decide(site: usize) -> Action {
    start();
    let (Some(counts), Some(place)) = (COUNTS.get(site), SITES.get(site)) else {
        return Action::Nothing;
    };
    counts.hits.fetch_add(1, Ordering::Relaxed);
    if !counts.armed.load(Ordering::Acquire) {
        return Action::Nothing;
    }
    let action = match HOOK.get() {
        Some(hook) => hook(place.name),
        None => ordered(site),
    };
    if action == Action::Nothing || (action == Action::Error && !place.can_fail) {
        return Action::Nothing;
    }
    counts.fired.fetch_add(1, Ordering::Relaxed);
    action
}

/// What the orders say about this hit. An order for one hit is over with it, in the file too, or the
/// next process would carry it out again.
fn ordered(site: usize) -> Action {
    let mut armed = lock();
    let Some(at) = armed.iter_mut().position(|order| order.is_due(site)) else {
        return Action::Nothing;
    };
    if let Some(Armed {
        action,
        when: When::From(_),
        ..
    }) = armed.get(at)
    {
        return *action;
    }
    let done = armed.remove(at);
    // Who reads the file takes these locks in the other order.
    drop(armed);
    if let Some(folder) = followed() {
        folder.strike(&done.line);
    }
    done.action
}

impl Armed {
    /// Counts the hit if it is of this failpoint.
    fn is_due(&mut self, site: usize) -> bool {
        if self.site != site {
            return false;
        }
        self.hits += 1;
        match self.when {
            When::Once(hit) => self.hits == hit,
            When::From(hit) => self.hits >= hit,
        }
    }
}

/// Puts the orders of a file in force. Those that stood in it before go on counting.
pub(crate) fn obey(lines: Vec<(String, Order)>) {
    let (mut mutant, mut clock) = (NONE, 0);
    let mut armed = lock();
    let mut before = std::mem::take(&mut *armed);
    for (line, order) in lines {
        match order {
            Order::Plant(number) => mutant = number,
            Order::Clock(shift) => clock = shift,
            Order::Arm { site, action, when } => {
                let stood = before.iter().position(|order| order.line == line);
                let hits = stood.map_or(0, |at| before.swap_remove(at).hits);
                armed.push(Armed {
                    line,
                    site,
                    action,
                    when,
                    hits,
                });
            }
        }
    }
    for (site, counts) in COUNTS.iter().enumerate() {
        let is_armed = HOOK.get().is_some() || armed.iter().any(|order| order.site == site);
        counts.armed.store(is_armed, Ordering::Release);
    }
    PLANTED.store(mutant, Ordering::Release);
    CLOCK_MS.store(clock, Ordering::Release);
}

/// Goes on from counts that an earlier process has left.
pub(crate) fn count_from(site: usize, hits: u64, fired: u64) {
    if let Some(counts) = COUNTS.get(site) {
        counts.hits.fetch_add(hits, Ordering::Relaxed);
        counts.fired.fetch_add(fired, Ordering::Relaxed);
    }
}

pub(crate) fn followed() -> Option<&'static Folder> {
    STARTED.get().and_then(Option::as_ref)
}

fn lock() -> MutexGuard<'static, Vec<Armed>> {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}
