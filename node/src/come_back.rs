//! How a node comes back by itself after its data was damaged or lost.
//!
//! A damaged log may have held votes and acknowledged entries that nobody can read any more, so
//! the node never takes part as its former self again. It asks the groups' leaders to take that
//! one out, which needs a quorum of the other replicas; only then is its data set aside, and it
//! comes back as another incarnation: a learner first, a voter once it has caught up. Where the
//! others have no quorum everything stays as it is, so the data is there for people to look at.

use crate::folder::{Folder, write_durably};
use florin_ledger::id::{GroupId, NodeId};
use florin_raft::Host;
use florin_shards::{Connector, ReplaceOptions, come_back, withdraw};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file with the addresses of the other nodes.
const PEERS: &str = "peers.toml";
/// How often they are looked at before there are any, and then.
const PEERS_INTERVAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long one attempt may take: the ledgers are copied meanwhile.
const ATTEMPT: Duration = Duration::from_secs(3_600);

/// What a node needs to ask the others for its place.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) cluster: String,
    pub(crate) node: NodeId,
    pub(crate) incarnation: u64,
    pub(crate) connector: Connector,
    /// Where the others are, by the configuration.
    pub(crate) rejoin: Vec<String>,
    pub(crate) advertise: String,
    pub(crate) folder: PathBuf,
}

impl Way {
    /// By the configuration, and by what the folder remembers of an earlier life.
    fn seeds(&self) -> Vec<String> {
        let mut seeds = BTreeSet::from_iter(self.rejoin.iter().cloned());
        seeds.extend(read_peers(&self.folder));
        seeds.remove(&self.advertise);
        seeds.into_iter().collect()
    }

    fn options(&self) -> ReplaceOptions {
        ReplaceOptions {
            cluster: self.cluster.clone(),
            seeds: self.seeds(),
            node: self.node,
            connector: self.connector.clone(),
            timeout: ATTEMPT,
        }
    }

    /// Takes the node out of these groups, or of all; returns when it is out. Without anybody to
    /// ask it never is.
    pub(crate) async fn leave(&self, only: Option<BTreeSet<GroupId>>) {
        let options = self.options();
        if options.seeds.is_empty() {
            tracing::error!(
                "this node knows no other node that could take its former self out: set `rejoin` in its \
                 configuration, or bring it back with `florin replace`"
            );
            return std::future::pending().await;
        }
        withdraw(options, self.incarnation, only).await;
    }

    /// Comes back as a new incarnation, and notes it once the cluster knows.
    pub(crate) async fn join(&self, folder: &mut Folder) {
        let options = self.options();
        if options.seeds.is_empty() {
            return std::future::pending().await;
        }
        come_back(options).await;
        match folder.joined() {
            Ok(()) => tracing::info!("the cluster knows this node by its incarnation"),
            Err(error) => {
                tracing::warn!(%error, "the next start will ask for this node's place again")
            }
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Peers {
    nodes: BTreeSet<String>,
}

/// Whether the folder's log must know of groups.
pub(crate) fn had_groups(folder: &Folder) -> bool {
    !folder.identity.joining && !read_peers(folder.path()).is_empty()
}

fn read_peers(folder: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(folder.join(PEERS)).unwrap_or_default();
    let peers: Peers = toml::from_str(&text).unwrap_or_default();
    peers.nodes
}

/// Keeps the addresses of the other nodes in the folder, for the day on which nothing else of it
/// can be read. Runs until it is aborted.
pub(crate) async fn remember_peers(host: Host, node: NodeId, folder: PathBuf) {
    let mut known = read_peers(&folder);
    loop {
        let members = host
            .groups()
            .into_iter()
            .filter_map(|group| host.group(group))
            .flat_map(|group| group.status().members);
        let nodes: BTreeSet<String> = members
            .filter(|member| member.node != node)
            .map(|member| member.address)
            .collect();
        if !nodes.is_empty() && nodes != known {
            known = nodes.clone();
            let peers = Peers { nodes };
            let written = toml::to_string(&peers)
                .map_err(std::io::Error::other)
                .and_then(|text| write_durably(&folder, PEERS, &text));
            if let Err(error) = written {
                tracing::warn!(%error, "could not note where the other nodes are");
            }
        }
        let (first, then) = PEERS_INTERVAL;
        tokio::time::sleep(if known.is_empty() { first } else { then }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_asks_those_it_was_told_of_and_those_it_remembers_but_not_itself() {
        let dir = tempfile::tempdir().unwrap();
        let way = Way {
            cluster: "c".into(),
            node: NodeId(1),
            incarnation: 1,
            connector: Connector::plain(),
            rejoin: vec!["b:1".into(), "a:1".into()],
            advertise: "a:1".into(),
            folder: dir.path().to_owned(),
        };
        assert_eq!(way.seeds(), ["b:1"]);
        let peers = Peers {
            nodes: BTreeSet::from(["c:1".into(), "b:1".into()]),
        };
        let text = toml::to_string(&peers).unwrap();
        write_durably(dir.path(), PEERS, &text).unwrap();
        assert_eq!(way.seeds(), ["b:1", "c:1"]);
        fs::write(dir.path().join(PEERS), "nodes = [").unwrap();
        assert_eq!(
            way.seeds(),
            ["b:1"],
            "what cannot be read is no reason to fail"
        );
    }
}
