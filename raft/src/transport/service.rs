//! The accepting side: what peers talk to.

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::proto::peers_server::Peers;
use super::proto::{
    EntriesReply, EntriesRequest, FetchRequest, Frame, Hello, PushReply, SnapshotPart,
};
use super::{identity, wire};
use crate::limits;
use crate::node::Node;
use crate::{repair, snapshot, types};
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::log::GroupLog;
use futures_util::stream::{Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};

/// What peers talk to.
#[derive(Clone)]
pub struct Service {
    node: Arc<Node>,
}

impl Service {
    pub(crate) fn new(node: Arc<Node>) -> Service {
        Service { node }
    }
}

type Parts<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Peers for Service {
    type LinkStream = Parts<Frame>;
    type FetchStream = Parts<SnapshotPart>;

    async fn link(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let (_, extensions, mut frames) = request.into_parts();
        let first = tokio::time::timeout(limits::CONNECT_TIMEOUT, frames.message());
        let first = first
            .await
            .map_err(|_| Status::deadline_exceeded("no introduction in time"))??;
        let hello = first.and_then(|frame| frame.hello).ok_or_else(no_hello)?;
        admit(&self.node, &extensions, &hello)?;
        let outbox = Outbox::new(identity::hello(
            &self.node,
            hello.from_node,
            hello.from_incarnation,
        ));
        let replies = outbox.frames(&self.node);
        tokio::spawn(serve(
            Arc::clone(&self.node),
            hello.from_node,
            frames,
            outbox,
        ));
        Ok(Response::new(Box::pin(replies.map(Ok))))
    }

    async fn push(
        &self,
        request: Request<Streaming<SnapshotPart>>,
    ) -> Result<Response<PushReply>, Status> {
        let (_, extensions, mut parts) = request.into_parts();
        let first = snapshot::next_part(&mut parts).await?;
        let header = first.and_then(|part| part.header).ok_or_else(no_hello)?;
        let hello = header.hello.clone().ok_or_else(no_hello)?;
        admit(&self.node, &extensions, &hello)?;
        let group = self.group(header.group)?;
        let vote = wire::read_vote(header.vote)
            .map_err(|bad| Status::invalid_argument(bad.to_string()))?;
        let ours = snapshot::receive(&group, vote, header, parts).await?;
        Ok(Response::new(PushReply {
            vote: Some(wire::vote(&ours)),
        }))
    }

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let (_, extensions, request) = request.into_parts();
        let hello = request.hello.ok_or_else(no_hello)?;
        admit(&self.node, &extensions, &hello)?;
        let group = self.group(request.group)?;
        let opened = snapshot::open(&self.node, &group.replica, &group.log).await;
        let opened = opened.map_err(|error| Status::unavailable(error.to_string()))?;
        if opened.position.index < request.at_least {
            return Err(Status::unavailable("this replica is not as far as that"));
        }
        let hello = identity::hello(&self.node, hello.from_node, hello.from_incarnation);
        Ok(Response::new(Box::pin(opened.parts(
            request.group,
            hello,
            None,
        ))))
    }

    async fn entries(
        &self,
        request: Request<EntriesRequest>,
    ) -> Result<Response<EntriesReply>, Status> {
        let (_, extensions, request) = request.into_parts();
        let hello = request.hello.ok_or_else(no_hello)?;
        admit(&self.node, &extensions, &hello)?;
        let log = self.log(request.group)?;
        let wanted = request.wanted.into_iter().map(wire::read_log_id);
        let wanted: Vec<LogPosition> = wanted.map(|at| types::to_position(&at)).collect();
        // It may read the disk.
        let held = self
            .node
            .options
            .blocking
            .run(move || repair::serve(&log, &wanted))
            .await;
        held.map(Response::new)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Service {
    /// A group's log, whether or not its replica takes part yet.
    fn log(&self, group: u32) -> Result<GroupLog, Status> {
        let found = self.node.log.group(GroupId(group));
        found.ok_or_else(|| {
            Status::not_found(format!("no whole log of group {group} is on this node"))
        })
    }

    fn group(&self, group: u32) -> Result<Arc<crate::replicated::Replicated>, Status> {
        let found = self.node.group(GroupId(group));
        found.ok_or_else(|| Status::not_found(format!("group {group} has no replica on this node")))
    }
}

fn no_hello() -> Status {
    Status::invalid_argument("the peer did not introduce itself")
}

fn admit(node: &Node, extensions: &tonic::Extensions, hello: &Hello) -> Result<(), Status> {
    let checked = identity::check(node, extensions, hello);
    if let Err(status) = &checked {
        tracing::warn!(
            peer = hello.from_node,
            why = status.message(),
            "refused a peer"
        );
    }
    checked
}

/// Reads one peer's stream to its end. What is malformed ends this stream and nothing else.
async fn serve(node: Arc<Node>, peer: u64, mut frames: Streaming<Frame>, outbox: Outbox) {
    let mut inbox = Inbox::new(Arc::clone(&node), outbox.clone());
    let why = loop {
        let frame = tokio::select! {
            frame = frames.message() => frame,
            () = node.stopped() => break "this node is shutting down".to_owned(),
        };
        match frame {
            Ok(Some(frame)) => {
                node.clocks.hear(peer, frame.clock);
                let taken = frame
                    .messages
                    .into_iter()
                    .try_for_each(|message| inbox.take(message));
                if let Err(bad) = taken {
                    tracing::warn!(peer, why = bad.to_string(), "ended the stream of a peer");
                    break bad.to_string();
                }
            }
            Ok(None) => break "the peer closed it".to_owned(),
            Err(status) => break status.message().to_owned(),
        }
    };
    tracing::debug!(peer, why, "the stream of a peer ended");
    outbox.close();
}
