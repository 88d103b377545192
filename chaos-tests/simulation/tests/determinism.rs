//! The same seed gives the same run, byte for byte, and a run shows something.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs a seed; the trace with every packet in it, and what was said without the real times.
fn run(seed: u64, folder: &Path, name: &str) -> (Vec<u8>, Vec<u8>) {
    let (trace, history) = (folder.join(name), folder.join(format!("{name}.jsonl")));
    let output = Command::new(env!("CARGO_BIN_EXE_florin-simulation"))
        .args(["--seed", &seed.to_string(), "--packets", "--trace"])
        .arg(&trace)
        .arg("--history")
        .arg(&history)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    (fs::read(trace).unwrap(), fs::read(history).unwrap())
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    // Three nodes with two groups and nearly every class of faults; see `--seed 14`.
    let (first, again) = (
        run(14, folder.path(), "first"),
        run(14, folder.path(), "again"),
    );
    assert!(
        first.0.len() > 1 << 20,
        "the trace is {} bytes",
        first.0.len()
    );
    // The bytes themselves would fill the screen.
    assert!(first.0 == again.0, "the traces differ");
    assert!(first.1 == again.1, "the histories differ");
    let (other, _) = run(18, folder.path(), "other");
    assert!(first.0 != other, "another seed gave the same run");
}
