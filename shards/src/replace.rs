//! Bringing back a node that lost its disk: under its number and address, as another incarnation.
//!
//! It cannot vote as its former self, for it may have forgotten votes and entries. So its former
//! self is taken out of every group; then the new one follows each of them until it has caught
//! up, and votes from then on. What was done stays: replacing again goes on from there.

use crate::connector::Connector;
use crate::limits::{REACH_PAUSE, STATUS_TIMEOUT};
use crate::link::{Client, client, hello, words};
use crate::router::{Router, RouterOptions};
use crate::wire::proto::{
    AddMemberRequest, CreateGroupRequest, HelloReply, Member, RemoveMemberRequest,
};
use florin_failpoints::failpoint;
use florin_ledger::directory::{Directory, DirectoryCommand, Group, Node};
use florin_ledger::id::{GroupId, NodeId};
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};

/// Which node to bring back.
#[derive(Clone, Debug)]
pub struct ReplaceOptions {
    /// The cluster's name.
    pub cluster: String,
    /// `host:port` of some nodes that are up.
    pub seeds: Vec<String>,
    /// The node that lost its disk.
    pub node: NodeId,
    /// How connections are opened: with an operator's certificate.
    pub connector: Connector,
    /// When to give up.
    pub timeout: Duration,
}

/// Why a node was not brought back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// No directory could be had from the seeds.
    #[error("the directory cannot be reached")]
    NoDirectory,
    /// The directory does not know the node.
    #[error("the directory knows no node {}", .0.0)]
    UnknownNode(NodeId),
    /// The node has the data folder that it always had.
    #[error("node {} has its own data folder still: there is nothing to replace", .0.0)]
    FormerSelf(NodeId),
    /// A node would not do its part.
    #[error("group {}: {reason}", .group.0)]
    Refused {
        /// Which group.
        group: GroupId,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("gave up after {0:?} while {1}")]
    TimedOut(Duration, String),
    /// The groups have the node again, but the directory did not take its new incarnation.
    #[error("the directory could not be written: {0}")]
    Directory(String),
}

/// Brings a node back. It may be down at first: once its former self is taken out it must be
/// started, with an empty data folder, under the same number and address.
pub async fn replace(options: ReplaceOptions) -> Result<Node, ReplaceError> {
    let router = RouterOptions::new(
        &options.cluster,
        options.seeds.clone(),
        options.connector.clone(),
    );
    let router = Router::connect(router).await;
    let deadline = Instant::now() + options.timeout;
    let replaced = Replacing {
        options: &options,
        router: &router,
        deadline,
    }
    .replace()
    .await;
    router.shutdown().await;
    replaced
}

struct Replacing<'a> {
    options: &'a ReplaceOptions,
    router: &'a Router,
    deadline: Instant,
}

impl Replacing<'_> {
    async fn replace(&self) -> Result<Node, ReplaceError> {
        let id = self.options.node;
        if !self.router.wait_ready(self.deadline).await {
            return Err(ReplaceError::NoDirectory);
        }
        let directory = self
            .router
            .refresh(self.deadline)
            .await
            .map_err(|_| ReplaceError::NoDirectory)?;
        let former = directory
            .nodes
            .get(&id)
            .ok_or(ReplaceError::UnknownNode(id))?
            .value
            .clone();
        if self
            .says(&former)
            .await
            .is_some_and(|(_, hello)| hello.incarnation == former.incarnation)
        {
            return Err(ReplaceError::FormerSelf(id));
        }
        let groups: Vec<&Group> = directory
            .groups
            .values()
            .map(|group| &group.value)
            .filter(|group| group.members.contains(&id))
            .collect();
        for group in &groups {
            failpoint!(async "shards.replace.remove");
            let request = RemoveMemberRequest {
                group: group.id.0,
                node: id.0,
                incarnation: former.incarnation,
            };
            self.at_leader(
                group.id,
                "taking its former self out",
                async |client: &mut Client| client.remove_member(request).await.map(drop),
            )
            .await?;
        }
        let (mut client, hello) = self.wait_for(&former).await?;
        let member = Member {
            node: id.0,
            address: hello.address.clone(),
            region: hello.region.clone(),
            incarnation: hello.incarnation,
        };
        for group in &groups {
            failpoint!(async "shards.replace.create");
            let request = CreateGroupRequest {
                cluster: self.options.cluster.clone(),
                group: group.id.0,
                members: members(&directory, group, &member),
                initialize: false,
            };
            self.create(&mut client, &former, group.id, &request)
                .await?;
            failpoint!(async "shards.replace.add");
            let request = AddMemberRequest {
                group: group.id.0,
                member: Some(member.clone()),
            };
            self.at_leader(
                group.id,
                "waiting until it has caught up",
                async |client: &mut Client| client.add_member(request.clone()).await.map(drop),
            )
            .await?;
        }
        let node = Node {
            incarnation: hello.incarnation,
            region: hello.region.into(),
            address: hello.address.into(),
            ..former
        };
        failpoint!(async "shards.replace.write");
        let put = DirectoryCommand::PutNode(node.clone());
        let written = self.router.submit_directory(put, None, self.deadline).await;
        written
            .map(|_| node)
            .map_err(|error| ReplaceError::Directory(error.to_string()))
    }

    /// Makes the node hold a replica. It may end and be started again meanwhile: a follower that
    /// has not applied the removal yet still takes it for its former self.
    async fn create(
        &self,
        client: &mut Client,
        former: &Node,
        group: GroupId,
        request: &CreateGroupRequest,
    ) -> Result<(), ReplaceError> {
        loop {
            match client.create_group(request.clone()).await {
                Ok(_) => return Ok(()),
                Err(status) if is_passing(&status) => {
                    let late = || {
                        let what = format!("making a replica of group {}", group.0);
                        ReplaceError::TimedOut(self.options.timeout, what)
                    };
                    self.pause().await.ok_or_else(late)?;
                    *client = self.wait_for(former).await?.0;
                }
                Err(status) => {
                    return Err(ReplaceError::Refused {
                        group,
                        reason: words(status),
                    });
                }
            }
        }
    }

    /// Does something at a group's leader, whoever that is by then.
    async fn at_leader(
        &self,
        group: GroupId,
        doing: &str,
        what: impl AsyncFn(&mut Client) -> Result<(), Status>,
    ) -> Result<(), ReplaceError> {
        let late =
            || ReplaceError::TimedOut(self.options.timeout, format!("{doing}, group {}", group.0));
        loop {
            if let Some(mut client) = self.router.leader_client(group) {
                match tokio::time::timeout_at(self.deadline, what(&mut client)).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(status)) if !is_passing(&status) => {
                        return Err(ReplaceError::Refused {
                            group,
                            reason: words(status),
                        });
                    }
                    Ok(Err(_)) => {}
                    Err(_) => return Err(late()),
                }
            }
            self.pause().await.ok_or_else(late)?;
        }
    }

    /// Waits until the node runs with another data folder.
    async fn wait_for(&self, former: &Node) -> Result<(Client, HelloReply), ReplaceError> {
        loop {
            if let Some(found) = self.says(former).await {
                return Ok(found);
            }
            let late = || {
                let what = format!(
                    "waiting for node {} to be started at {}",
                    former.id.0, former.address
                );
                ReplaceError::TimedOut(self.options.timeout, what)
            };
            self.pause().await.ok_or_else(late)?;
        }
    }

    /// What the node says of itself, if it runs.
    async fn says(&self, node: &Node) -> Option<(Client, HelloReply)> {
        let mut client = client(&node.address, &self.options.connector).await.ok()?;
        let hello =
            tokio::time::timeout(STATUS_TIMEOUT, hello(&mut client, &self.options.cluster)).await;
        let hello = hello.ok()?.ok()?;
        (hello.node == node.id.0).then_some((client, hello))
    }

    /// A pause before something is tried again; none if the deadline has come.
    async fn pause(&self) -> Option<()> {
        if Instant::now() + REACH_PAUSE > self.deadline {
            return None;
        }
        tokio::time::sleep(REACH_PAUSE).await;
        Some(())
    }
}

/// Whether the same may work a little later, at whoever leads then.
fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::NotFound | Code::Cancelled | Code::Unknown
    )
}

/// The group's members, the one that comes back as it is now.
fn members(directory: &Directory, group: &Group, back: &Member) -> Vec<Member> {
    let known = |id: &NodeId| directory.nodes.get(id).map(|node| &node.value);
    let as_member = |node: &Node| Member {
        node: node.id.0,
        address: node.address.to_string(),
        region: node.region.to_string(),
        incarnation: node.incarnation,
    };
    let others = group
        .members
        .iter()
        .filter(|id| id.0 != back.node)
        .filter_map(known)
        .map(as_member);
    others.chain([back.clone()]).collect()
}
