//! The benches that need a cluster, each as short as it can be: do they run to their end, do they
//! say what they should, and do the books agree? The figures of a debug build say nothing.

use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Three nodes in as many regions that forget their logs soon.
const FORGETFUL: &str = r#"
[cluster]
name = "forgetful"
groups = 1
replicas = 3

[timing]
heartbeat_ms = 100
election_ms = [400, 700]

[storage]
segment_mib = 16
log_cache_mib = 16
store_cache_mib = 16
min_free_mib = 64
checkpoint_seconds = 1
keep_checkpoints = 1

[[node]]
id = 1
name = "fra-1"
region = "eu-central"

[[node]]
id = 2
name = "iad-1"
region = "us-east"

[[node]]
id = 3
name = "sin-1"
region = "ap-southeast"

[[frontend]]
name = "fra-api-1"
region = "eu-central"
"#;

/// Clusters of tests start one after the other, those of other packages as well.
fn turn() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster.turn");
    let mut open = File::options();
    let file = open.create(true).truncate(false).write(true).open(path);
    let file = file.expect("the build's folder can be written");
    file.lock().expect("a file can be locked");
    file
}

/// The binary under test; beside it lies `florin`, which is built if it is missing.
fn florin_bench() -> PathBuf {
    let bench = PathBuf::from(env!("CARGO_BIN_EXE_florin-bench"));
    let profile = bench.parent().expect("the build's folder");
    if !profile.join("florin").is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-p", "florin-node", "--bin", "florin"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.env("CARGO_TARGET_DIR", profile.parent().expect("a folder"));
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().expect("cargo runs").success());
    }
    bench
}

/// Runs a bench and returns its lines.
#[track_caller]
fn run(arguments: &[&str]) -> Vec<Value> {
    let _turn = turn();
    let data = TempDir::new().unwrap();
    let ran = Command::new(florin_bench())
        .arg("--json")
        .args(arguments)
        .arg("--data")
        .arg(data.path())
        .output()
        .unwrap();
    let (said, told) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{arguments:?}: {said}\n{told}");
    let lines = said.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

fn number(line: &Value, field: &str) -> f64 {
    let found = line[field].as_f64();
    found.unwrap_or_else(|| panic!("no number {field} in {line}"))
}

#[test]
fn payments_take_no_less_than_a_round_trip_to_the_nearest_region() {
    let lines = run(&[
        "regions",
        "--round-trips=20,40,60",
        "--connections=2",
        "--partners=2",
        "--duration=1s",
    ]);
    let floors: Vec<f64> = lines.iter().map(|line| number(line, "floor_ms")).collect();
    assert_eq!(floors, [20.0, 20.0, 40.0]);
    for line in &lines {
        assert!(
            number(line, "p50_ms") > number(line, "floor_ms") - 2.0,
            "{line}"
        );
        let over = number(line, "p50_ms") - number(line, "floor_ms");
        assert!(
            (number(line, "p50_over_floor_ms") - over).abs() < 0.01,
            "{line}"
        );
        assert_eq!(number(line, "errors"), 0.0, "{line}");
    }
}

#[test]
fn a_replica_that_was_away_catches_up_by_snapshot() {
    let folder = TempDir::new().unwrap();
    let topology = folder.path().join("forgetful.toml");
    std::fs::write(&topology, FORGETFUL).unwrap();
    let lines = run(&[
        "catchup",
        "--payments=20000",
        "--rate=50",
        "--connections=4",
        "--partners=2",
        "--duration=1s",
        "--topology",
        topology.to_str().unwrap(),
    ]);
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["bench"].as_str())
        .collect();
    assert_eq!(
        names,
        ["catchup, before", "catchup, a replica away", "catchup"]
    );
    let caught_up = &lines[2];
    assert!(
        number(caught_up, "payments_held") >= 20_000.0,
        "{caught_up}"
    );
    assert!(number(caught_up, "snapshots") >= 1.0, "{caught_up}");
    assert!(number(caught_up, "catch_up_seconds") > 0.0, "{caught_up}");
    assert!(number(caught_up, "p99_ratio") > 0.0, "{caught_up}");
}

#[test]
fn frontend_and_leader_count_what_they_allocate() {
    let lines = run(&[
        "allocations",
        "--connections=4",
        "--partners=10",
        "--duration=1s",
    ]);
    let line = &lines[0];
    for kind in ["frontend", "leader", "follower"] {
        let allocations = number(line, &format!("{kind}_allocations"));
        assert!(allocations >= 1.0, "{kind}: {line}");
        // Nothing is smaller than a byte.
        assert!(
            number(line, &format!("{kind}_bytes")) >= allocations,
            "{kind}: {line}"
        );
        assert!(
            number(line, &format!("{kind}_idle_allocations_per_second")) > 0.0,
            "{kind}: {line}"
        );
    }
}
