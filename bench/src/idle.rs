//! What a cluster costs that nobody asks anything: CPU of each node, and network between them.

use crate::cli::IdleArgs;
use crate::latency::Latencies;
use crate::proc::{self, Traffic};
use crate::report::Report;
use crate::settled;
use crate::system::{System, topology};
use anyhow::{Context, Result};
use florin_node::cluster::process::Restart;
use std::time::Duration;

/// Leaders are elected and placed, caches filled: what comes after is idleness.
const SETTLE: Duration = Duration::from_secs(5);

/// How long a cluster may take until its groups have leaders.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the bench: one report for each number of groups. It counts nothing but time.
pub async fn run(args: &IdleArgs) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    for groups in &args.groups {
        let mut topology = topology(&args.own)?;
        topology.cluster.groups = *groups;
        let system = System::of(topology, &args.own, Restart::Never).await?;
        let watched = watch(args, &system, *groups).await;
        let stopped = system.stop().await;
        reports.push(watched?);
        stopped.context("the cluster did not stop well")?;
    }
    Ok(reports)
}

async fn watch(args: &IdleArgs, system: &System, groups: u32) -> Result<Report> {
    let cluster = system.cluster()?;
    let by = tokio::time::Instant::now() + PATIENCE;
    settled::wait(cluster, by).await?;
    tokio::time::sleep(SETTLE).await;
    let pids: Vec<u32> = cluster.nodes().iter().map(|node| node.pid).collect();
    let times = || {
        pids.iter()
            .map(|pid| proc::cpu_time(*pid))
            .collect::<Result<Vec<_>>>()
    };
    let (before, sent_before, began) = (times()?, proc::loopback()?, std::time::Instant::now());
    eprintln!("watching {groups} idle groups for {:?}", args.duration);
    tokio::time::sleep(args.duration).await;
    let (after, sent, took) = (times()?, proc::loopback()?, began.elapsed());
    let share = |(before, after): (&Duration, &Duration)| {
        (*after - *before).as_secs_f64() / took.as_secs_f64() * 100.0
    };
    let shares: Vec<f64> = before.iter().zip(&after).map(share).collect();
    let highest = shares.iter().copied().fold(0.0, f64::max);
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let traffic = Traffic {
        bytes: sent.bytes - sent_before.bytes,
        packets: sent.packets - sent_before.packets,
    };
    let a_second = |count: u64| count as f64 / took.as_secs_f64();
    // What is acknowledged here is that each group was led all the time.
    Ok(
        Report::counted("idle", u64::from(groups), took, &Latencies::default())
            .with("groups", groups)
            .with("nodes", pids.len())
            .with_number("cpu_percent_per_node", mean)
            .with_number("cpu_percent_busiest_node", highest)
            .with_number("loopback_bytes_per_second", a_second(traffic.bytes))
            .with_number("loopback_packets_per_second", a_second(traffic.packets)),
    )
}
