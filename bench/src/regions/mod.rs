//! What payments take when regions are far apart.
//!
//! Nodes and frontends of three regions reach each other through proxies that hold everything back
//! for half a round trip; within a region nothing is held back. Each region in turn is measured: its
//! partners live in groups that are led there, and the load generator and the frontend stand there
//! too. Then a payment cannot take less than one round trip from the leader to the nearest other
//! region, whose replica completes the quorum. That is the floor.

mod world;

use crate::cli::{OwnArgs, RegionsArgs};
use crate::load::{Load, Stream};
use crate::partners::{self, Partner};
use crate::pay::Books;
use crate::report::Report;
use crate::settled;
use crate::skew::Zipf;
use crate::system::System;
use anyhow::{Context, Result, bail};
use florin_node::cluster::Cluster;
use florin_node::cluster::process::Restart;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use world::World;

/// How long the groups may take until they are led at home.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the bench: one report for each region.
pub async fn run(args: &RegionsArgs) -> Result<Vec<Report>> {
    let world = World::make(&args.round_trips).await?;
    let own = OwnArgs {
        topology: None,
        data: args.data.clone(),
    };
    let topology = world.topology().clone();
    let system = System::seated(topology, &own, Restart::Never, world.seats()).await?;
    eprintln!("under load: {}", system.description);
    let measured = measure(args, &world, &system).await;
    let stopped = system.stop().await;
    let reports = measured?;
    stopped.context("the cluster did not stop well")?;
    Ok(reports)
}

async fn measure(args: &RegionsArgs, world: &World, system: &System) -> Result<Vec<Report>> {
    let cluster = system.cluster()?;
    settled::wait(cluster, Instant::now() + PATIENCE).await?;
    let mut reports = Vec::new();
    for (at, region) in system.regions.iter().enumerate() {
        let doors = system.doors_at(at)?;
        let home = std::slice::from_ref(region);
        let partners = partners::onboard(&doors, home, args.partners as usize, |_| ()).await?;
        at_home(cluster, &partners, world.node(at)).await?;
        let (nearest, floor) = world.nearest(at);
        let emulated = world.round_trip(at, nearest).await?;
        eprintln!("{region}: a round trip to the nearest region takes {emulated:?} as emulated");
        let load = Load {
            api: doors.api.clone(),
            partners: partners.into(),
            duration: args.duration,
        };
        let mut books = Books::new(&load);
        let stream = Stream {
            payers: Zipf::new(load.partners.len()),
            connections: args.connections,
            http2: None,
            rate: None,
        };
        let streamed = books.run(&[stream]).await?;
        let streamed = streamed.first().context("no stream")?;
        at_home(cluster, &load.partners, world.node(at)).await?;
        let report = Report::new(
            &format!("regions, led in {region}"),
            &streamed.tally,
            streamed.took,
        );
        let (p50, floor) = (report.p50_ms, ms(floor));
        reports.push(
            report
                .with("connections", args.connections)
                .with_number("floor_ms", floor)
                .with_number("emulated_round_trip_ms", ms(emulated))
                .with_number("p50_over_floor_ms", p50 - floor)
                .with_number("p50_over_emulated_ms", p50 - ms(emulated))
                .audited(books.audit().await?),
        );
    }
    Ok(reports)
}

/// Waits until the groups of these partners are led by this node: elsewhere the floor is another.
async fn at_home(cluster: &Cluster, partners: &[Partner], node: u64) -> Result<()> {
    let by = Instant::now() + PATIENCE;
    loop {
        let (leaders, directory) = (
            settled::leaders(cluster).await,
            cluster.router().directory(),
        );
        let led_by = |partner: &Partner| {
            let home = directory.partners.get(&partner.id)?.value.group;
            leaders.get(&home).copied()
        };
        if partners.iter().all(|one| led_by(one) == Some(node)) {
            return Ok(());
        }
        if Instant::now() > by {
            bail!("some partners' groups are not led by node {node}, in their home region");
        }
        sleep(LOOK).await;
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
