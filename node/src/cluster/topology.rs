//! What a cluster on one machine is made of: `cluster-configs/*.toml`.

use crate::config::node::StorageConfig;
use crate::config::{self, Checked, ConfigError, Timing, check_name};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// The topology of `florin demo` unless told otherwise; part of the binary, so that the demo
/// works from anywhere.
const THREE_REGIONS: &str = include_str!("../../../cluster-configs/three-regions.toml");

/// Five nodes in three regions: part of the binary too.
const FIVE_NODES: &str = include_str!("../../../cluster-configs/five-nodes.toml");

/// The one that `florin-bench` measures unless told otherwise.
const ONE_MACHINE: &str = include_str!("../../../cluster-configs/one-machine.toml");

/// At most this many shard groups on one machine: each costs a little even when idle.
const MAX_GROUPS: u32 = 64;

/// Nodes, regions, groups and frontends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// What holds for all of it.
    pub cluster: Shape,
    /// How patient the nodes are.
    pub timing: Timing,
    /// How the nodes use their disks.
    #[serde(default)]
    pub storage: StorageConfig,
    /// The nodes.
    #[serde(rename = "node")]
    pub nodes: Vec<NodeSpec>,
    /// The frontends.
    #[serde(rename = "frontend")]
    pub frontends: Vec<FrontendSpec>,
}

/// What holds for the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// How many groups hold ledgers, beside the directory's.
    pub groups: u32,
    /// Replicas of each group: 1, 3 or 5.
    pub replicas: usize,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its number, from 1.
    pub id: u64,
    /// For people.
    pub name: String,
    /// Where it runs.
    pub region: String,
}

/// A frontend.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontendSpec {
    /// For people.
    pub name: String,
    /// Where it runs.
    pub region: String,
}

impl Topology {
    /// Reads a topology's file.
    pub fn load(file: &Path) -> Result<Topology, ConfigError> {
        config::load(file)
    }

    /// The one that the binary brings along: three nodes in three regions.
    pub fn three_regions() -> Result<Topology, ConfigError> {
        config::parse(Path::new("three-regions.toml"), THREE_REGIONS)
    }

    /// The one of three nodes in three regions that share a small machine: one group.
    pub fn one_machine() -> Result<Topology, ConfigError> {
        config::parse(Path::new("one-machine.toml"), ONE_MACHINE)
    }

    /// The one of five nodes in three regions, which is part of the binary as well.
    pub fn five_nodes() -> Result<Topology, ConfigError> {
        config::parse(Path::new("five-nodes.toml"), FIVE_NODES)
    }

    /// The regions, each once, in the order of the nodes.
    pub fn regions(&self) -> Vec<&str> {
        let mut regions = Vec::new();
        for node in &self.nodes {
            if !regions.contains(&node.region.as_str()) {
                regions.push(node.region.as_str());
            }
        }
        regions
    }
}

impl Checked for Topology {
    fn check(&self) -> Result<(), (&'static str, String)> {
        check_name("cluster.name", &self.cluster.name)?;
        if !(1..=MAX_GROUPS).contains(&self.cluster.groups) {
            return Err(("cluster.groups", format!("must be from 1 to {MAX_GROUPS}")));
        }
        if ![1, 3, 5].contains(&self.cluster.replicas) {
            return Err(("cluster.replicas", "must be 1, 3 or 5".into()));
        }
        if self.cluster.replicas > self.nodes.len() {
            return Err((
                "cluster.replicas",
                format!("there are only {} nodes", self.nodes.len()),
            ));
        }
        self.timing.check()?;
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        for node in &self.nodes {
            check_name("node.name", &node.name)?;
            check_name("node.region", &node.region)?;
            if node.id == 0 || !ids.insert(node.id) {
                return Err(("node.id", format!("{} is 0 or given twice", node.id)));
            }
            if !names.insert(&node.name) {
                return Err(("node.name", format!("`{}` is given twice", node.name)));
            }
        }
        if self.frontends.is_empty() {
            return Err(("frontend", "there must be at least one".into()));
        }
        for frontend in &self.frontends {
            check_name("frontend.name", &frontend.name)?;
            check_name("frontend.region", &frontend.region)?;
            if !names.insert(&frontend.name) {
                return Err((
                    "frontend.name",
                    format!("`{}` is given twice", frontend.name),
                ));
            }
        }
        Ok(())
    }

    fn resolve(&mut self, _folder: &Path) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 4] = [
        (
            "one-node.toml",
            include_str!("../../../cluster-configs/one-node.toml"),
        ),
        ("one-machine.toml", ONE_MACHINE),
        ("three-regions.toml", THREE_REGIONS),
        ("five-nodes.toml", FIVE_NODES),
    ];

    fn parse(text: &str) -> Result<Topology, String> {
        config::parse(Path::new("t.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_files_are_what_their_names_say() {
        let shapes: Vec<_> = FILES
            .iter()
            .map(|(file, text)| {
                let topology = parse(text).unwrap();
                (
                    *file,
                    topology.nodes.len(),
                    topology.regions().len(),
                    topology.cluster.replicas,
                )
            })
            .collect();
        let expected = [
            ("one-node.toml", 1, 1, 1),
            ("one-machine.toml", 3, 3, 3),
            ("three-regions.toml", 3, 3, 3),
            ("five-nodes.toml", 5, 3, 5),
        ];
        assert_eq!(shapes, expected);
        assert_eq!(
            Topology::three_regions().unwrap(),
            parse(THREE_REGIONS).unwrap()
        );
    }

    #[test]
    fn every_file_of_the_folder_is_known_and_each_of_its_lines_explained() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cluster-configs");
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".toml") {
                found.insert(name);
            }
        }
        assert_eq!(
            found,
            FILES.iter().map(|(file, _)| (*file).to_owned()).collect()
        );
        for (file, text) in FILES {
            // A comment explains the block under it, up to the next empty line or comment.
            let mut explained = false;
            for line in text.lines() {
                explained = line.starts_with('#') || (explained && !line.is_empty());
                let field = line.contains(" = ") && !line.contains(" # ");
                assert!(!field || explained, "{file}: nothing explains `{line}`");
            }
        }
    }

    #[test]
    fn a_wrong_topology_is_refused_by_name() {
        let rows = [
            (
                "replicas = 3",
                "replicas = 2",
                "field `cluster.replicas`: must be 1, 3 or 5",
            ),
            (
                "replicas = 3",
                "replicas = 5",
                "field `cluster.replicas`: there are only 3 nodes",
            ),
            (
                "groups = 3",
                "groups = 0",
                "field `cluster.groups`: must be from 1 to 64",
            ),
            ("id = 2", "id = 1", "field `node.id`: 1 is 0 or given twice"),
            ("id = 2", "number = 2", "unknown field `number`"),
        ];
        for (line, instead, expected) in rows {
            assert!(THREE_REGIONS.contains(line), "{line}");
            let said = parse(&THREE_REGIONS.replacen(line, instead, 1)).unwrap_err();
            assert!(said.contains(expected), "{instead}: {said}");
        }
    }
}
