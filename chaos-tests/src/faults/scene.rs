//! What faults act on: the cluster, its network and disks, and what else is needed to break them.

use super::wires::Wires;
use crate::fabric::Host;
use crate::history::History;
use crate::history::clock::Clock;
use crate::limits::{BACK, LOOK};
use crate::load::{Load, LoadOptions};
use crate::playground::Playground;
use anyhow::{Result, bail};
use florin_node::cluster::process::State;
use florin_node::cluster::{NodeStatus, Role};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::{Instant, sleep};

/// What faults act on.
pub struct Scene {
    /// The cluster, its network and its disks.
    pub playground: Playground,
    /// The clock of the history.
    pub clock: Clock,
    /// The groups of the load's partners; the first is the one whose leader targets mean.
    pub groups: Vec<u64>,
    /// The load.
    pub load: Arc<Load>,
    /// Load beside it: a partner of its own, known to nobody else.
    pub more_load: Option<LoadOptions>,
    /// For how long an entry stays in the log after it was applied, at least.
    pub kept_in_log: Duration,
    /// Who impairs which link at the moment.
    pub wires: Wires,
    turns: BTreeMap<Host, Arc<Turn<()>>>,
    beside: Mutex<Vec<History>>,
    story: Mutex<Vec<String>>,
}

impl Scene {
    /// Everything is whole.
    pub fn new(
        playground: Playground,
        load: Arc<Load>,
        groups: Vec<u64>,
        more_load: Option<LoadOptions>,
        kept_in_log: Duration,
    ) -> Scene {
        let hosts = playground.hosts();
        let turns = hosts.into_iter().map(|host| (host, Arc::default()));
        Scene {
            turns: turns.collect(),
            clock: load.clock(),
            playground,
            groups,
            load,
            more_load,
            kept_in_log,
            wires: Wires::default(),
            beside: Mutex::default(),
            story: Mutex::default(),
        }
    }

    /// Microseconds since the run began.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Notes what was done, with its time, for people.
    pub fn note(&self, what: impl std::fmt::Display) {
        let line = format!("{:9.3} s  {what}", self.now() as f64 / 1e6);
        lock(&self.story).push(line);
    }

    /// Everything that was noted, in order.
    pub fn story(&self) -> Vec<String> {
        lock(&self.story).clone()
    }

    /// Keeps what a load beside the main one has seen.
    pub fn keep(&self, history: History) {
        lock(&self.beside).push(history);
    }

    /// What loads beside the main one have seen.
    pub fn kept(&self) -> Vec<History> {
        std::mem::take(&mut *lock(&self.beside))
    }

    /// Waits until no other fault has these processes in its hands.
    pub async fn claim(&self, hosts: &[Host]) -> Vec<OwnedMutexGuard<()>> {
        // Always in the same order, so that two faults never wait for each other.
        let mut sorted = hosts.to_vec();
        sorted.sort_unstable();
        let mut claims = Vec::new();
        for turn in sorted.iter().filter_map(|host| self.turns.get(host)) {
            claims.push(turn.clone().lock_owned().await);
        }
        claims
    }

    /// A host's name.
    pub fn name(&self, host: Host) -> String {
        let topology = self.playground.cluster().topology();
        match host {
            Host::Node(id) => self.playground.cluster().name_of(id),
            Host::Frontend(at) => {
                let named = topology.frontends.get(at);
                named.map_or_else(|| host.to_string(), |one| one.name.clone())
            }
            Host::Client => host.to_string(),
        }
    }

    /// Their names.
    pub fn names(&self, hosts: &[Host]) -> Vec<String> {
        hosts.iter().map(|host| self.name(*host)).collect()
    }

    /// What a process is.
    pub fn state(&self, host: Host) -> Result<State> {
        Ok(self.playground.process(host)?.state())
    }

    /// What a process has printed so far.
    pub fn printed(&self, host: Host) -> String {
        let file = format!("{}.log", self.name(host));
        std::fs::read_to_string(self.playground.folder().join(file)).unwrap_or_default()
    }

    /// What nodes say.
    pub async fn status(&self) -> Vec<NodeStatus> {
        self.playground.cluster().status(false).await
    }

    /// Waits until a process has ended by itself, and says how.
    pub async fn wait_for_end(&self, host: Host, patience: Duration) -> Result<String> {
        let mut watch = self.playground.process(host)?.watch();
        let ended = watch.wait_for(|state| matches!(state, State::Ended { .. }));
        match tokio::time::timeout(patience, ended).await {
            Ok(Ok(state)) => Ok(ending(&self.name(host), *state)),
            Ok(Err(_)) => bail!("nobody watches {}", self.name(host)),
            Err(_) => bail!("{} did not end within {patience:?}", self.name(host)),
        }
    }

    /// Waits until every process runs, and every replica takes part and is up to date.
    pub async fn wait_whole(&self, patience: Duration) -> Result<()> {
        let by = Instant::now() + patience;
        let mut before = BTreeMap::new();
        loop {
            let status = self.status().await;
            let lack = self.lack(&status, &before);
            match lack {
                None => return Ok(()),
                Some(lack) if Instant::now() > by => bail!("not whole after {patience:?}: {lack}"),
                Some(_) => before = applied_by_leaders(&status),
            }
            sleep(LOOK).await;
        }
    }

    /// As long as a node that was started may take.
    pub async fn wait_back(&self) -> Result<()> {
        self.wait_whole(BACK).await
    }

    /// What is missing; `before` is what leaders had applied a moment ago.
    fn lack(&self, status: &[NodeStatus], before: &BTreeMap<u32, u64>) -> Option<String> {
        for host in self.playground.hosts() {
            if !matches!(self.state(host), Ok(State::Running { .. })) {
                return Some(format!("{} does not run", self.name(host)));
            }
        }
        let leaders = applied_by_leaders(status);
        for node in status {
            if let Some(error) = &node.error {
                return Some(format!("{}: {error}", node.name));
            }
            if node.groups.is_empty() {
                return Some(format!("{} has no replicas", node.name));
            }
            for replica in &node.groups {
                let group = replica.group.0;
                let of = format!("{}, group {group}", node.name);
                if !leaders.contains_key(&group) {
                    return Some(format!("group {group} has no leader"));
                }
                if !matches!(replica.role, Role::Leader | Role::Follower) {
                    return Some(format!("{of}: {:?}", replica.role));
                }
                let Some(then) = before.get(&group) else {
                    return Some(format!("{of}: looked at once only"));
                };
                if replica.applied.unwrap_or_default() < *then {
                    return Some(format!("{of}: stands at {:?} of {then}", replica.applied));
                }
            }
        }
        None
    }
}

/// How a process ended, in words.
pub fn ending(name: &str, state: State) -> String {
    match state {
        State::Ended {
            status: Some(status),
        } => format!("{name} ended: {status}"),
        State::Ended { status: None } => format!("{name} ended"),
        State::Running { pid } => format!("{name} runs as process {pid}"),
    }
}

fn applied_by_leaders(status: &[NodeStatus]) -> BTreeMap<u32, u64> {
    let all = status.iter().flat_map(|node| &node.groups);
    let leaders = all.filter(|replica| replica.role == Role::Leader);
    leaders
        .map(|leader| (leader.group.0, leader.applied.unwrap_or_default()))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
