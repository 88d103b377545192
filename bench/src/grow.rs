//! How figures change as the ledger grows: throughput, latency, memory, disk, and the time until a
//! killed node is back. The ledger is filled with batches, and measured with single payments.

use crate::bulk::book::Book;
use crate::bulk::{self, Plan};
use crate::cli::{Format, GrowArgs};
use crate::load::{Load, Stream};
use crate::partners::Partner;
use crate::pay::onboard;
use crate::proc;
use crate::report::Report;
use crate::settled;
use crate::skew::Zipf;
use crate::svg::{Curve, draw};
use crate::system::{System, topology};
use anyhow::{Context, Result, ensure};
use florin_node::cluster::process::Restart;
use florin_node::cluster::{Cluster, NodeInfo};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Connections and transfers of a batch while the ledger is filled.
const FILLING: (u32, usize) = (4, 8_190);

/// Filled in pieces of so many transfers, so that progress is told.
const PIECE: u64 = 1_000_000;

/// How long a node may take until it is back, and a cluster until it is whole.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was seen at one size.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    payments: f64,
    per_second: f64,
    p99_ms: f64,
    memory_mib: f64,
    disk_bytes: f64,
    restart_seconds: f64,
}

/// A growing ledger.
struct Growing<'a> {
    args: &'a GrowArgs,
    system: &'a System,
    load: Load,
    plan: Plan,
    /// Payments in the ledger: transfers of batches, and single ones.
    payments: u64,
}

/// Runs the bench: one report for each size.
pub async fn run(args: &GrowArgs) -> Result<Vec<Report>> {
    ensure!(args.sizes.is_sorted(), "the sizes must grow");
    let system = System::of(topology(&args.own)?, &args.own, Restart::Never).await?;
    eprintln!("under load: {}", system.description);
    let grown = grow(args, &system).await;
    let stopped = system.stop().await;
    let reports = grown?;
    stopped.context("the cluster did not stop well")?;
    Ok(reports)
}

async fn grow(args: &GrowArgs, system: &System) -> Result<Vec<Report>> {
    let partners: Rc<[Partner]> = onboard(system, args.partners).await?.into();
    let books = partners
        .iter()
        .map(Book::of_two)
        .collect::<Result<Vec<_>>>()?;
    let (connections, batch) = FILLING;
    let mut growing = Growing {
        args,
        system,
        load: Load {
            api: system.doors.api.clone(),
            partners,
            duration: args.duration,
        },
        plan: Plan {
            api: system.doors.api.clone(),
            books: books.into(),
            batch,
            format: Format::Binary,
            connections,
        },
        payments: 0,
    };
    let (mut reports, mut seen) = (Vec::new(), Vec::new());
    for size in &args.sizes {
        growing.fill(*size).await?;
        let (report, one) = growing.measure().await?;
        eprintln!("{report}");
        reports.push(report);
        seen.push(one);
        std::fs::write(&args.svg, picture(&seen))
            .with_context(|| format!("cannot draw {}", args.svg.display()))?;
    }
    Ok(reports)
}

impl Growing<'_> {
    async fn fill(&mut self, size: u64) -> Result<()> {
        while self.payments < size {
            let piece = PIECE.min(size - self.payments);
            let counted = bulk::fill(&self.plan, piece).await?;
            self.payments += counted.made;
            eprintln!("the ledger holds {} of {size} payments", self.payments);
        }
        Ok(())
    }

    async fn measure(&mut self) -> Result<(Report, Seen)> {
        let cluster = self.system.cluster()?;
        settled::wait(cluster, Instant::now() + PATIENCE).await?;
        let held = self.payments;
        let stream = Stream {
            payers: Zipf::new(self.load.partners.len()),
            connections: self.args.connections,
            http2: None,
            rate: None,
        };
        let streamed = self.load.run(&[stream]).await?;
        let streamed = streamed.first().context("no stream")?;
        let report = Report::new("grow", &streamed.tally, streamed.took);
        self.payments += streamed.tally.acknowledged;
        let memory = highest(cluster, |node| proc::resident(node.pid))?;
        let (restart, disk) = restart(cluster).await?;
        let per_payment = disk as f64 / self.payments.max(1) as f64;
        let seen = Seen {
            payments: held as f64,
            per_second: report.per_second,
            p99_ms: report.p99_ms,
            memory_mib: memory as f64 / f64::from(1 << 20),
            disk_bytes: per_payment,
            restart_seconds: restart.as_secs_f64(),
        };
        let report = report
            .with("payments_held", held)
            .with_number("memory_mib_per_node", seen.memory_mib)
            .with_number("disk_bytes_per_payment", seen.disk_bytes)
            .with_number("restart_seconds", seen.restart_seconds);
        Ok((report, seen))
    }
}

/// Ends a node in order, which makes a checkpoint: what it takes on the disk then is what the
/// payments need. Then kills it while it runs again, and waits until it is level with the others.
async fn restart(cluster: &Cluster) -> Result<(Duration, u64)> {
    let node = cluster.nodes().into_iter().next().context("no node")?;
    settled::wait(cluster, Instant::now() + PATIENCE).await?;
    cluster.terminate(node.id).await?;
    let disk = proc::on_disk(&node.data_dir)?;
    cluster.start_node(node.id).await?;
    settled::wait(cluster, Instant::now() + PATIENCE).await?;
    eprintln!("{} takes {} MiB of disk; killing it", node.name, disk >> 20);
    cluster.kill(node.id, true).await?;
    let began = Instant::now();
    cluster.start_node(node.id).await?;
    settled::wait(cluster, Instant::now() + PATIENCE).await?;
    Ok((began.elapsed(), disk))
}

fn highest(cluster: &Cluster, of: impl Fn(&NodeInfo) -> Result<u64>) -> Result<u64> {
    let mut highest = 0;
    for node in cluster.nodes() {
        highest = highest.max(of(&node)?);
    }
    Ok(highest)
}

fn picture(seen: &[Seen]) -> String {
    let curve = |title: &str, of: fn(&Seen) -> f64| Curve {
        title: title.to_owned(),
        points: seen.iter().map(|one| (one.payments, of(one))).collect(),
    };
    draw(
        "payments in the ledger",
        &[
            curve("payments a second", |one| one.per_second),
            curve("p99, ms", |one| one.p99_ms),
            curve("memory of the largest node, MiB", |one| one.memory_mib),
            curve("disk per payment and replica, bytes", |one| one.disk_bytes),
            curve("restart after a kill, s", |one| one.restart_seconds),
        ],
    )
}
