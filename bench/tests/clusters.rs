//! The benches that need a cluster, each as short as it can be: do they run to their end, do they
//! say what they should, and do the books agree? The figures of a debug build say nothing.

use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

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
