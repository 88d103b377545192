//! Building what is run, with the feature `faults`, and finding it.

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The rooms whose tests hunt.
const TESTED: [&str; 3] = ["florin-storage", "florin-raft", "florin-shards"];

/// A program and where it is run.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) folder: PathBuf,
}

/// Everything that was built.
#[derive(Debug)]
pub(super) struct Programs {
    /// Absent from sources that have none.
    pub(super) simulation: Option<Program>,
    tests: Vec<(String, String, Program)>,
}

impl Programs {
    /// Builds; cargo does nothing that is done already.
    pub(super) fn build(sources: &Path, profile: &str) -> Result<Programs> {
        let features = TESTED.map(|package| format!("{package}/faults")).join(",");
        let mut arguments = vec!["test", "--no-run", "--features", &features];
        arguments.extend(TESTED.iter().flat_map(|package| ["--package", package]));
        let tests = cargo(sources, profile, &arguments)?;
        let simulation = if sources.join("chaos-tests/simulation/Cargo.toml").is_file() {
            let name = "florin-simulation";
            let arguments = [
                "build",
                "--package",
                name,
                "--features",
                "florin-simulation/faults",
            ];
            let built = cargo(sources, profile, &arguments)?.into_iter();
            let found = built.into_iter().find(|(_, target, _)| target == name);
            let (_, _, mut program) = found.ok_or_else(|| anyhow!("cargo built no {name}"))?;
            program.folder = sources.to_path_buf();
            Some(program)
        } else {
            None
        };
        Ok(Programs { simulation, tests })
    }

    /// The test program of a package's target.
    pub(super) fn test(&self, package: &str, target: &str) -> Result<&Program> {
        let is_it = |(of, name, _): &&(String, String, Program)| of == package && name == target;
        let found = self.tests.iter().find(is_it).map(|(_, _, program)| program);
        found.ok_or_else(|| anyhow!("cargo built no test program {target} of {package}"))
    }
}

/// Runs cargo, its messages for people going where ours go; answers package, target and program of
/// everything that can be run.
fn cargo(
    sources: &Path,
    profile: &str,
    arguments: &[&str],
) -> Result<Vec<(String, String, Program)>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .args(["--profile", profile, "--locked"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(sources)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo does not run")?;
    ensure!(
        output.status.success(),
        "cargo {} failed",
        arguments.join(" ")
    );
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(program).collect())
}

/// One of cargo's messages, if it tells of a program.
fn program(line: &str) -> Option<(String, String, Program)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let path = PathBuf::from(message["executable"].as_str()?);
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let folder = manifest.parent()?.to_path_buf();
    let package = message["package_id"].as_str()?;
    // `path+file:///…/raft#florin-raft@0.1.0`, or `…/florin-raft#0.1.0` where the folder is called alike.
    let (before, after) = package.rsplit_once('#')?;
    let name = match after.split_once('@') {
        Some((name, _)) => name,
        None => before.rsplit('/').next()?,
    };
    let target = message["target"]["name"].as_str()?;
    Some((name.to_owned(), target.to_owned(), Program { path, folder }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/raft#florin-raft@0.1.0",
            "manifest_path":"/w/raft/Cargo.toml","target":{"name":"cluster"},"executable":"/t/cluster-1"}"#;
        let (package, target, found) = program(line).expect("a program");
        assert_eq!(
            (package.as_str(), target.as_str()),
            ("florin-raft", "cluster")
        );
        assert_eq!(found.folder, Path::new("/w/raft"));
        assert!(program(&line.replace("\"/t/cluster-1\"", "null")).is_none());
        assert!(program("no JSON").is_none());
    }
}
