//! A cluster to break: real processes on a fabric and on disks of their own.
//!
//! [`Playground::start`] makes everything that its [`PlaygroundSpec`] names and forms the cluster;
//! dropping it takes all of it away again. What a run that was killed left behind is swept by the
//! next one.

pub mod arm;
pub mod clock;
pub mod command;
mod reaper;
pub mod run;
mod spec;
mod wiring;

pub use spec::{FabricChoice, PlaygroundSpec, Shape};

use crate::disks::Disk;
use crate::disks::traced::{Traced, Trouble};
use crate::fabric::{Fabric, Host};
use anyhow::{Context, Result, anyhow, bail};
use arm::Arm;
use clock::Clock;
use florin_ledger::directory::Node;
use florin_node::cluster::ports::Port;
use florin_node::cluster::process::{State, Supervised};
use florin_node::cluster::{Cluster, ClusterOptions, Topology};
use reaper::Reaper;
use run::{RUN, Run};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wiring::Wiring;

/// The variable that names a process's folder of faults.
const FAULTS_DIR: &str = "FLORIN_FAULTS_DIR";
/// How long a node whose disk was replaced may take to vote again.
const REPLACE_PATIENCE: Duration = Duration::from_secs(120);
/// How long a process that ended stays down before it is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// A running cluster, its network and its disks.
pub struct Playground {
    // In this order they are taken away: nothing may use what goes next.
    _reaper: Reaper,
    cluster: Cluster,
    fabric: Option<Box<dyn Fabric>>,
    disks: BTreeMap<u64, Disk>,
    arms: BTreeMap<Host, Arc<Arm>>,
    clocks: BTreeMap<Host, Clock>,
    folder: PathBuf,
    _ports: Vec<Port>,
    _run: Run,
}

impl Playground {
    /// Starts everything and waits until every frontend serves.
    pub async fn start(spec: PlaygroundSpec) -> Result<Playground> {
        let topology = spec.shape.topology()?;
        let run = Run::begin()?;
        let folder = folder_of(&spec, &run)?;
        let named = hosts(&topology);
        let hosts: Vec<Host> = named.iter().map(|(host, _)| *host).collect();
        let mut wiring = Wiring::make(spec.fabric, &run, &hosts, spec.seed)?;
        let (mut seats, mut arms) = (BTreeMap::new(), BTreeMap::new());
        let (mut disks, mut clocks) = (BTreeMap::new(), BTreeMap::new());
        for (host, name) in named {
            let mut seat = wiring
                .seats
                .remove(&host)
                .context("a host without a seat")?;
            let arm = Arc::new(Arm::new(&folder.join("faults").join(&name))?);
            seat.environment.extend(spec.environment.clone());
            let faults = arm.folder().display().to_string();
            seat.environment.insert(FAULTS_DIR.into(), faults);
            seat.environment.insert(RUN.into(), run.name().into());
            if spec.faketime {
                let clock = Clock::new(arm.folder().join("faketime"));
                let clock = clock.map_err(|why| anyhow!("no clock to shift: {why}"))?;
                seat.environment.extend(clock.environment());
                clocks.insert(host, clock);
            }
            if let Host::Node(id) = host {
                let plain = folder.join(&name);
                let disk = Disk::make(spec.disks, plain, run.folder(), &name, arm.clone())
                    .with_context(|| format!("{name} has no disk"))?;
                seat.data_dir = Some(disk.data_dir().to_owned());
                disks.insert(id, disk);
            }
            seats.insert(name, seat);
            arms.insert(host, arm);
        }
        let mut options = ClusterOptions::new(&folder)?;
        options.restart = spec.restart;
        options.patience = spec.patience;
        options.seats = seats;
        options.reach = wiring.reach;
        if let Some(program) = spec.program {
            options.program = program;
        }
        let cluster = Cluster::start(topology, options).await?;
        Ok(Playground {
            _reaper: Reaper(cluster.watch_everybody()),
            cluster,
            fabric: wiring.fabric,
            disks,
            arms,
            clocks,
            folder,
            _ports: wiring.ports,
            _run: run,
        })
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Its network, if it can be broken.
    pub fn fabric(&self) -> Option<&dyn Fabric> {
        self.fabric.as_deref()
    }

    /// Where configurations and logs lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The processes: nodes, then frontends.
    pub fn hosts(&self) -> Vec<Host> {
        self.arms.keys().copied().collect()
    }

    /// What a process's failpoints are armed by.
    pub fn arm(&self, host: Host) -> Result<&Arm> {
        let arm = self.arms.get(&host).map(AsRef::as_ref);
        arm.with_context(|| format!("{host} has no process"))
    }

    /// A process's wall clock, if the playground was made with clocks to shift.
    pub fn clock(&self, host: Host) -> Option<&Clock> {
        self.clocks.get(&host)
    }

    /// Makes the syncs of a process fail, or slow, until what this returns is dropped; by strace,
    /// in any build.
    pub fn trace(&self, host: Host, trouble: Trouble) -> Result<Traced> {
        let pid = self.process(host)?.pid();
        let pid = pid.with_context(|| format!("{host} does not run"))?;
        Ok(Traced::begin(pid, trouble, self.arm(host)?.folder())?)
    }

    /// A node's disk.
    pub fn disk(&self, node: u64) -> Result<&Disk> {
        let disk = self.disks.get(&node);
        disk.with_context(|| format!("no node {node}"))
    }

    /// A node's or a frontend's process.
    pub fn process(&self, host: Host) -> Result<&Supervised> {
        match host {
            Host::Node(id) => self.cluster.process(id),
            Host::Frontend(at) => self.cluster.frontend_process(at),
            Host::Client => bail!("the client is this process"),
        }
    }

    /// SIGKILL; returns when it is dead, and it stays so until it is started.
    pub async fn kill(&self, host: Host) -> Result<()> {
        self.process(host)?.kill(true).await;
        Ok(())
    }

    /// SIGTERM; returns how it ended, and it stays so until it is started.
    pub async fn terminate(&self, host: Host) -> Result<Option<ExitStatus>> {
        Ok(self.process(host)?.terminate().await)
    }

    /// Starts it if it does not run.
    pub async fn start_again(&self, host: Host) -> Result<()> {
        Ok(self.process(host)?.start_again().await?)
    }

    /// SIGSTOP: it stands still, and its connections stay open.
    pub fn pause(&self, host: Host) -> Result<()> {
        self.signal(host, Signal::STOP)
    }

    /// SIGCONT: it goes on where it stood.
    pub fn resume(&self, host: Host) -> Result<()> {
        self.signal(host, Signal::CONT)
    }

    /// Gives a node an empty disk and brings it back as another incarnation, as operators do with
    /// a machine that lost its disk. Returns when it votes again.
    pub async fn replace_disk(&self, node: u64) -> Result<()> {
        self.kill(Host::Node(node)).await?;
        self.disk(node)?.wipe()?;
        self.bring_back(node, REPLACE_PATIENCE).await.map(drop)
    }

    /// Brings a node back whose disk is empty, and which is down: returns when it votes again.
    ///
    /// Until its former self is taken out of its groups, those who know that one turn it away, and
    /// it ends; so it is started again and again, as a supervisor would do it.
    pub async fn bring_back(&self, node: u64, timeout: Duration) -> Result<Node> {
        tokio::select! {
            back = self.cluster.replace(node, timeout) => back,
            failed = self.keep_running(Host::Node(node)) => Err(failed),
        }
    }

    /// Starts a process whenever it has ended; returns only if it cannot be started.
    async fn keep_running(&self, host: Host) -> anyhow::Error {
        loop {
            if let Err(error) = self.start_again(host).await {
                return error;
            }
            let ended = match self.process(host) {
                Ok(process) => process.watch(),
                Err(error) => return error,
            };
            wait_for_end(ended).await;
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    }

    /// Ends everything in order; says whether every process ended well.
    pub async fn stop(self) -> bool {
        self.cluster.stop().await
    }

    fn signal(&self, host: Host, signal: Signal) -> Result<()> {
        let pid = self.process(host)?.pid();
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{host} does not run"))?;
        kill_process(pid, signal).with_context(|| format!("{host} got no signal"))
    }
}

async fn wait_for_end(mut process: watch::Receiver<State>) {
    let ended = |state: &State| matches!(state, State::Ended { .. });
    let _supervisor_gone = process.wait_for(ended).await;
}

/// Where configurations and logs lie: where they are to stay, or where they go with the run.
fn folder_of(spec: &PlaygroundSpec, run: &Run) -> Result<PathBuf> {
    let made = run.folder().join("cluster");
    let folder = spec.folder.as_ref().unwrap_or(&made);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.canonicalize()?)
}

/// Every process of a topology with its name.
fn hosts(topology: &Topology) -> Vec<(Host, String)> {
    let nodes = topology.nodes.iter();
    let nodes = nodes.map(|node| (Host::Node(node.id), node.name.clone()));
    let frontends = topology.frontends.iter().enumerate();
    let frontends = frontends.map(|(at, one)| (Host::Frontend(at), one.name.clone()));
    nodes.chain(frontends).collect()
}
