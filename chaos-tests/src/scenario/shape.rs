//! The cluster of a scenario: one of those of `cluster-configs/`, with a few settings changed.

use crate::disks::Disks;
use crate::playground::FabricChoice;
use anyhow::{Context, Result};
use florin_node::cluster::Topology;
use florin_node::config;
use serde::Deserialize;
use std::path::Path;

const THREE: &str = include_str!("../../../cluster-configs/three-regions.toml");
const FIVE: &str = include_str!("../../../cluster-configs/five-nodes.toml");

/// The cluster of a scenario.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterPart {
    /// How many nodes.
    pub size: Size,
    /// What lies between its processes.
    pub fabric: FabricChoice,
    /// What its nodes write to.
    pub disks: Disks,
    /// How many groups hold ledgers; nothing: as many as partners, so that few are idle.
    pub groups: Option<u32>,
    /// Changes to the topology's `[timing]`.
    pub timing: toml::Table,
    /// Changes to the topology's `[storage]`.
    pub storage: toml::Table,
}

/// How many nodes, in three regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// One in each region.
    #[default]
    Three,
    /// Two in two regions, one in the third.
    Five,
}

impl Default for ClusterPart {
    fn default() -> Self {
        ClusterPart {
            size: Size::Three,
            fabric: FabricChoice::None,
            disks: Disks::Plain,
            groups: None,
            timing: toml::Table::new(),
            storage: toml::Table::new(),
        }
    }
}

impl Size {
    /// How many nodes.
    pub fn nodes(self) -> u64 {
        match self {
            Size::Three => 3,
            Size::Five => 5,
        }
    }
}

impl ClusterPart {
    /// The topology's file, as it is written for the playground.
    pub fn text(&self) -> Result<String> {
        let base = match self.size {
            Size::Three => THREE,
            Size::Five => FIVE,
        };
        let mut table: toml::Table = base.parse().context("the topology's file")?;
        for (section, changes) in [("timing", &self.timing), ("storage", &self.storage)] {
            let section = table.entry(section);
            let section = section.or_insert_with(|| toml::Table::new().into());
            let section = section.as_table_mut().context("not a section")?;
            section.extend(changes.clone());
        }
        if let Some(groups) = self.groups {
            let cluster = table.get_mut("cluster").and_then(|one| one.as_table_mut());
            let cluster = cluster.context("no section `cluster`")?;
            cluster.insert("groups".into(), i64::from(groups).into());
        }
        Ok(toml::to_string(&table)?)
    }

    /// The topology.
    pub fn topology(&self) -> Result<Topology> {
        Ok(config::parse(Path::new("topology.toml"), &self.text()?)?)
    }
}
