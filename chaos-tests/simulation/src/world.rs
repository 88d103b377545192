//! The whole run: computers, network, frontends, and the hand that breaks and mends, step by step.
//!
//! Three phases: faults while sessions ask; everything is mended; fresh payments must be
//! acknowledged within a bound. Then the sessions end, the books are read back, and all replicas
//! must have come to the same state.

use crate::chaos::{Chaos, Mend, Pair};
use crate::config::{Class, Config};
use crate::frontend;
use crate::invariants::Watch;
use crate::machine::{Death, Machine};
use crate::node::{self, FORMER_SELF};
use crate::operator::{self, Duties};
use crate::record::{Record, Stage};
use crate::system;
use crate::traps;
use florin_chaos::history::Healed;
use florin_ledger::id::NodeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use turmoil::Sim;

/// One step of simulated time.
const TICK: Duration = Duration::from_millis(1);
/// How long forming may take.
const FORMING: Duration = Duration::from_secs(30);
/// How long bringing nodes back may take after the faults are over.
const MENDING: Duration = Duration::from_secs(90);
/// After healing, a fresh payment of each group must be acknowledged within this time.
const LIVENESS: Duration = Duration::from_secs(20);
/// How long everything after that may take: sessions end, books are read back.
const ENDING: Duration = Duration::from_secs(60);
/// How long replicas may take to come to the same state when nobody asks any more.
const AGREEING: Duration = Duration::from_secs(20);
/// The frontends and the operator, as the network knows them.
const CLIENTS: [&str; 3] = ["frontend-1", "frontend-2", "operator"];

/// What a run came to, beside its history.
pub(crate) struct Ended {
    pub(crate) elapsed: Duration,
    pub(crate) faults: BTreeMap<Class, u64>,
    /// Acknowledged while faults went on.
    pub(crate) acknowledged: u64,
}

/// The run.
pub(crate) struct World<'a> {
    pub(crate) sim: Sim<'a>,
    pub(crate) config: Arc<Config>,
    pub(crate) machines: Vec<Arc<Machine>>,
    pub(crate) record: Record,
    pub(crate) chaos: Chaos,
    pub(crate) duties: Duties,
    watch: Watch,
    steps: u64,
}

/// Runs one configuration to its end.
pub(crate) fn run(config: &Arc<Config>, record: &Record) -> Ended {
    let mut world = World::new(config, record);
    let acknowledged = world.run();
    Ended {
        elapsed: world.sim.elapsed(),
        faults: world.chaos.counts.clone(),
        acknowledged,
    }
}

impl World<'_> {
    fn new(config: &Arc<Config>, record: &Record) -> Self {
        let mut sim = turmoil::Builder::new()
            .rng_seed(config.seed)
            .enable_random_order()
            .tick_duration(TICK)
            .simulation_duration(Duration::from_secs(3_600))
            .min_message_latency(config.latency.0)
            .max_message_latency(config.latency.1)
            .repair_rate(0.3)
            .tcp_capacity(4_096)
            .build();
        let nodes = (1..=config.nodes).map(|node| Machine::new(NodeId(node)));
        let machines: Vec<_> = nodes.collect();
        for machine in &machines {
            let (of_host, config) = (Arc::clone(machine), Arc::clone(config));
            sim.host(machine.name.as_str(), move || {
                node::run(Arc::clone(&of_host), Arc::clone(&config))
            });
        }
        for (number, name) in (1..=2).zip(CLIENTS) {
            let frontend = frontend::run(number, Arc::clone(config), record.clone());
            sim.client(name, frontend);
        }
        let duties = Duties::default();
        let operator = operator::run(Arc::clone(config), record.clone(), duties.clone());
        sim.client("operator", operator);
        World {
            sim,
            config: Arc::clone(config),
            machines,
            record: record.clone(),
            chaos: Chaos::new(config),
            duties,
            watch: Watch::default(),
            steps: 0,
        }
    }

    fn run(&mut self) -> u64 {
        if !self.until(FORMING, |world| world.record.stage() != Stage::Forming) {
            self.record.broken("the cluster was not formed in time");
            return 0;
        }
        let before = self.record.acknowledged();
        self.chaos.active = true;
        self.chaos.next = self.sim.elapsed();
        let chaos = self.config.chaos;
        self.until(chaos, |_| false);
        let acknowledged = self.record.acknowledged() - before;
        self.heal();
        self.live();
        self.record.set_stage(Stage::Ending);
        if !self.until(ENDING, |world| world.record.stage() == Stage::Done) {
            self.record.broken("the run did not end in time");
        }
        if !self.until(AGREEING, |world| world.watch.agreed(&world.machines)) {
            let why = self.watch.disagreement(&self.machines);
            self.record
                .broken(format!("replicas did not come to the same state: {why}"));
        }
        self.watch.finish(&self.machines, &self.record);
        acknowledged
    }

    /// Everything is mended; nodes that lost their disks are brought back.
    fn heal(&mut self) {
        self.chaos.active = false;
        traps::disarm();
        self.chaos.hurry();
        for machine in &self.machines {
            let disk = machine.disk();
            disk.set_capacity(None);
            disk.set_faults(florin_storage::disk::sim::Faults::default());
        }
        // What may be damaged and was not noticed is found when it is read.
        for node in self.chaos.damaged.clone() {
            self.chaos.mend_at(Duration::ZERO, Mend::Restart(node));
        }
        let healed = |world: &World<'_>| {
            world.duties.open().is_empty()
                && world.chaos.lacking.is_empty()
                && world
                    .machines
                    .iter()
                    .all(|machine| machine.running().is_some())
        };
        if !self.until(MENDING, healed) {
            self.record.broken(format!(
                "nodes were not brought back in time: {:?} not replaced, {:?} without their ledger",
                self.duties.open(),
                self.chaos.lacking
            ));
        }
    }

    /// Fresh payments of every group must be acknowledged soon.
    fn live(&mut self) {
        let at = system::micros().max(u64::try_from(self.sim.elapsed().as_micros()).unwrap_or(0));
        let bound_ms = u64::try_from(LIVENESS.as_millis()).unwrap_or(u64::MAX);
        self.record.healed(Healed { at, bound_ms });
        let groups: Vec<_> = self.record.partners().iter().map(|one| one.group).collect();
        let fresh = |world: &World<'_>| groups.iter().all(|group| world.record.newest(*group) > at);
        if !self.until(LIVENESS, fresh) {
            let who = self.watch.disagreement(&self.machines);
            self.record.broken(format!(
                "no fresh payment was acknowledged within {LIVENESS:?} of healing: {who}"
            ));
        }
        self.until(Duration::from_millis(500), |_| false);
    }

    /// Steps until something is so; false if it is not within this time.
    fn until(&mut self, within: Duration, reached: impl Fn(&World<'_>) -> bool) -> bool {
        let end = self.sim.elapsed() + within;
        while self.sim.elapsed() < end {
            self.step();
            if reached(self) {
                return true;
            }
        }
        false
    }

    fn step(&mut self) {
        system::set_now(self.sim.elapsed());
        if let Err(error) = self.sim.step() {
            self.record.broken(format!("a host failed: {error}"));
        }
        self.steps += 1;
        let now = self.sim.elapsed();
        system::set_now(now);
        self.bury();
        for mend in self.chaos.due(now) {
            self.mend(mend);
        }
        if self.chaos.active && now >= self.chaos.next {
            let pace = u64::try_from(self.config.pace.as_millis()).unwrap_or(1_000);
            self.chaos.next = now + self.chaos.millis(pace / 8, pace);
            let classes: Vec<_> = self.config.classes.iter().copied().collect();
            if let Some(class) = self.chaos.dice.pick(&classes) {
                self.inject(class);
            }
        }
        let damaged = &self.chaos.damaged;
        self.watch
            .look(self.steps, &self.machines, damaged, &self.record);
    }

    /// Takes away what is left of lives that have ended, and sees to it that another begins.
    fn bury(&mut self) {
        for what in traps::take_fired() {
            *self.chaos.counts.entry(Class::Failpoint).or_default() += 1;
            let none = Duration::from_millis(500);
            self.record
                .fault(crate::chaos::fault(Class::Failpoint, &[], what, none));
        }
        for panic in traps::take_panics() {
            self.record.broken(panic);
        }
        for machine in self.machines.clone() {
            for what in machine.take_wrong() {
                self.record.broken(what);
            }
            if let Some(why) = machine.take_ended() {
                drop(machine.forget());
                self.sim.crash(machine.name.as_str());
                self.judge(&machine, &why);
                if !self.chaos.will_start(machine.node) {
                    let rest = self.chaos.millis(30, 1_000);
                    let at = self.sim.elapsed() + rest;
                    self.chaos.mend_at(at, Mend::Start(machine.node));
                }
                continue;
            }
            let Some(running) = machine.running() else {
                continue;
            };
            let (faulty, ended) = (running.host.faulty(), running.host.ended());
            let groups = usize::try_from(self.config.groups).unwrap_or(0) + 1;
            if !faulty.is_empty() || !ended.is_empty() {
                drop(running);
                self.judge(&machine, &format!("faulty: {faulty:?}, ended: {ended:?}"));
            } else if running.host.groups().len() == groups {
                self.chaos.lacking.remove(&machine.node);
            }
        }
    }

    /// A node, or one of its groups, does not run: it may be replaced if its disk was damaged on
    /// purpose, and is started again if a step of it was made to fail; otherwise it must be able to
    /// run.
    fn judge(&mut self, machine: &Arc<Machine>, why: &str) {
        let cannot = ["the log did not open", "the node did not start", "faulty: "];
        if !cannot.iter().any(|start| why.starts_with(start)) {
            return;
        }
        if self.chaos.damaged.contains(&machine.node) {
            self.bring_back_empty(machine, why);
        } else if traps::has_failed(machine.node.0) {
            let down = self.chaos.millis(20, 300);
            self.take_down(machine, Death::Kill, why, down);
        } else if why != FORMER_SELF {
            self.record.broken(format!("{}: {why}", machine.name));
            self.bring_back_empty(machine, why);
        }
    }

    /// Gives a computer an empty disk, and asks the operator to bring it back.
    pub(crate) fn bring_back_empty(&mut self, machine: &Arc<Machine>, why: &str) {
        let down = self.chaos.millis(50, 800);
        self.take_down(machine, Death::Kill, why, down);
        machine.wipe();
        self.chaos.damaged.remove(&machine.node);
        self.chaos.lacking.remove(&machine.node);
        self.duties.replace(machine.node);
    }

    /// Ends a computer's life now; it starts again after this time. A power cut tells nobody.
    pub(crate) fn take_down(
        &mut self,
        machine: &Arc<Machine>,
        death: Death,
        why: &str,
        down: Duration,
    ) {
        machine.end_now(death, why);
        let silent = matches!(death, Death::Power(_));
        let name = machine.name.as_str();
        let quiet: Vec<_> = self
            .others(name)
            .into_iter()
            .filter(|other| {
                let pair = (name.to_owned(), other.clone());
                let other_way = (other.clone(), name.to_owned());
                silent && !self.chaos.cut.contains(&pair) && !self.chaos.cut.contains(&other_way)
            })
            .collect();
        for other in &quiet {
            self.sim.partition(name, other.as_str());
        }
        drop(machine.forget());
        machine.take_ended();
        self.sim.crash(name);
        for other in &quiet {
            self.sim.repair(name, other.as_str());
        }
        if down.is_zero() {
            self.sim.bounce(name);
        } else {
            self.chaos
                .mend_at(self.sim.elapsed() + down, Mend::Start(machine.node));
        }
    }

    fn mend(&mut self, mend: Mend) {
        tracing::info!(?mend, "mended");
        match mend {
            Mend::Start(node) => self.start(node),
            Mend::Restart(node) => {
                if let Some(machine) = self.machine(node).filter(|one| one.is_up()) {
                    let down = self.chaos.millis(20, 300);
                    self.take_down(&machine, Death::Kill, "to be read again", down);
                }
            }
            Mend::Repair(pairs) => self.pairs(&pairs, |sim, a, b| sim.repair(a, b)),
            Mend::Release(pairs) => self.pairs(&pairs, |sim, a, b| sim.release(a, b)),
            Mend::Hasten(pairs) => {
                let usual = self.config.latency.1;
                self.pairs(&pairs, |sim, a, b| {
                    sim.set_link_max_message_latency(a, b, usual)
                });
            }
            Mend::Keep(pairs) => self.pairs(&pairs, |sim, a, b| {
                sim.set_link_fail_rate(a, b, 0.0);
                sim.repair(a, b);
            }),
            Mend::Clock(node) => {
                if let Some(machine) = self.machine(node) {
                    machine.set_clock(0);
                }
            }
            Mend::Speed(node) => {
                if let Some(machine) = self.machine(node) {
                    machine.set_sync_time(TICK);
                }
            }
            Mend::Room(node) => {
                if let Some(machine) = self.machine(node) {
                    machine.disk().set_capacity(None);
                }
            }
            Mend::Spring(trapped) => self.spring(&trapped),
        }
    }

    fn pairs(&mut self, pairs: &[Pair], each: impl Fn(&mut Sim<'_>, &str, &str)) {
        for (a, b) in pairs {
            self.chaos.cut.remove(&(a.clone(), b.clone()));
            each(&mut self.sim, a, b);
        }
    }

    fn start(&mut self, node: NodeId) {
        let Some(machine) = self.machine(node).filter(|one| !one.is_up()) else {
            return;
        };
        machine.take_ended();
        self.sim.bounce(machine.name.as_str());
    }

    fn machine(&self, node: NodeId) -> Option<Arc<Machine>> {
        self.machines.iter().find(|one| one.node == node).cloned()
    }
}
