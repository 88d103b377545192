//! How a run can be repeated, and on what it ran.

use super::RunOptions;
use crate::history::Run;
use crate::playground::Playground;
use crate::scenario::Scenario;
use std::fs;

pub(super) fn run(scenario: &Scenario, options: &RunOptions, playground: &Playground) -> Run {
    let topology = playground.cluster().topology();
    let (nodes, regions) = (topology.nodes.len(), topology.regions().len());
    let groups = topology.cluster.groups;
    let fabric = playground.fabric().map_or("none", |fabric| fabric.kind());
    let (name, seed) = (&scenario.name, options.seed);
    let mut command = format!("florin-chaos run chaos-tests/scenarios/{name}.toml --seed {seed}");
    if let Some(florin) = &options.florin {
        command += &format!(" --florin {}", florin.display());
    }
    if fabric != "none" {
        command += &format!(" --fabric {fabric}");
    }
    if options.slower != 1.0 {
        command += &format!(" --slower {}", options.slower);
    }
    Run {
        scenario: name.clone(),
        seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        topology: format!("{nodes} nodes in {regions} regions, {groups} groups"),
        fabric: fabric.to_owned(),
        machine: machine(),
    }
}

/// Processors, memory and kernel of this machine.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let gib = kib.unwrap_or_default() as f64 / f64::from(1 << 20);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} processors, {gib:.0} GiB, Linux {}", kernel.trim())
}
