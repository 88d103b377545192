//! What tests with real processes share.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The binary beside this test, built if it is missing.
pub(crate) fn florin() -> PathBuf {
    let running = std::env::current_exe().expect("this program");
    let profile = running.ancestors().nth(2).expect("the build's folder");
    let found = profile.join("florin");
    if !found.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-p", "florin-node", "--bin", "florin"]);
        if cfg!(feature = "faults") {
            build.args(["--features", "florin-node/faults"]);
        }
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.env("CARGO_TARGET_DIR", profile.parent().expect("a folder"));
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().expect("cargo runs").success());
    }
    found
}

/// Clusters of tests start one after the other, those of other packages as well.
pub(crate) fn turn() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster.turn");
    let mut open = File::options();
    let file = open.create(true).truncate(false).write(true).open(path);
    let file = file.expect("the build's folder can be written");
    file.lock().expect("a file can be locked");
    file
}
