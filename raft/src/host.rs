//! All groups of one node.

use crate::group::Group;
use crate::limits;
use crate::node::Node;
use crate::options::{HostOptions, Member};
use crate::persister;
use crate::replicated::{Opened, Replicated};
use crate::spread;
use crate::transport::Service;
use crate::types::Peer;
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::log::{GroupLog, Log};
use florin_storage::replica::Store;
use openraft::errors::{InitializeError, RaftError};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

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

/// A server whose flow-control windows let a frame pass without waiting for the peer.
///
/// Whoever hands accepted connections to it must have set `TCP_NODELAY` on them: without it,
/// each answer waits for the peer's delayed acknowledgement, some 40 ms.
pub fn tuned_server() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .initial_stream_window_size(Some(limits::WINDOW_BYTES))
        .initial_connection_window_size(Some(limits::WINDOW_BYTES * 2))
        .tcp_nodelay(true)
}

impl Host {
    /// Opens every group that the log names. A group whose ledger must be fetched from a peer
    /// first appears when that is done.
    pub async fn start(options: HostOptions, log: Log, store: Store) -> Result<Host, StartError> {
        let node = Node::new(options, log, store);
        for fault in node.log.faulty() {
            tracing::error!(
                group = fault.group.0,
                reason = fault.reason,
                "the group's log is damaged: this node takes no part in the group until it is repaired from its peers"
            );
        }
        for group in node.log.groups() {
            let Some(log) = node.log.group(group) else {
                continue;
            };
            let opened = Opened::open(&node, log)?;
            if opened.lacks_state() {
                tokio::spawn(refill_and_start(Arc::clone(&node), opened));
            } else {
                node.add_group(opened.start(&node).await?);
            }
        }
        node.tend_links();
        tokio::spawn(persister::run(Arc::clone(&node)));
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
        let _one_at_a_time = self.creating.lock().await;
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
        let peers: BTreeMap<u64, Peer> = members
            .iter()
            .map(|member| (member.node.0, Peer::of(member)))
            .collect();
        let replicated = match self.node.group(group) {
            Some(replicated) => replicated,
            None => {
                let opened = Opened::open(&self.node, self.group_log(group)?)?;
                if opened.lacks_state() {
                    return Err(CreateGroupError::Log(
                        "its ledger is being fetched from a peer".to_owned(),
                    ));
                }
                opened.store().remember_peers(peers.clone());
                let replicated = opened.start(&self.node).await?;
                self.node.add_group(Arc::clone(&replicated));
                self.node.tend_links();
                replicated
            }
        };
        if initialize {
            form(&replicated, peers).await?;
        }
        Ok(Group::new(Arc::clone(&self.node), replicated))
    }

    fn group_log(&self, group: GroupId) -> Result<GroupLog, CreateGroupError> {
        if let Some(log) = self.node.log.group(group) {
            return Ok(log);
        }
        self.node
            .log
            .create_group(group)
            .map_err(|error| CreateGroupError::Log(error.to_string()))
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
            // A replica that has failed is down already.
            drop(group.raft.shutdown().await);
            persister::checkpoint(group).await;
        }
        self.node.clear_groups();
        self.node.end_links();
        let log = Arc::clone(&self.node.log);
        // If the thread fails, the process is ending anyway.
        drop(tokio::task::spawn_blocking(move || log.close()).await);
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

async fn refill_and_start(node: Arc<Node>, opened: Opened) {
    let started = match opened.refill(&node).await {
        Ok(()) => opened.start(&node).await,
        Err(error) => Err(error),
    };
    match started {
        Ok(group) => {
            node.add_group(group);
            node.tend_links();
        }
        Err(error) => tracing::error!(%error, "a group did not start"),
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
