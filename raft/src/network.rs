//! The streams to peers, fitted to openraft.

mod appends;

use crate::node::Node;
use crate::snapshot;
use crate::transport::link::{Link, LinkError, Target};
use crate::transport::proto::message::Body;
use crate::transport::wire::{self, BadMessage};
use crate::types::{Peer, RaftVote, Types};
use crate::wanted::Wanted;
use florin_failpoints::failpoint;
use florin_storage::log::GroupLog;
use florin_storage::replica::Replica;
use futures_util::stream::{self, Stream, StreamExt};
use openraft::OptionalSend;
use openraft::alias::SnapshotOf;
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    StreamAppendResult, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;

use crate::machine::SnapshotData;
use appends::Appends;

/// Makes the clients of one group.
#[derive(Clone)]
pub(crate) struct Network {
    /// Weak: the node holds its groups, and each group this.
    node: Weak<Node>,
    group: u32,
    replica: Replica,
    log: GroupLog,
    appended: watch::Receiver<u64>,
    wanted: Wanted,
}

impl Network {
    /// `appended` is the index of the last entry that was appended here.
    pub(crate) fn new(
        node: &Arc<Node>,
        replica: Replica,
        log: GroupLog,
        appended: watch::Receiver<u64>,
        wanted: Wanted,
    ) -> Network {
        Network {
            node: Arc::downgrade(node),
            group: replica.group().0,
            replica,
            log,
            appended,
            wanted,
        }
    }

    fn client(&self, target: u64, peer: &Peer, heartbeat: bool) -> Client {
        let target = Target {
            node: target,
            incarnation: peer.incarnation,
            address: peer.address.clone(),
        };
        let link = self.node.upgrade().map(|node| node.link(&target));
        Client {
            network: self.clone(),
            target,
            link,
            heartbeat,
        }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: u64, peer: &Peer) -> Client {
        self.client(target, peer, false)
    }

    async fn new_heartbeat_client(&mut self, target: u64, peer: &Peer) -> Client {
        self.client(target, peer, true)
    }
}

/// One group's way to one peer.
pub(crate) struct Client {
    network: Network,
    target: Target,
    link: Option<Arc<Link>>,
    heartbeat: bool,
}

fn rpc_error(error: LinkError) -> RPCError<Types> {
    match error {
        LinkError::Down(_) | LinkError::Refused(..) => {
            RPCError::Unreachable(Unreachable::new(&error))
        }
        _ => RPCError::Network(NetworkError::new(&error)),
    }
}

fn bad(error: BadMessage) -> RPCError<Types> {
    RPCError::Network(NetworkError::new(&error))
}

impl Client {
    fn link(&self) -> Result<&Arc<Link>, RPCError<Types>> {
        let down = || rpc_error(LinkError::Down(self.target.node));
        self.link.as_ref().ok_or_else(down)
    }

    async fn call(
        &self,
        body: Body,
        linger: bool,
        within: Duration,
        kind: RPCTypes,
    ) -> Result<Body, RPCError<Types>> {
        let answer = self
            .link()?
            .call(self.network.group, body, linger, within)
            .await;
        answer.map_err(|error| match error {
            LinkError::TimedOut(target) => RPCError::Timeout(Timeout {
                action: kind,
                id: self
                    .network
                    .node
                    .upgrade()
                    .map_or(0, |node| node.options.node.0),
                target,
                timeout: within,
            }),
            error => rpc_error(error),
        })
    }

    async fn append_once(
        &self,
        request: &AppendEntriesRequest<Types>,
        option: &RPCOption,
    ) -> Result<StreamAppendResult<Types>, RPCError<Types>> {
        failpoint!(async "raft.send.heartbeat", Err(rpc_error(LinkError::Lost(self.target.node))));
        let body = Body::Heartbeat(wire::append(request));
        match self
            .call(body, true, option.soft_ttl(), RPCTypes::AppendEntries)
            .await?
        {
            Body::AppendReply(reply) => wire::read_append_reply(reply).map_err(bad),
            _ => Err(rpc_error(LinkError::Malformed(self.target.node))),
        }
    }

    async fn ballot(
        &self,
        body: Body,
        option: &RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        failpoint!(async "raft.send.ballot", Err(rpc_error(LinkError::Lost(self.target.node))));
        // All the time there is: a vote that was granted and came too late costs an election.
        let within = option.hard_ttl();
        match self.call(body, false, within, RPCTypes::Vote).await? {
            Body::VoteReply(reply) => wire::read_ballot_reply(reply).map_err(bad),
            _ => Err(rpc_error(LinkError::Malformed(self.target.node))),
        }
    }
}

/// Takes the first request, if there is one, and answers with an error.
fn fail_with_the_first<S>(
    input: S,
    error: RPCError<Types>,
) -> impl Stream<Item = Result<StreamAppendResult<Types>, RPCError<Types>>>
where
    S: Stream<Item = AppendEntriesRequest<Types>>,
{
    input.take(1).map(move |_| Err(error.clone()))
}

impl RaftNetworkV2<Types> for Client {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        Ok(match self.append_once(&request, &option).await? {
            Ok(upto) => AppendEntriesResponse::PartialSuccess(upto),
            Err(StreamAppendError::Conflict(_)) => AppendEntriesResponse::Conflict,
            Err(StreamAppendError::HigherVote(vote)) => AppendEntriesResponse::HigherVote(vote),
        })
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>, RPCError<Types>>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            if self.heartbeat {
                let Some(request) = input.next().await else {
                    return Ok(stream::empty().boxed());
                };
                let result = self.append_once(&request, &option).await?;
                return Ok(stream::once(async { Ok(result) }).boxed());
            }
            let session = self.link().and_then(|link| {
                let session = link.session(self.network.group);
                session.map_err(rpc_error)
            });
            let session = match session {
                Ok(session) => session,
                // openraft pauses after a failure before it hands out the next request. Whoever
                // fails without waiting for one is asked again at once, for as long as a peer is down.
                Err(error) => return Ok(fail_with_the_first(input, error).boxed()),
            };
            let stall = self.stall();
            let appends = Appends::new(input, session, stall, self.network.appended.clone());
            Ok(stream::unfold(Some(appends), Appends::step).boxed())
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ballot(Body::Vote(wire::ballot(&request)), &option)
            .await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ballot(Body::PreVote(wire::ballot(&request)), &option)
            .await
    }

    async fn full_snapshot(
        &mut self,
        vote: RaftVote,
        snapshot: SnapshotOf<Types, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let unreachable = |why: String| StreamingError::Unreachable(Unreachable::from_string(why));
        let node = self.network.node.upgrade();
        let node = node.ok_or_else(|| unreachable("this node is shutting down".to_owned()))?;
        // What is sent is newer, but the follower is believed to hold what was named.
        let named = snapshot.meta.last_log_id.map_or(0, |at| at.index);
        let _wanted = self.network.wanted.sending(named);
        let (replica, log) = (&self.network.replica, &self.network.log);
        let sending = snapshot::send(&node, replica, log, &self.target, &vote);
        tokio::select! {
            sent = sending => Ok(SnapshotResponse::new(sent.map_err(unreachable)?)),
            closed = cancel => Err(StreamingError::Closed(closed)),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        failpoint!(async "raft.send.handover", Err(rpc_error(LinkError::Lost(self.target.node))));
        let body = Body::TransferLeader(wire::handover(&request));
        match self
            .call(body, false, option.soft_ttl(), RPCTypes::TransferLeader)
            .await?
        {
            Body::TransferLeaderReply(reply) => wire::read_handover_reply(reply).map_err(bad),
            _ => Err(rpc_error(LinkError::Malformed(self.target.node))),
        }
    }

    /// Short at first: a link that is down says so at once and costs nothing.
    fn backoff(&self) -> Option<Backoff> {
        let pauses = std::iter::successors(Some(Duration::from_millis(10)), |pause| {
            Some((*pause * 2).min(Duration::from_millis(250)))
        });
        Some(Backoff::new(pauses))
    }
}

impl Client {
    fn stall(&self) -> Duration {
        let node = self.network.node.upgrade();
        node.map_or(Duration::from_secs(1), |node| {
            node.options.election_timeout.1
        })
    }
}
