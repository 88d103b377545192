//! The node's side: the service that frontends and operators talk to.

mod copies;
mod exchange;
mod operate;
mod status;
mod watch;

use crate::limits::MESSAGE_BYTES;
use crate::wire::SESSION;
use crate::wire::proto::gateway_server::{Gateway as Service, GatewayServer};
use crate::wire::proto::{
    AddMemberReply, AddMemberRequest, CreateGroupReply, CreateGroupRequest, DirectoryReply,
    DirectoryRequest, HelloReply, HelloRequest, LeadersReply, LeadersRequest, RemoveMemberReply,
    RemoveMemberRequest, Requests, StatusReply, StatusRequest, TransferLeaderReply,
    TransferLeaderRequest,
};
use copies::Sessions;
use florin_raft::{Host, Member, PeerRoles};
use std::sync::Arc;
use tokio::sync::watch::Sender;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

/// What the gateway tells of its node.
#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// The cluster's name.
    pub cluster: String,
    /// The node as its groups know it.
    pub member: Member,
    /// For people.
    pub name: String,
    /// Version of the software.
    pub version: String,
    /// Refuse connections that carry no [`PeerRoles`]: with TLS, always true.
    pub require_peer_roles: bool,
}

/// The gateway of a node. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    options: GatewayOptions,
    /// Set once, when the node stops.
    closing: Sender<bool>,
    sessions: Sessions,
}

impl Gateway {
    /// For the groups of this host.
    pub fn new(host: Host, options: GatewayOptions) -> Gateway {
        Gateway {
            inner: Arc::new(Inner {
                host,
                options,
                closing: Sender::new(false),
                sessions: Sessions::default(),
            }),
        }
    }

    /// The gRPC service, to be mounted on the node's server.
    pub fn service(&self) -> GatewayService {
        GatewayServer::new(self.clone())
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES)
    }

    /// Takes no more requests and ends every stream once what it has taken is answered, so that
    /// the server can stop gracefully.
    pub fn close(&self) {
        self.inner.closing.send_replace(true);
    }

    fn may<T>(
        &self,
        request: &Request<T>,
        what: &str,
        allowed: impl Fn(&PeerRoles) -> bool,
    ) -> Result<(), Status> {
        match request.extensions().get::<PeerRoles>() {
            Some(roles) if allowed(roles) => Ok(()),
            Some(roles) => Err(Status::permission_denied(format!(
                "a certificate for {} may not {what}",
                roles.names.join(", ")
            ))),
            None if self.inner.options.require_peer_roles => Err(Status::unauthenticated(format!(
                "without a certificate nobody may {what}"
            ))),
            None => Ok(()),
        }
    }

    /// Operators may do it to any node, and a node to itself: that is how it comes back.
    fn may_change<T>(&self, request: &Request<T>, what: &str, node: u64) -> Result<(), Status> {
        self.may(request, what, |roles| {
            roles.operator || roles.node.is_some_and(|itself| itself.0 == node)
        })
    }

    fn may_use<T>(&self, request: &Request<T>) -> Result<(), Status> {
        self.may(request, "use the gateway", |roles| {
            roles.frontend || roles.operator || roles.node.is_some()
        })
    }
}

/// Which session of its frontend a connection belongs to; nothing if it does not say so in a number.
fn session_of(metadata: &MetadataMap) -> Option<u64> {
    metadata.get(SESSION)?.to_str().ok()?.parse().ok()
}

/// The gateway as a gRPC service.
pub type GatewayService = GatewayServer<Gateway>;

#[tonic::async_trait]
impl Service for Gateway {
    type ExchangeStream = exchange::ReplyFrames;
    type DirectoryStream = ReceiverStream<Result<DirectoryReply, Status>>;
    type LeadersStream = ReceiverStream<Result<LeadersReply, Status>>;

    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        self.may_use(&request)?;
        let options = &self.inner.options;
        Ok(Response::new(HelloReply {
            node: options.member.node.0,
            cluster: options.cluster.clone(),
            incarnation: options.member.incarnation,
            region: options.member.region.clone(),
            name: options.name.clone(),
            address: options.member.address.clone(),
            version: options.version.clone(),
            groups: self
                .inner
                .host
                .groups()
                .into_iter()
                .map(|group| group.0)
                .collect(),
            copies: true,
        }))
    }

    async fn exchange(
        &self,
        request: Request<Streaming<Requests>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        self.may_use(&request)?;
        let session = session_of(request.metadata());
        Ok(Response::new(exchange::start(
            self.inner.clone(),
            session,
            request.into_inner(),
        )))
    }

    async fn directory(
        &self,
        request: Request<DirectoryRequest>,
    ) -> Result<Response<Self::DirectoryStream>, Status> {
        self.may_use(&request)?;
        Ok(Response::new(watch::directory(
            &self.inner,
            request.into_inner().since,
        )?))
    }

    async fn leaders(
        &self,
        request: Request<LeadersRequest>,
    ) -> Result<Response<Self::LeadersStream>, Status> {
        self.may_use(&request)?;
        Ok(Response::new(watch::leaders(self.inner.clone())))
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusReply>, Status> {
        self.may_use(&request)?;
        status::status(&self.inner, request.into_inner().hashes)
            .await
            .map(Response::new)
    }

    async fn create_group(
        &self,
        request: Request<CreateGroupRequest>,
    ) -> Result<Response<CreateGroupReply>, Status> {
        self.may_change(&request, "create groups", self.inner.options.member.node.0)?;
        operate::create_group(&self.inner, request.into_inner()).await?;
        Ok(Response::new(CreateGroupReply {}))
    }

    async fn remove_member(
        &self,
        request: Request<RemoveMemberRequest>,
    ) -> Result<Response<RemoveMemberReply>, Status> {
        self.may_change(&request, "change members", request.get_ref().node)?;
        let member = operate::remove_member(&self.inner, request.into_inner()).await?;
        Ok(Response::new(RemoveMemberReply {
            member: member.unwrap_or_default(),
        }))
    }

    async fn add_member(
        &self,
        request: Request<AddMemberRequest>,
    ) -> Result<Response<AddMemberReply>, Status> {
        let added = request.get_ref().member.as_ref();
        let added = added.map_or(0, |member| member.node);
        self.may_change(&request, "change members", added)?;
        operate::add_member(&self.inner, request.into_inner()).await?;
        Ok(Response::new(AddMemberReply {}))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderReply>, Status> {
        self.may(&request, "move leaders", |roles| roles.operator)?;
        operate::transfer_leader(&self.inner, request.into_inner()).await?;
        Ok(Response::new(TransferLeaderReply {}))
    }
}
