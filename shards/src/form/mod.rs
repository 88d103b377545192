//! Forming a cluster from running nodes: idempotent, resumable, told by name what is wrong.

mod check;
mod error;
mod placement;

pub use error::FormError;

use self::placement::{Site, place};
use crate::connector::Connector;
use crate::limits::{REACH_PAUSE, REACH_TIMEOUT};
use crate::link::{Client, client, hello, words};
use crate::router::{Router, RouterOptions};
use crate::wire::decode;
use crate::wire::proto::{CreateGroupRequest, DirectoryRequest, HelloReply, Member};
use florin_failpoints::failpoint;
use florin_ledger::directory::{Directory, DirectoryCommand, Group, Node, Versioned};
use florin_ledger::id::{DIRECTORY, NodeId};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// What to form.
#[derive(Clone, Debug)]
pub struct FormOptions {
    /// The cluster's name; every node must be configured for it.
    pub cluster: String,
    /// `host:port` of every node.
    pub nodes: Vec<String>,
    /// How many groups hold ledgers, beside the directory group.
    pub groups: u32,
    /// Replicas of each group: 1, 3 or 5, and no more than there are nodes.
    pub replicas: usize,
    /// How connections are opened: with an operator's certificate.
    pub connector: Connector,
    /// When to give up.
    pub timeout: Duration,
}

/// A cluster that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formed {
    /// By number.
    pub nodes: Vec<Node>,
    /// By number, the directory group first.
    pub groups: Vec<Group>,
    /// It stood already; nothing was changed.
    pub already: bool,
}

/// Forms the cluster, or finishes forming it, or finds that it stands.
pub async fn form(options: FormOptions) -> Result<Formed, FormError> {
    let step = Mutex::new("reaching the nodes".to_owned());
    let former = Former {
        options: &options,
        deadline: Instant::now() + options.timeout,
        step: &step,
    };
    match tokio::time::timeout_at(former.deadline, former.form()).await {
        Ok(result) => result,
        Err(_) => Err(FormError::TimedOut(options.timeout, step.into_inner())),
    }
}

struct Former<'a> {
    options: &'a FormOptions,
    deadline: Instant,
    /// What is being done, to be told if time runs out.
    step: &'a Mutex<String>,
}

/// A node that answered.
struct Reached {
    address: String,
    client: Client,
    hello: HelloReply,
}

impl Former<'_> {
    async fn form(&self) -> Result<Formed, FormError> {
        check::options(self.options)?;
        let mut reached =
            try_join_all(self.options.nodes.iter().map(|address| self.reach(address))).await?;
        check::nodes(&reached, &self.options.cluster)?;
        reached.sort_by_key(|node| node.hello.node);
        let sites: Vec<Site> = reached
            .iter()
            .map(|node| Site {
                node: NodeId(node.hello.node),
                region: node.hello.region.clone(),
            })
            .collect();
        let groups = place(&sites, self.options.groups, self.options.replicas);
        let nodes: Vec<Node> = reached.iter().map(as_node).collect();
        self.step("reading the directory of an earlier time");
        if let Some((said_by, directory)) = self.earlier_directory(&reached).await? {
            if check::stands(&directory, &nodes, self.options.groups) {
                let values = |group: &Versioned<Group>| group.value.clone();
                return Ok(Formed {
                    nodes,
                    groups: directory.groups.values().map(values).collect(),
                    already: true,
                });
            }
            check::directory(said_by, &directory, &groups)?;
        }
        check::replicas(&reached, &groups)?;
        for group in &groups {
            self.step(&format!("creating group {}", group.id.0));
            self.create(group, &reached).await?;
        }
        self.write(&nodes, &groups).await?;
        Ok(Formed {
            nodes,
            groups,
            already: false,
        })
    }

    fn step(&self, what: &str) {
        tracing::debug!("{what}");
        what.clone_into(&mut self.step.lock());
    }

    /// Connects to a node that may just be starting.
    async fn reach(&self, address: &str) -> Result<Reached, FormError> {
        let until = self.deadline.min(Instant::now() + REACH_TIMEOUT);
        loop {
            let reason = match self.try_reach(address).await {
                Ok(reached) => return Ok(reached),
                Err(reason) => reason,
            };
            if Instant::now() + REACH_PAUSE >= until {
                return Err(FormError::Unreachable {
                    address: address.to_owned(),
                    reason,
                });
            }
            tokio::time::sleep(REACH_PAUSE).await;
        }
    }

    async fn try_reach(&self, address: &str) -> Result<Reached, String> {
        let mut client = client(address, &self.options.connector).await?;
        let hello = hello(&mut client, &self.options.cluster).await?;
        Ok(Reached {
            address: address.to_owned(),
            client,
            hello,
        })
    }

    /// The newest directory that a node holds, if any holds one, and which node.
    async fn earlier_directory(
        &self,
        reached: &[Reached],
    ) -> Result<Option<(u64, Directory)>, FormError> {
        let mut newest: Option<(u64, Directory)> = None;
        for node in reached
            .iter()
            .filter(|node| node.hello.groups.contains(&DIRECTORY.0))
        {
            let directory = read_directory(node)
                .await
                .map_err(|reason| node.refused(reason))?;
            if newest
                .as_ref()
                .is_none_or(|(_, known)| known.version < directory.version)
            {
                newest = Some((node.hello.node, directory));
            }
        }
        Ok(newest.filter(|(_, directory)| !directory.groups.is_empty()))
    }

    /// Makes the replicas of a group, that of its preferred leader last: it starts the group.
    async fn create(&self, group: &Group, reached: &[Reached]) -> Result<(), FormError> {
        let by_id = |id: &NodeId| reached.iter().find(|node| node.hello.node == id.0);
        let members: Vec<&Reached> = group.members.iter().filter_map(by_id).collect();
        let request = |initialize| CreateGroupRequest {
            cluster: self.options.cluster.clone(),
            group: group.id.0,
            members: members.iter().map(|node| as_member(node)).collect(),
            initialize,
        };
        let Some((leader, others)) = members.split_first() else {
            return Ok(());
        };
        try_join_all(others.iter().map(|node| create_on(node, request(false)))).await?;
        create_on(leader, request(true)).await
    }

    /// Waits until every group has a leader, and writes nodes and groups into the directory.
    async fn write(&self, nodes: &[Node], groups: &[Group]) -> Result<(), FormError> {
        let options = self.options;
        let router = RouterOptions::new(
            &options.cluster,
            options.nodes.clone(),
            options.connector.clone(),
        );
        let router = Router::connect(router).await;
        for group in groups {
            self.step(&format!("waiting for a leader of group {}", group.id.0));
            router.wait_leader(group.id, self.deadline).await;
        }
        self.step("writing the directory");
        failpoint!(async "shards.form.write");
        let put_nodes = nodes.iter().cloned().map(DirectoryCommand::PutNode);
        // The directory group comes last: where it is written, all is.
        let put_groups = groups.iter().rev().cloned().map(DirectoryCommand::PutGroup);
        let mut result = Ok(());
        for command in put_nodes.chain(put_groups) {
            let written = router.submit_directory(command, None, self.deadline).await;
            result = result.and(
                written
                    .map(drop)
                    .map_err(|error| FormError::Directory(error.to_string())),
            );
        }
        router.shutdown().await;
        result
    }
}

impl Reached {
    fn refused(&self, reason: String) -> FormError {
        FormError::Refused {
            address: self.address.clone(),
            reason,
        }
    }
}

async fn create_on(node: &Reached, request: CreateGroupRequest) -> Result<(), FormError> {
    failpoint!(async "shards.form.create");
    match node.client.clone().create_group(request).await {
        Ok(_) => Ok(()),
        Err(status) => Err(node.refused(words(status))),
    }
}

async fn read_directory(node: &Reached) -> Result<Directory, String> {
    let mut directory = Directory::default();
    let mut replies = node
        .client
        .clone()
        .directory(DirectoryRequest { since: 0 })
        .await
        .map_err(words)?
        .into_inner();
    while let Some(reply) = replies.message().await.map_err(words)? {
        for item in &reply.items {
            directory.put(decode(item, "item").map_err(|error| error.to_string())?);
        }
        directory.version = reply.version;
        if !reply.more {
            break;
        }
    }
    Ok(directory)
}

fn as_node(node: &Reached) -> Node {
    Node {
        id: NodeId(node.hello.node),
        name: node.hello.name.as_str().into(),
        region: node.hello.region.as_str().into(),
        address: node.hello.address.as_str().into(),
        incarnation: node.hello.incarnation,
    }
}

fn as_member(node: &Reached) -> Member {
    Member {
        node: node.hello.node,
        address: node.hello.address.clone(),
        region: node.hello.region.clone(),
        incarnation: node.hello.incarnation,
    }
}
