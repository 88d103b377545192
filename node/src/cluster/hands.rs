//! What is done to the processes of a cluster: by a fault, or by an operator.

use super::process::Supervised;
use super::{Cluster, operator};
use anyhow::{Context, Result};
use florin_ledger::directory::Node;
use florin_ledger::id::NodeId;
use florin_shards::{ReplaceOptions, replace};
use std::process::ExitStatus;
use std::time::Duration;

impl Cluster {
    /// SIGKILLs a node; with `stay` it stays down until [`Cluster::start_node`].
    pub async fn kill(&self, node: u64, stay: bool) -> Result<()> {
        self.node(node)?.1.kill(stay).await;
        Ok(())
    }

    /// SIGTERMs a node and says how it ended; it stays down.
    pub async fn terminate(&self, node: u64) -> Result<Option<ExitStatus>> {
        Ok(self.node(node)?.1.terminate().await)
    }

    /// Starts a node that is down.
    pub async fn start_node(&self, node: u64) -> Result<()> {
        Ok(self.node(node)?.1.start_again().await?)
    }

    /// A node's process.
    pub fn process(&self, node: u64) -> Result<&Supervised> {
        Ok(&self.node(node)?.1)
    }

    /// A frontend's process, by its place in the topology.
    pub fn frontend_process(&self, frontend: usize) -> Result<&Supervised> {
        let found = self.frontends.get(frontend).map(|(_, child)| child);
        found.with_context(|| format!("no frontend {frontend}"))
    }

    /// Brings back a node that lost its data, as `florin replace` does: its former self is taken
    /// out of its groups, and the one that is started with an empty folder follows and then votes.
    pub async fn replace(&self, node: u64, timeout: Duration) -> Result<Node> {
        let others = self.nodes.iter().filter(|(member, _)| member.id != node);
        let dialer = operator(&self.layout)?.reaching(self.options.reach.clone());
        let back = replace(ReplaceOptions {
            cluster: self.topology.cluster.name.clone(),
            seeds: others.map(|(member, _)| member.address()).collect(),
            node: NodeId(node),
            connector: dialer.connector(),
            timeout,
        });
        let named = || format!("{} is not back", self.name_of(node));
        back.await.with_context(named)
    }
}
