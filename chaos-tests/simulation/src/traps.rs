//! Dying at a named place of the code, and what becomes of a panic.
//!
//! All hosts share one thread; which of them runs is told by its runtime. A node that dies within
//! a failpoint unwinds from there: nothing of it reaches disk or network any more, and the
//! simulation takes its tasks away before time goes on.

use crate::machine::{Death, Life, Machine};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::runtime::{Handle, Id};

/// What a failpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// The process ends.
    Crash(Death),
    /// The step fails, where it can.
    Error,
}

#[derive(Default)]
struct Traps {
    /// Who runs on which runtime.
    lives: Vec<(Id, Arc<Machine>, Arc<Life>)>,
    /// By node and failpoint: after how many more hits it does what.
    armed: BTreeMap<(u64, &'static str), (u64, Trap)>,
    /// What was done, until somebody asks.
    fired: Vec<String>,
    /// Nodes of which a step of log, store or consensus failed in this life.
    failed: BTreeSet<u64>,
    panics: Vec<String>,
}

static TRAPS: Mutex<Option<Traps>> = Mutex::new(None);

/// Watches all failpoints and panics of this process from now on.
pub(crate) fn begin() {
    *TRAPS.lock() = Some(Traps::default());
    #[cfg(feature = "faults")]
    florin_failpoints::install(reached);
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(why) = panicked(panic) {
            if let Some(traps) = TRAPS.lock().as_mut() {
                traps.panics.push(why);
            }
            shown(panic);
        }
    }));
}

/// This life runs on the runtime that is entered now.
pub(crate) fn register(machine: &Arc<Machine>, life: &Arc<Life>) {
    let id = Handle::current().id();
    if let Some(traps) = TRAPS.lock().as_mut() {
        traps
            .lives
            .retain(|(_, other, life)| !life.is_over() && !Arc::ptr_eq(other, machine));
        traps
            .lives
            .push((id, Arc::clone(machine), Arc::clone(life)));
        traps.failed.remove(&machine.node.0);
    }
}

/// Arms a failpoint of a node: at the hit after so many, it does this.
pub(crate) fn arm(node: u64, site: &'static str, after: u64, trap: Trap) {
    if let Some(traps) = TRAPS.lock().as_mut() {
        traps.armed.insert((node, site), (after, trap));
    }
}

/// Takes all traps away.
pub(crate) fn disarm() {
    if let Some(traps) = TRAPS.lock().as_mut() {
        traps.armed.clear();
    }
}

/// What traps did since somebody asked last.
pub(crate) fn take_fired() -> Vec<String> {
    let mut traps = TRAPS.lock();
    traps
        .as_mut()
        .map_or_else(Vec::new, |traps| std::mem::take(&mut traps.fired))
}

/// Whether a step of a node failed by a trap since it was started last.
pub(crate) fn has_failed(node: u64) -> bool {
    let traps = TRAPS.lock();
    traps
        .as_ref()
        .is_some_and(|traps| traps.failed.contains(&node))
}

/// Panics of living nodes since somebody asked last: each is a bug.
pub(crate) fn take_panics() -> Vec<String> {
    let mut traps = TRAPS.lock();
    traps
        .as_mut()
        .map_or_else(Vec::new, |traps| std::mem::take(&mut traps.panics))
}

/// Who runs now.
fn current() -> Option<(Arc<Machine>, Arc<Life>)> {
    let id = Handle::try_current().ok()?.id();
    let traps = TRAPS.lock();
    let mut lives = traps.as_ref()?.lives.iter();
    let (_, machine, life) = lives.find(|(at, _, _)| *at == id)?;
    Some((Arc::clone(machine), Arc::clone(life)))
}

/// What happens at a failpoint.
#[cfg(feature = "faults")]
fn reached(site: &'static str) -> florin_failpoints::Action {
    use florin_failpoints::Action;
    if std::thread::panicking() {
        return Action::Nothing;
    }
    let Some((machine, life)) = current().filter(|(_, life)| !life.is_over()) else {
        return Action::Nothing;
    };
    match spring(machine.node.0, site) {
        None => Action::Nothing,
        Some(Trap::Error) => Action::Error,
        Some(Trap::Crash(death)) => {
            machine.end(&life, death, &format!("died at {site}"));
            std::panic::resume_unwind(Box::new(site));
        }
    }
}

#[cfg(feature = "faults")]
fn spring(node: u64, site: &'static str) -> Option<Trap> {
    let mut traps = TRAPS.lock();
    let traps = traps.as_mut()?;
    let (after, _) = traps.armed.get_mut(&(node, site))?;
    if *after > 0 {
        *after -= 1;
        return None;
    }
    let (_, trap) = traps.armed.remove(&(node, site))?;
    let what = format!("{trap:?} at {site} of node {node}");
    tracing::info!(what, "fired");
    if trap == Trap::Error && !site.starts_with("shards.") {
        traps.failed.insert(node);
    }
    traps.fired.push(what);
    Some(trap)
}

/// A panic of a node that lives ends it; of one that is dead already it means nothing.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) -> Option<String> {
    let Some((machine, life)) = current() else {
        return Some(panic.to_string());
    };
    if life.is_over() {
        return None;
    }
    let why = format!("{} panicked: {panic}", machine.name);
    machine.end(&life, Death::Kill, &why);
    Some(why)
}
