//! All groups of one node.

use crate::group::Group;
use crate::limits;
use crate::node::Node;
use crate::options::{HostOptions, Member};
use crate::persister;
use crate::replicated::{Opened, Replicated};
use crate::scrubber;
use crate::spread;
use crate::transport::Service;
use crate::types::Peer;
use florin_failpoints::failpoint;
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::log::{DiskFull, GroupLog, Log};
use florin_storage::replica::{Replica, Store};
use openraft::errors::{InitializeError, RaftError};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// The groups of this node and what they share: the log, the store, the streams to peers.
/// Cheap to clone.
#[derive(Clone)]
pub struct Host {
    node: Arc<Node>,
    /// Groups are made one at a time.
    creating: Arc<Mutex<()>>,
}

/// Why the groups did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The timing does not fit together.
    #[error("heartbeat and election timeouts do not fit together: {0}")]
    Timing(String),
    /// A group's ledger did not open.
    #[error("the ledger of group {} did not open: {message}", .group.0)]
    Replica {
        /// Which group.
        group: GroupId,
        /// Why.
        message: String,
    },
    /// The log cannot hold the largest entry.
    #[error(
        "the log's segments are too small: an entry may have {needed} bytes, and the log takes {most}"
    )]
    SegmentTooSmall {
        /// Bytes of the largest entry.
        needed: usize,
        /// Bytes that the log takes.
        most: usize,
    },
    /// The log knows nothing of a ledger that the store holds: to go on would forget votes.
    #[error(
        "the store holds the ledger of group {}, but the log knows nothing of it: the log's folder is lost or not \
         mounted",
        .0.0
    )]
    LogLost(GroupId),
    /// A group's consensus did not start.
    #[error("group {} did not start: {message}", .group.0)]
    Group {
        /// Which group.
        group: GroupId,
        /// Why.
        message: String,
    },
}

/// Why a group was not created here.
#[derive(Debug, thiserror::Error)]
pub enum CreateGroupError {
    /// This node is not among the members.
    #[error("this node is not a member of the group")]
    NotMember,
    /// The members name this node under another incarnation.
    #[error("the members name this node under another incarnation")]
    OtherIncarnation,
    /// The log has no room for another group.
    #[error(transparent)]
    DiskFull(#[from] DiskFull),
    /// The group's log could not be created.
    #[error("the group's log could not be created: {0}")]
    Log(String),
    /// The group did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The group was formed with other members before.
    #[error("the group was formed before, with other members")]
    OtherMembers,
    /// The host is shutting down.
    #[error("the node is shutting down")]
    Stopped,
}

/// A peer of our cluster knows this node under another incarnation: the data folder is not the
/// one this node had. It must not vote; it comes back as a learner under its new incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerSelf {
    /// Who said so.
    pub by: NodeId,
    /// The incarnation that the peer knows.
    pub known: u64,
    /// Ours.
    pub ours: u64,
}

/// The gRPC service that peers talk to; the node mounts it on a server that [`tuned_server`] made.
pub type Transport = crate::transport::proto::peers_server::PeersServer<crate::transport::Service>;

/// A server whose flow-control windows let a frame pass without waiting for the peer, and that
/// notices when a peer is gone: nothing it asked for is held for it any longer.
///
/// Whoever hands accepted connections to it must have set `TCP_NODELAY` on them: without it,
/// each answer waits for the peer's delayed acknowledgement, some 40 ms.
pub fn tuned_server() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .initial_stream_window_size(Some(limits::WINDOW_BYTES))
        .initial_connection_window_size(Some(limits::WINDOW_BYTES * 2))
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(limits::KEEP_ALIVE))
        .http2_keepalive_timeout(Some(limits::KEEP_ALIVE_ANSWER))
}

impl Host {
    /// Opens every group that the log names. A group that must be repaired from its peers first
    /// appears when that is done: see [`Host::ailing`]. One that does not start is told by [`Host::ended`] and
    /// leaves the others alone, unless it was all there is.
    pub async fn start(options: HostOptions, log: Log, store: Store) -> Result<Host, StartError> {
        let node = Node::new(options, log, store);
        for fault in node.log.faulty() {
            tracing::error!(
                group = fault.group.0,
                reason = fault.reason,
                "the group's log is damaged: this node takes no part in the group until it comes back as another \
                 incarnation"
            );
        }
        check_log(&node)?;
        let mut failed = Vec::new();
        let mut alive = false;
        for log in node
            .log
            .groups()
            .into_iter()
            .filter_map(|it| node.log.group(it))
        {
            let group = log.id();
            match start_group(&node, log).await {
                Ok(()) => alive = true,
                Err(error) => failed.push((group, error)),
            }
        }
        for (group, error) in failed {
            if !alive {
                return Err(error);
            }
            node.report_ended(group, error.to_string());
        }
        node.tend_links();
        tokio::spawn(persister::run(Arc::clone(&node)));
        tokio::spawn(scrubber::run(Arc::clone(&node)));
        tokio::spawn(spread::run(Arc::clone(&node)));
        Ok(Host {
            node,
            creating: Arc::default(),
        })
    }

    /// The service for peers.
    pub fn transport(&self) -> Transport {
        Transport::new(Service::new(Arc::clone(&self.node)))
            .max_decoding_message_size(limits::MESSAGE_BYTES)
            .max_encoding_message_size(limits::MESSAGE_BYTES)
    }

    /// Makes a replica of a group on this node; nothing happens if there is one already. With
    /// `initialize`, and if the group was never formed, this node forms it: one node does so.
    pub async fn create_group(
        &self,
        group: GroupId,
        members: Vec<Member>,
        initialize: bool,
    ) -> Result<Group, CreateGroupError> {
        // What blocks goes on to its end if whoever asks goes away, and so long holds it as well.
        let one_at_a_time = Arc::new(Arc::clone(&self.creating).lock_owned().await);
        if self.node.is_stopping() {
            return Err(CreateGroupError::Stopped);
        }
        let me = members
            .iter()
            .find(|member| member.node == self.node.options.node);
        let me = me.ok_or(CreateGroupError::NotMember)?;
        if me.incarnation != self.node.options.incarnation {
            return Err(CreateGroupError::OtherIncarnation);
        }
        failpoint!(async "raft.group.create");
        let peers: BTreeMap<u64, Peer> = members
            .iter()
            .map(|member| (member.node.0, Peer::of(member)))
            .collect();
        let replicated = match self.node.group(group) {
            Some(replicated) => replicated,
            None => {
                let log = self.group_log(group, &one_at_a_time).await?;
                let (node, alone) = (Arc::clone(&self.node), Arc::clone(&one_at_a_time));
                let opening = move || {
                    let _alone = alone;
                    Opened::open(&node, log)
                };
                let opened = self.node.options.blocking.run(opening).await;
                let opened = opened.map_err(|error| CreateGroupError::Log(error.to_string()))??;
                if opened.needs_repair() {
                    return Err(CreateGroupError::Log(opened.ailment()));
                }
                opened.store.remember_peers(peers.clone());
                let replicated = opened.start(&self.node).await?;
                self.node.add_group(Arc::clone(&replicated));
                self.node.tend_links();
                replicated
            }
        };
        if initialize {
            failpoint!(async "raft.group.form");
            form(&replicated, peers).await?;
        }
        Ok(Group::new(Arc::clone(&self.node), replicated))
    }

    async fn group_log(
        &self,
        group: GroupId,
        alone: &Arc<OwnedMutexGuard<()>>,
    ) -> Result<GroupLog, CreateGroupError> {
        if let Some(log) = self.node.log.group(group) {
            return Ok(log);
        }
        self.node.log.writable()?;
        let (node, alone) = (Arc::clone(&self.node), Arc::clone(alone));
        // It waits for the disk.
        let blocking = node.options.blocking.clone();
        let created = blocking.run(move || {
            let _alone = alone;
            if node.store.groups().contains(&group) {
                let left = Replica::open(&node.store, group);
                let left = left.map_err(|error| CreateGroupError::Log(error.to_string()))?;
                if !left.is_empty() {
                    return Err(StartError::LogLost(group).into());
                }
            }
            let created = node.log.create_group(group);
            created.map_err(|error| CreateGroupError::Log(error.to_string()))
        });
        created
            .await
            .map_err(|error| CreateGroupError::Log(error.to_string()))?
    }

    /// This node's replica of a group.
    pub fn group(&self, group: GroupId) -> Option<Group> {
        let replicated = self.node.group(group)?;
        Some(Group::new(Arc::clone(&self.node), replicated))
    }

    /// The groups that have a replica here, in order.
    pub fn groups(&self) -> Vec<GroupId> {
        self.node
            .all_groups()
            .iter()
            .map(|group| group.id)
            .collect()
    }

    /// The groups that this node holds but takes no part in: their log is damaged.
    pub fn faulty(&self) -> Vec<GroupId> {
        self.node
            .log
            .faulty()
            .iter()
            .map(|fault| fault.group)
            .collect()
    }

    /// The groups that do not take part yet, because they are being repaired from their peers, and
    /// what is wrong with them.
    pub fn ailing(&self) -> BTreeMap<GroupId, String> {
        self.node.ailing()
    }

    /// The groups that do not run here although they should, and why: they did not start, or
    /// their consensus ended.
    pub fn ended(&self) -> BTreeMap<GroupId, String> {
        self.node.ended()
    }

    /// Which nodes should lead a group, most preferred first. A leader that is not the first of
    /// those that are up and caught up hands over to it.
    pub fn set_preference(&self, group: GroupId, preferred: Vec<NodeId>) {
        self.node.set_preference(group, preferred);
    }

    /// Tells when a peer of our cluster knows this node under another incarnation.
    pub fn refused_as_former_self(&self) -> watch::Receiver<Option<FormerSelf>> {
        self.node.former_self()
    }

    /// Hands leaderships over, stops the groups, makes everything durable and closes the log.
    pub async fn shutdown(&self) {
        let _nothing_new = self.creating.lock().await;
        let groups = self.node.all_groups();
        futures_util::future::join_all(groups.iter().map(|group| self.hand_over(group))).await;
        self.node.stop();
        for group in &groups {
            group.replica.hurry();
        }
        for group in &groups {
            // A replica that has failed is down already.
            drop(group.raft.shutdown().await);
            let _written = persister::checkpoint(group).await;
        }
        self.node.clear_groups();
        self.node.end_links();
        let log = Arc::clone(&self.node.log);
        // If the thread fails, the process is ending anyway.
        let _closed = self.node.options.blocking.run(move || log.close()).await;
    }

    /// Gives the lead to whoever is ready to take it, the preferred ones first.
    async fn hand_over(&self, replicated: &Arc<Replicated>) {
        if !replicated.leads() {
            return;
        }
        let me = self.node.options.node;
        let voters = replicated
            .membership()
            .voter_ids()
            .map(NodeId)
            .collect::<Vec<_>>();
        let preferred = self.node.preference(replicated.id);
        let mut candidates = preferred
            .into_iter()
            .chain(voters)
            .filter(|candidate| *candidate != me);
        let ready =
            candidates.find(|candidate| spread::is_ready(&self.node, replicated, *candidate));
        if let Some(to) = ready {
            let group = Group::new(Arc::clone(&self.node), Arc::clone(replicated));
            if let Err(error) = group.transfer_leader(to).await {
                tracing::warn!(group = replicated.id.0, to = to.0, %error, "leadership was not handed over");
            }
        }
    }
}

/// Whether the log can hold what may come, and knows everything that the store does.
fn check_log(node: &Node) -> Result<(), StartError> {
    let (needed, most) = (limits::ENTRY_BYTES, node.log.entry_bytes_max());
    if most < needed {
        return Err(StartError::SegmentTooSmall { needed, most });
    }
    let mut known = node.log.groups();
    known.extend(node.log.faulty().iter().map(|fault| fault.group));
    let mut held = node.store.groups().into_iter();
    match held.find(|group| !known.contains(group)) {
        Some(group) => Err(StartError::LogLost(group)),
        None => Ok(()),
    }
}

async fn start_group(node: &Arc<Node>, log: GroupLog) -> Result<(), StartError> {
    let opened = Opened::open(node, log)?;
    if opened.needs_repair() {
        node.report_ailing(opened.replica.group(), opened.ailment());
        tokio::spawn(repair_and_start(Arc::clone(node), opened));
    } else {
        node.add_group(opened.start(node).await?);
    }
    Ok(())
}

async fn repair_and_start(node: Arc<Node>, opened: Opened) {
    let group = opened.replica.group();
    let started = match opened.repair(&node).await {
        Ok(()) => opened.start(&node).await,
        Err(error) => Err(error),
    };
    match started {
        Ok(started) => {
            node.add_group(started);
            node.tend_links();
            node.report_healed(group);
        }
        Err(_) if node.is_stopping() => (),
        Err(error) => {
            node.report_ended(group, error.to_string());
            node.report_healed(group);
        }
    }
}

/// Forms the group if it never was; if it was, the members must be those.
async fn form(group: &Replicated, peers: BTreeMap<u64, Peer>) -> Result<(), CreateGroupError> {
    match group.raft.initialize(peers.clone()).await {
        Ok(()) => Ok(()),
        Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {
            let membership = group.membership();
            let formed = membership
                .nodes()
                .map(|(id, _)| *id)
                .eq(peers.keys().copied());
            if formed {
                Ok(())
            } else {
                Err(CreateGroupError::OtherMembers)
            }
        }
        Err(error) => {
            let failed = StartError::Group {
                group: group.id,
                message: error.to_string(),
            };
            Err(CreateGroupError::Start(failed))
        }
    }
}
