//! A replica that was away for so long that the log is gone which it would need: how long a snapshot
//! takes until it is level, and what becomes of payments meanwhile.
//!
//! One shard is filled by batches. For the last tenth of its payments one replica, which does not
//! lead, is down; it stays down until checkpoints have let the others' log go that far. Then it is
//! started, under the same open loop of payments that was measured twice before: with all replicas,
//! and with this one away.

use crate::audit::Audit;
use crate::bulk::book::Book;
use crate::bulk::{self, Plan};
use crate::cli::{CatchupArgs, Format};
use crate::load::{Load, Stream, WARM_UP};
use crate::pay::{Books, onboard};
use crate::report::Report;
use crate::settled;
use crate::skew::Zipf;
use crate::system::{System, topology};
use crate::tally::Moved;
use anyhow::{Context, Result, ensure};
use florin_ledger::id::GroupId;
use florin_node::cluster::Cluster;
use florin_node::cluster::process::Restart;
use florin_node::demo::audit::disagreement;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Connections and transfers of a batch while the shard is filled.
const FILLING: (u32, usize) = (4, 8_190);

/// Filled in pieces of so many transfers, so that progress is told.
const PIECE: u64 = 1_000_000;

/// How long the replica may take until it is level.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// How long the cluster may take until its replicas agree when nobody pays any more.
const AGREEMENT: Duration = Duration::from_secs(60);

/// The only shard.
const SHARD: GroupId = GroupId(1);

/// What a node writes into its log for each snapshot that another has taken from it.
const SENT: &str = "a snapshot was received";

/// A shard that is filled.
struct Shard<'a> {
    plan: Plan,
    cluster: &'a Cluster,
    /// By book.
    moved: Vec<Moved>,
    payments: u64,
}

/// Runs the bench: one report for payments with all replicas, one with a replica away, one while
/// it catches up.
pub async fn run(args: &CatchupArgs) -> Result<Vec<Report>> {
    let mut topology = topology(&args.own)?;
    topology.cluster.groups = 1;
    ensure!(
        topology.cluster.replicas > 1,
        "a lone replica has nobody to catch up with"
    );
    // An entry leaves the log with the checkpoint after those that keep it; one more, for the
    // checkpoint that was being taken.
    let kept = u32::try_from(topology.storage.keep_checkpoints)? + 2;
    let forgotten = Duration::from_secs(topology.storage.checkpoint_seconds) * kept;
    let system = System::of(topology, &args.own, Restart::Never).await?;
    eprintln!("under load: {}", system.description);
    let result = measure(args, &system, forgotten).await;
    let stopped = system.stop().await;
    let reports = result?;
    stopped.context("the cluster did not stop well")?;
    Ok(reports)
}

async fn measure(args: &CatchupArgs, system: &System, forgotten: Duration) -> Result<Vec<Report>> {
    let cluster = system.cluster()?;
    let mut shard = Shard::open(args, system).await?;
    let load = Load {
        api: system.doors.api.clone(),
        partners: onboard(system, args.partners).await?.into(),
        duration: args.duration,
    };
    let mut books = Books::new(&load);
    shard.fill(args.payments - args.payments / 10).await?;
    settled::wait(cluster, Instant::now() + PATIENCE).await?;
    eprintln!("payments with all replicas");
    let usual = pay("catchup, before", args, &load, &mut books).await?;

    let node = follower(cluster).await?;
    eprintln!("{} goes", cluster.name_of(node));
    cluster.kill(node, true).await?;
    shard.fill(args.payments).await?;
    eprintln!(
        "the log forgets what {} lacks: {forgotten:?}",
        cluster.name_of(node)
    );
    sleep(forgotten).await;
    let away = pay("catchup, a replica away", args, &load, &mut books).await?;

    let snapshots = snapshots(cluster, node)?;
    let (report, took) = come_back(args, cluster, node, &load, &mut books).await?;
    let snapshots = self::snapshots(cluster, node)? - snapshots;
    ensure!(
        snapshots > 0,
        "{} caught up by the log, not by a snapshot",
        cluster.name_of(node)
    );
    if let Some(why) = disagreement(cluster, AGREEMENT).await {
        anyhow::bail!("the replicas disagree: {why}");
    }
    let filled = shard.audit().await?;
    ensure!(filled.held(), "the books of the filled ledgers are wrong");
    let audit = books.audit().await?;
    let ratio = |before: &Report| report.p99_ms / before.p99_ms.max(0.001);
    let (to_usual, to_away) = (ratio(&usual), ratio(&away));
    let report = report
        .with("payments_held", shard.payments)
        .with("snapshots", snapshots)
        .with_number("catch_up_seconds", took.as_secs_f64())
        .with_number("p99_ratio", to_usual)
        .with_number("p99_ratio_to_replica_away", to_away);
    let reports = [usual, away, report];
    Ok(reports.map(|one| one.audited(audit.clone())).into())
}

/// Starts the replica under load; says what became of payments until it was level, and how long
/// that took.
async fn come_back(
    args: &CatchupArgs,
    cluster: &Cluster,
    node: u64,
    load: &Load,
    books: &mut Books<'_>,
) -> Result<(Report, Duration)> {
    let patient = Load {
        duration: PATIENCE,
        ..load.clone()
    };
    let mut took = Ok(Duration::ZERO);
    let level = async {
        sleep(WARM_UP).await;
        eprintln!("{} comes back", cluster.name_of(node));
        let began = Instant::now();
        took = async {
            cluster.start_node(node).await?;
            settled::wait(cluster, began + PATIENCE).await
        }
        .await
        .map(|()| began.elapsed());
    };
    let streamed = patient.run_beside(&[stream(args, load)], level).await?;
    let streamed = streamed.first().context("no stream")?;
    books.add(&streamed.tally);
    let report = Report::new("catchup", &streamed.tally, streamed.took);
    Ok((report.with("rate", args.rate), took?))
}

async fn pay(name: &str, args: &CatchupArgs, load: &Load, books: &mut Books<'_>) -> Result<Report> {
    let streamed = books.run(&[stream(args, load)]).await?;
    let streamed = streamed.first().context("no stream")?;
    let report = Report::new(name, &streamed.tally, streamed.took);
    Ok(report.with("rate", args.rate))
}

fn stream(args: &CatchupArgs, load: &Load) -> Stream {
    Stream {
        payers: Zipf::new(load.partners.len()),
        connections: args.connections,
        http2: None,
        rate: Some(f64::from(args.rate)),
    }
}

/// A node with a replica of the shard that does not lead it, nor the directory if that can be.
async fn follower(cluster: &Cluster) -> Result<u64> {
    let leaders = settled::leaders(cluster).await;
    let leader = leaders.get(&SHARD).context("the shard has no leader")?;
    let nodes = cluster.nodes().into_iter().map(|node| node.id);
    let followers = nodes.filter(|node| node != leader);
    let leads = |node: &u64| leaders.values().filter(|one| *one == node).count();
    followers
        .min_by_key(leads)
        .context("there is one node only")
}

/// How many snapshots a node has taken so far, by what the others wrote into their logs.
fn snapshots(cluster: &Cluster, node: u64) -> Result<usize> {
    let peer = format!("\"peer\":{node}");
    let group = format!("\"group\":{}", SHARD.0);
    let mut count = 0;
    for other in cluster.nodes() {
        let log = cluster.folder().join(format!("{}.log", other.name));
        let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        let told = |line: &&str| [SENT, &peer, &group].iter().all(|part| line.contains(part));
        count += text.lines().filter(told).count();
    }
    Ok(count)
}

impl<'a> Shard<'a> {
    async fn open(args: &CatchupArgs, system: &'a System) -> Result<Shard<'a>> {
        let partners = onboard(system, args.partners).await?;
        let books = partners.iter().map(Book::of_two);
        let (connections, batch) = FILLING;
        Ok(Shard {
            plan: Plan {
                api: system.doors.api.clone(),
                books: books.collect::<Result<_>>()?,
                batch,
                format: Format::Binary,
                connections,
            },
            cluster: system.cluster()?,
            moved: vec![Moved::default(); partners.len()],
            payments: 0,
        })
    }

    /// Until it holds so many payments.
    async fn fill(&mut self, size: u64) -> Result<()> {
        while self.payments < size {
            let piece = PIECE.min(size - self.payments);
            let counted = bulk::fill(&self.plan, piece).await?;
            for (sum, more) in self.moved.iter_mut().zip(&counted.moved) {
                sum.add(*more);
            }
            self.payments += counted.made;
            eprintln!("the shard holds {} of {size} payments", self.payments);
        }
        let leaders = settled::leaders(self.cluster).await;
        ensure!(leaders.contains_key(&SHARD), "the shard lost its leader");
        Ok(())
    }

    async fn audit(&self) -> Result<Audit> {
        bulk::audit(&self.plan, &self.moved).await
    }
}
