//! One computer of the simulation: what it keeps over its lives, and how a life ends.

use florin_ledger::id::{GroupId, NodeId, Timestamp};
use florin_raft::Host;
use florin_storage::disk::sim::{Faults, SimDisk};
use florin_storage::log::Log;
use florin_storage::replica::{Store, StoreOptions};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// One run of a process, from its start to its end.
#[derive(Debug, Default)]
pub(crate) struct Life {
    over: AtomicBool,
}

impl Life {
    /// Whether the process has ended; its tasks may not be gone yet.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The process is gone; what the kernel holds stays.
    Kill,
    /// What was not synced is lost or torn, as this seed has it.
    Power(u64),
}

/// What an operator asks of a running node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Hand over, make everything durable, and end.
    Stop,
    /// Give the lead of a group to another node.
    Transfer(GroupId, NodeId),
}

/// A computer.
pub(crate) struct Machine {
    pub(crate) node: NodeId,
    /// As the network knows it.
    pub(crate) name: String,
    state: Mutex<State>,
    clock_offset: AtomicI64,
    sync_millis: AtomicU64,
}

struct State {
    incarnation: u64,
    lives: usize,
    disk: SimDisk,
    store: Store,
    /// The store was lost alone: its ledgers are fetched from peers, ahead of the log.
    store_lost: bool,
    /// The store loses what no checkpoint covers before the next life begins.
    power_lost: bool,
    /// The disk was told to lose power by itself: the life that it ends ends so.
    power_fails: Option<u64>,
    life: Arc<Life>,
    running: Option<Running>,
    /// How the last life ended, until somebody asks.
    ended: Option<String>,
    /// What must not be, found by the node itself at its start.
    wrong: Vec<String>,
}

/// What can be seen of a running node from outside.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) host: Host,
    pub(crate) log: Log,
    pub(crate) orders: mpsc::UnboundedSender<Order>,
}

impl Machine {
    /// A new one with an empty disk. It is down.
    pub(crate) fn new(node: NodeId) -> Arc<Machine> {
        let life = Life::default();
        life.over.store(true, Ordering::Relaxed);
        Arc::new(Machine {
            node,
            name: format!("node-{}", node.0),
            state: Mutex::new(State {
                incarnation: node.0 * 1_000,
                lives: 0,
                disk: SimDisk::new(),
                store: Store::in_memory(),
                store_lost: false,
                power_lost: false,
                power_fails: None,
                life: Arc::new(life),
                running: None,
                ended: None,
                wrong: Vec::new(),
            }),
            clock_offset: AtomicI64::new(0),
            sync_millis: AtomicU64::new(1),
        })
    }

    /// A new life on what the last one left.
    pub(crate) fn begin(self: &Arc<Self>) -> (Arc<Life>, SimDisk, Store, u64) {
        let mut state = self.state.lock();
        state.life = Arc::default();
        state.lives += 1;
        state.ended = None;
        state.running = None;
        if std::mem::take(&mut state.power_lost) {
            state.store.power_cut();
        }
        let (machine, life) = (Arc::clone(self), Arc::clone(&state.life));
        let options = StoreOptions {
            on_fatal: Arc::new(move |why| machine.end(&life, Death::Kill, why)),
            min_free_bytes: 0,
            ..StoreOptions::default()
        };
        // A store in memory is never of another format.
        if let Ok(store) = state.store.reopen(&options) {
            state.store = store;
        }
        let life = Arc::clone(&state.life);
        (
            life,
            state.disk.clone(),
            state.store.clone(),
            state.incarnation,
        )
    }

    /// The node serves from now on.
    pub(crate) fn serves(&self, life: &Arc<Life>, running: Running) {
        let mut state = self.state.lock();
        if Arc::ptr_eq(&state.life, life) && !life.is_over() {
            state.running = Some(running);
        }
    }

    /// Ends a life at this very moment: from here on nothing reaches the disk or the network.
    /// Whoever comes second changes nothing.
    pub(crate) fn end(&self, life: &Arc<Life>, death: Death, why: &str) {
        if life.over.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut state = self.state.lock();
        if !Arc::ptr_eq(&state.life, life) {
            return;
        }
        let death = state.power_fails.take().map_or(death, Death::Power);
        state.disk = match death {
            Death::Kill => state.disk.kill(),
            Death::Power(seed) => state.disk.power_cut(seed),
        };
        state.power_lost |= matches!(death, Death::Power(_));
        state.ended = Some(why.to_owned());
        tracing::info!(node = self.name, ?death, why, "ended");
    }

    /// As [`Machine::end`], for whatever life it has now.
    pub(crate) fn end_now(&self, death: Death, why: &str) {
        let life = Arc::clone(&self.state.lock().life);
        self.end(&life, death, why);
    }

    /// Lets go of what the last life held, before its tasks are taken away.
    pub(crate) fn forget(&self) -> Option<Running> {
        self.state.lock().running.take()
    }

    /// Whether it runs, or is about to.
    pub(crate) fn is_up(&self) -> bool {
        !self.state.lock().life.is_over()
    }

    /// Notes what must not be.
    pub(crate) fn is_wrong(&self, what: String) {
        self.state.lock().wrong.push(what);
    }

    /// What was noted since somebody asked last.
    pub(crate) fn take_wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().wrong)
    }

    /// Which data folder it has.
    pub(crate) fn incarnation(&self) -> u64 {
        self.state.lock().incarnation
    }

    /// Why the last life ended, if it has and nobody has asked yet.
    pub(crate) fn take_ended(&self) -> Option<String> {
        self.state.lock().ended.take()
    }

    /// What can be seen of it while it serves.
    pub(crate) fn running(&self) -> Option<Running> {
        let state = self.state.lock();
        state.running.clone().filter(|_| !state.life.is_over())
    }

    /// How often it has started.
    pub(crate) fn life_number(&self) -> usize {
        self.state.lock().lives
    }

    /// The disk as it is now.
    pub(crate) fn disk(&self) -> SimDisk {
        self.state.lock().disk.clone()
    }

    /// The power fails at the disk's change after so many, and leaves what this seed says.
    pub(crate) fn power_fails_after(&self, changes: u64, seed: u64) {
        let mut state = self.state.lock();
        state.power_fails = Some(seed);
        state.disk.set_faults(Faults {
            cut_after: Some(changes),
            ..Faults::default()
        });
    }

    /// Another disk, another data folder: its next life is another incarnation.
    pub(crate) fn wipe(&self) {
        let mut state = self.state.lock();
        state.disk = SimDisk::new();
        state.store = Store::in_memory();
        state.store_lost = false;
        state.power_lost = false;
        state.incarnation += 1;
    }

    /// Loses the ledger store alone.
    pub(crate) fn lose_store(&self) {
        let mut state = self.state.lock();
        state.store = Store::in_memory();
        state.store_lost = true;
    }

    /// Whether its store was ever lost since it has this disk.
    pub(crate) fn lost_its_store(&self) -> bool {
        self.state.lock().store_lost
    }

    /// Sets its wall clock ahead or back, from the true time.
    pub(crate) fn set_clock(&self, offset_micros: i64) {
        self.clock_offset.store(offset_micros, Ordering::Relaxed);
    }

    /// What its wall clock shows.
    pub(crate) fn wall(&self) -> Timestamp {
        let offset = self.clock_offset.load(Ordering::Relaxed);
        Timestamp(crate::system::wall_micros().saturating_add_signed(offset))
    }

    /// How long its disk takes for a round from now on.
    pub(crate) fn set_sync_time(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(1).max(1);
        self.sync_millis.store(millis, Ordering::Relaxed);
    }

    /// How long its disk takes for a round.
    pub(crate) fn sync_time(&self) -> Duration {
        Duration::from_millis(self.sync_millis.load(Ordering::Relaxed))
    }
}
