//! All groups of one node.

use crate::group::Group;
use crate::limits;
use crate::options::{HostOptions, Member};
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::log::Log;
use florin_storage::replica::Store;
use tokio::sync::watch;

/// The groups of this node and what they share: the log, the store, the streams to peers.
/// Cheap to clone.
#[derive(Clone)]
pub struct Host {}

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
pub fn tuned_server() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .initial_stream_window_size(Some(limits::WINDOW_BYTES))
        .initial_connection_window_size(Some(limits::WINDOW_BYTES * 2))
        .tcp_nodelay(true)
}

impl Host {
    /// Opens every group that the log names.
    pub async fn start(options: HostOptions, log: Log, store: Store) -> Result<Host, StartError> {
        let _ = (options, log, store);
        todo!()
    }

    /// The service for peers.
    pub fn transport(&self) -> Transport {
        todo!()
    }

    /// Makes a replica of a group on this node; nothing happens if there is one already. With
    /// `initialize`, and if the group was never formed, this node forms it: one node does so.
    pub async fn create_group(
        &self,
        group: GroupId,
        members: Vec<Member>,
        initialize: bool,
    ) -> Result<Group, CreateGroupError> {
        let _ = (group, members, initialize);
        todo!()
    }

    /// This node's replica of a group.
    pub fn group(&self, group: GroupId) -> Option<Group> {
        let _ = group;
        todo!()
    }

    /// The groups that have a replica here, in order.
    pub fn groups(&self) -> Vec<GroupId> {
        todo!()
    }

    /// Which nodes should lead a group, most preferred first. A leader that is not the first of
    /// those that are up and caught up hands over to it.
    pub fn set_preference(&self, group: GroupId, preferred: Vec<NodeId>) {
        let _ = (group, preferred);
        todo!()
    }

    /// Tells when a peer of our cluster knows this node under another incarnation.
    pub fn refused_as_former_self(&self) -> watch::Receiver<Option<FormerSelf>> {
        todo!()
    }

    /// Hands leaderships over, stops the groups, makes everything durable and closes the log.
    pub async fn shutdown(&self) {
        todo!()
    }
}
