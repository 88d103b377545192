//! The accepting side.

use super::proto::peers_server::Peers;
use super::proto::{FetchRequest, Frame, PushReply, SnapshotPart};
use futures_util::Stream;
use std::pin::Pin;
use tonic::{Request, Response, Status, Streaming};

/// What peers talk to.
#[derive(Clone)]
pub struct Service {}

type Parts<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Peers for Service {
    type LinkStream = Parts<Frame>;
    type FetchStream = Parts<SnapshotPart>;

    async fn link(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let _ = request;
        todo!()
    }

    async fn push(
        &self,
        request: Request<Streaming<SnapshotPart>>,
    ) -> Result<Response<PushReply>, Status> {
        let _ = request;
        todo!()
    }

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<Self::FetchStream>, Status> {
        let _ = request;
        todo!()
    }
}
