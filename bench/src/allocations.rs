//! How often memory is allocated for each payment, in the frontend, in the leader and in its
//! followers.
//!
//! The cluster has one shard and one frontend, so that one node leads all payments. Each of its
//! processes is a [`counted`] one. What the counters say at the end of the warm-up and after the last
//! answer, divided by the payments between, is what a payment takes; heartbeats, checkpoints and
//! other upkeep of that time included, which an idle while before shows by itself.

use crate::cli::AllocationsArgs;
use crate::counted::{self, Allocated};
use crate::load::{Load, Stream, WARM_UP};
use crate::pay::{Books, onboard};
use crate::report::Report;
use crate::settled;
use crate::skew::Zipf;
use crate::system::{System, topology};
use anyhow::{Context, Result, ensure};
use florin_ledger::id::GroupId;
use florin_node::cluster::process::Restart;
use florin_node::cluster::seat::Seat;
use florin_node::cluster::{Cluster, Topology, ports};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long the cluster may take until it is whole.
const PATIENCE: Duration = Duration::from_secs(60);

/// For how long it is watched while nobody pays.
const IDLE: Duration = Duration::from_secs(2);

/// The only shard.
const SHARD: GroupId = GroupId(1);

/// By process.
type Counts = BTreeMap<String, Allocated>;

/// Where the counters of each process are told.
struct Counters {
    sockets: BTreeMap<String, PathBuf>,
    _folder: TempDir,
}

/// Runs the bench.
pub async fn run(args: &AllocationsArgs) -> Result<Report> {
    let mut topology = topology(&args.own)?;
    topology.cluster.groups = 1;
    topology.frontends.truncate(1);
    let counters = Counters::of(&topology)?;
    let ports = ports::claim(2 * counters.sockets.len()).context("no ports")?;
    let seats = counters.seats(&ports)?;
    let system = System::seated(topology, &args.own, Restart::Never, seats).await?;
    eprintln!("under load: {}", system.description);
    let measured = measure(args, &system, &counters).await;
    let stopped = system.stop().await;
    let report = measured?;
    stopped.context("the cluster did not stop well")?;
    Ok(report)
}

async fn measure(args: &AllocationsArgs, system: &System, counters: &Counters) -> Result<Report> {
    let cluster = system.cluster()?;
    let load = Load {
        api: system.doors.api.clone(),
        partners: onboard(system, args.partners).await?.into(),
        duration: args.duration,
    };
    let mut books = Books::new(&load);
    settled::wait(cluster, Instant::now() + PATIENCE).await?;
    let leader = leader(cluster).await?;
    let before = counters.read()?;
    sleep(IDLE).await;
    let idle = since(&before, &counters.read()?);

    let stream = Stream {
        payers: Zipf::new(load.partners.len()),
        connections: args.connections,
        http2: None,
        rate: None,
    };
    let warm = async {
        sleep(WARM_UP).await;
        counters.read()
    };
    let streams = [stream];
    let (streamed, before) = tokio::join!(books.run(&streams), warm);
    let paid = since(&before?, &counters.read()?);
    ensure!(
        leader == self::leader(cluster).await?,
        "another node leads now: the counts are of two leaders"
    );
    let streamed = streamed?;
    let streamed = streamed.first().context("no stream")?;
    let report = Report::new("allocations", &streamed.tally, streamed.took);
    let report = report.with("connections", args.connections);
    let report = told(report, cluster, &leader, &paid, &idle)?;
    Ok(report.audited(books.audit().await?))
}

/// What a payment takes of each kind of process, and a second in which nobody pays.
fn told(
    mut report: Report,
    cluster: &Cluster,
    leader: &str,
    paid: &Counts,
    idle: &Counts,
) -> Result<Report> {
    let payments = report.acknowledged.max(1) as f64;
    let frontend = cluster.topology().frontends.first();
    let frontend = &frontend.context("the topology has no frontend")?.name;
    let nodes = cluster.nodes();
    let followers = nodes.iter().map(|node| node.name.as_str());
    let followers: Vec<&str> = followers.filter(|name| *name != leader).collect();
    let kinds = [
        ("frontend", vec![frontend.as_str()]),
        ("leader", vec![leader]),
        ("follower", followers),
    ];
    for (kind, processes) in kinds {
        // Of followers it is the mean.
        let mean = |counts: &Counts, of: fn(Allocated) -> u64| {
            let sum: u64 = processes.iter().map(|name| of(counts[*name])).sum();
            sum as f64 / processes.len().max(1) as f64
        };
        let (times, bytes) = (|one: Allocated| one.times, |one: Allocated| one.bytes);
        report = report
            .with_number(&format!("{kind}_allocations"), mean(paid, times) / payments)
            .with_number(&format!("{kind}_bytes"), mean(paid, bytes) / payments)
            .with_number(
                &format!("{kind}_idle_allocations_per_second"),
                mean(idle, times) / IDLE.as_secs_f64(),
            );
    }
    Ok(report)
}

async fn leader(cluster: &Cluster) -> Result<String> {
    let leaders = settled::leaders(cluster).await;
    let leader = leaders.get(&SHARD).context("the shard has no leader")?;
    Ok(cluster.name_of(*leader))
}

fn since(before: &Counts, after: &Counts) -> Counts {
    let each = after.iter().zip(before.values());
    each.map(|((name, after), before)| (name.clone(), after.since(*before)))
        .collect()
}

impl Counters {
    /// In the system's folder for temporary files: a socket's path must be short.
    fn of(topology: &Topology) -> Result<Counters> {
        let folder = tempfile::tempdir().context("no folder for the counters")?;
        let nodes = topology.nodes.iter().map(|node| &node.name);
        let names = nodes.chain(topology.frontends.iter().map(|one| &one.name));
        let socket = |name: &String| (name.clone(), folder.path().join(name));
        Ok(Counters {
            sockets: names.map(socket).collect(),
            _folder: folder,
        })
    }

    /// A seat for each process, on two of these ports, in which it counts.
    fn seats(&self, ports: &[ports::Port]) -> Result<BTreeMap<String, Seat>> {
        let address = |port: &ports::Port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.number));
        let mut seats = BTreeMap::new();
        for ((name, socket), pair) in self.sockets.iter().zip(ports.chunks(2)) {
            let [main, admin] = pair else {
                anyhow::bail!("a process without ports");
            };
            let seat = Seat {
                launcher: counted::launcher(Path::new(socket))?,
                ..Seat::at(address(main), address(admin))
            };
            seats.insert(name.clone(), seat);
        }
        Ok(seats)
    }

    fn read(&self) -> Result<Counts> {
        let each = self.sockets.iter();
        each.map(|(name, socket)| Ok((name.clone(), counted::read(socket)?)))
            .collect()
    }
}
