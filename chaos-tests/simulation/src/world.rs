//! The whole run: computers, network, frontends, and the hand that breaks them, step by step.

use crate::config::Config;
use crate::frontend;
use crate::invariants::Watch;
use crate::machine::Machine;
use crate::node;
use crate::record::{Record, Stage};
use crate::system;
use florin_ledger::id::NodeId;
use std::sync::Arc;
use std::time::Duration;
use turmoil::Sim;

/// One step of simulated time.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// How long forming may take.
const FORMING: Duration = Duration::from_secs(30);
/// After healing, a fresh payment of each group must be acknowledged within this time.
pub(crate) const LIVENESS: Duration = Duration::from_secs(20);
/// How long everything after that may take: sessions end, books are read back.
const ENDING: Duration = Duration::from_secs(60);

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) elapsed: Duration,
}

/// Runs one configuration to its end.
pub(crate) fn run(config: &Arc<Config>, record: &Record) -> Ended {
    let mut world = World::new(config, record);
    world.run();
    Ended {
        elapsed: world.sim.elapsed(),
    }
}

pub(crate) struct World<'a> {
    pub(crate) sim: Sim<'a>,
    pub(crate) config: Arc<Config>,
    pub(crate) machines: Vec<Arc<Machine>>,
    pub(crate) record: Record,
    watch: Watch,
}

impl World<'_> {
    fn new(config: &Arc<Config>, record: &Record) -> Self {
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(config.seed)
            .enable_random_order()
            .tick_duration(TICK)
            .simulation_duration(Duration::from_secs(3_600))
            .min_message_latency(config.latency.0)
            .max_message_latency(config.latency.1)
            .tcp_capacity(4_096);
        let mut sim = builder.build();
        let machines: Vec<_> = (1..=config.nodes).map(|node| Machine::new(NodeId(node))).collect();
        for machine in &machines {
            let (of_host, config) = (Arc::clone(machine), Arc::clone(config));
            sim.host(machine.name.as_str(), move || {
                node::run(Arc::clone(&of_host), Arc::clone(&config))
            });
        }
        for number in 1..=2 {
            let frontend = frontend::run(number, Arc::clone(config), record.clone());
            sim.client(format!("frontend-{number}"), frontend);
        }
        World {
            sim,
            config: Arc::clone(config),
            machines,
            record: record.clone(),
            watch: Watch::default(),
        }
    }

    fn run(&mut self) {
        if !self.until(FORMING, |world| world.record.stage() != Stage::Forming) {
            return self.record.broken("the cluster was not formed in time");
        }
        let chaos = self.config.chaos;
        self.until(chaos, |_| false);
        self.record.set_stage(Stage::Ending);
        if !self.until(ENDING, |world| world.record.stage() == Stage::Done) {
            self.record.broken("the run did not end in time");
        }
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
    }
}
