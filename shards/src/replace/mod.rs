//! Bringing back a node that lost its disk: under its number and address, as another incarnation.
//!
//! It cannot vote as its former self, for it may have forgotten votes and entries. So its former
//! self is taken out of every group; then the new one follows each of them until it has caught
//! up, and votes from then on. What was done stays: replacing again goes on from there, also if the
//! node has lost its disk again meanwhile and some groups know it by an incarnation between.

mod error;
mod take_out;

pub use error::ReplaceError;

use crate::connector::Connector;
use crate::limits::{COME_BACK_PAUSE, REACH_PAUSE, STATUS_TIMEOUT};
use crate::link::{Client, client, hello, words};
use crate::router::{Router, RouterOptions};
use crate::wire::proto::{AddMemberRequest, CreateGroupRequest, HelloReply, Member};
use florin_failpoints::failpoint;
use florin_ledger::directory::{Directory, DirectoryCommand, Group, Node};
use florin_ledger::id::{GroupId, NodeId};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
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

/// Brings a node back. It may be down at first: once its former self is taken out it must be
/// started, with an empty data folder, under the same number and address.
pub async fn replace(options: ReplaceOptions) -> Result<Node, ReplaceError> {
    replace_by(&options, Asker::Operator).await
}

async fn replace_by(options: &ReplaceOptions, asker: Asker) -> Result<Node, ReplaceError> {
    with_router(options, asker, async |replacing| replacing.replace().await).await
}

/// Brings this node back by itself, as the incarnation that it is now; to be run beside its
/// gateway. Returns once the directory knows the node by this incarnation, however long that
/// takes: without a quorum of the others it waits, and changes nothing.
pub async fn come_back(options: ReplaceOptions) {
    let id = options.node.0;
    persist(
        || replace_by(&options, Asker::Itself),
        |error| match error {
            ReplaceError::FormerSelf(_) => ControlFlow::Break(()),
            error => {
                tracing::warn!(node = id, %error, "this node is not back yet; trying again");
                ControlFlow::Continue(())
            }
        },
    )
    .await;
}

/// Takes this node, which is of `incarnation` and does not run, out of its groups, or of those
/// that are named. Returns once it is out of all of them, however long that takes: each needs a
/// quorum of the others.
pub async fn withdraw(options: ReplaceOptions, incarnation: u64, only: Option<BTreeSet<GroupId>>) {
    let id = options.node.0;
    let attempt = || withdraw_once(&options, incarnation, only.as_ref());
    persist(attempt, |error| {
        tracing::warn!(node = id, %error, "this node is not out of its groups yet; trying again");
        ControlFlow::Continue(())
    })
    .await;
}

async fn withdraw_once(
    options: &ReplaceOptions,
    incarnation: u64,
    only: Option<&BTreeSet<GroupId>>,
) -> Result<(), ReplaceError> {
    with_router(options, Asker::Itself, async |replacing| {
        if !replacing.router.wait_ready(replacing.deadline).await {
            return Err(ReplaceError::NoDirectory);
        }
        // A copy will do: which nodes hold a group does not change.
        let directory = replacing.router.directory();
        let groups = replacing.groups(&directory);
        let named = groups
            .iter()
            .filter(|group| only.is_none_or(|only| only.contains(&group.id)));
        for group in named {
            replacing.take_out(group.id, incarnation, None).await?;
        }
        Ok(())
    })
    .await
}

/// Tries until it is done or the error is the end; says each reason once.
async fn persist<T>(
    attempt: impl AsyncFn() -> Result<T, ReplaceError>,
    judge: impl Fn(&ReplaceError) -> ControlFlow<()>,
) {
    let (mut pause, most) = COME_BACK_PAUSE;
    let mut said = None;
    loop {
        let Err(error) = attempt().await else { return };
        if said.as_ref() != Some(&error) {
            if judge(&error).is_break() {
                return;
            }
            said = Some(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(most);
    }
}

async fn with_router<T>(
    options: &ReplaceOptions,
    asker: Asker,
    run: impl AsyncFnOnce(&Replacing<'_>) -> Result<T, ReplaceError>,
) -> Result<T, ReplaceError> {
    let router = RouterOptions::new(
        &options.cluster,
        options.seeds.clone(),
        options.connector.clone(),
    );
    let router = Router::connect(router).await;
    let replacing = Replacing {
        options,
        asker,
        router: &router,
        deadline: Instant::now() + options.timeout,
    };
    let done = run(&replacing).await;
    router.shutdown().await;
    done
}

/// Who brings a node back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// Somebody who knows that its former self is lost.
    Operator,
    /// The node, which knows only of itself.
    Itself,
}

struct Replacing<'a> {
    options: &'a ReplaceOptions,
    asker: Asker,
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
        let running = self.says(&former).await;
        let running = running.map(|(_, hello)| hello.incarnation);
        if running == Some(former.incarnation) {
            return Err(ReplaceError::FormerSelf(id));
        }
        let groups = self.groups(&directory);
        for group in &groups {
            failpoint!(async "shards.replace.remove");
            self.take_out(group.id, former.incarnation, running).await?;
        }
        let (mut client, hello) = self.wait_for(&former).await?;
        let member = Member {
            node: id.0,
            address: hello.address.clone(),
            region: hello.region.clone(),
            incarnation: hello.incarnation,
        };
        for group in &groups {
            if running != Some(hello.incarnation) {
                // Only now is it known which of its incarnations runs.
                let running = Some(hello.incarnation);
                self.take_out(group.id, former.incarnation, running).await?;
            }
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

    /// The groups of which the node holds a replica.
    fn groups<'d>(&self, directory: &'d Directory) -> Vec<&'d Group> {
        let groups = directory.groups.values().map(|group| &group.value);
        groups
            .filter(|group| group.members.contains(&self.options.node))
            .collect()
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
    async fn at_leader<T>(
        &self,
        group: GroupId,
        doing: &str,
        what: impl AsyncFn(&mut Client) -> Result<T, Status>,
    ) -> Result<T, ReplaceError> {
        let late =
            || ReplaceError::TimedOut(self.options.timeout, format!("{doing}, group {}", group.0));
        loop {
            if let Some(mut client) = self.router.leader_client(group) {
                match tokio::time::timeout_at(self.deadline, what(&mut client)).await {
                    Ok(Ok(done)) => return Ok(done),
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
