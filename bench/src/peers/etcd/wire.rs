//! What is said to etcd: the few messages of its gRPC API (`rpc.proto`, version 3) that are needed,
//! with the fields that are needed.

use anyhow::{Context, Result};
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const STATUS: &str = "/etcdserverpb.Maintenance/Status";

/// How many pairs are read at once.
const PAGE: i64 = 10_000;

/// Who a member is, and whom it takes for the leader: 0 if for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) member: u64,
    pub(super) leader: u64,
}

/// A connection to one member.
pub(super) struct Client(Grpc<Channel>);

#[derive(Clone, PartialEq, Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct PutResponse {}

/// All keys from `key` on, if `range_end` is one zero byte.
#[derive(Clone, PartialEq, Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    range_end: Vec<u8>,
    #[prost(int64, tag = "3")]
    limit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct RangeResponse {
    #[prost(message, repeated, tag = "2")]
    kvs: Vec<KeyValue>,
    #[prost(bool, tag = "3")]
    more: bool,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct StatusRequest {}

#[derive(Clone, PartialEq, Message)]
struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    header: Option<ResponseHeader>,
    /// The member that leads, 0 if none does.
    #[prost(uint64, tag = "4")]
    leader: u64,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseHeader {
    #[prost(uint64, tag = "2")]
    member_id: u64,
}

impl Client {
    pub(super) async fn connect(port: u16) -> Result<Client> {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
        let channel = endpoint.tcp_nodelay(true).connect().await?;
        // A page of pairs has some megabytes at most.
        Ok(Client(
            Grpc::new(channel).max_decoding_message_size(64 << 20),
        ))
    }

    /// Writes a pair; returns once a quorum holds it.
    pub(super) async fn put(&mut self, key: &[u8], value: Vec<u8>) -> Result<()> {
        let key = key.to_vec();
        let _: PutResponse = self.call(PUT, PutRequest { key, value }).await?;
        Ok(())
    }

    /// Reads all values.
    pub(super) async fn each(&mut self, mut of: impl FnMut(&[u8])) -> Result<()> {
        let mut from = vec![0];
        loop {
            let request = RangeRequest {
                key: from,
                range_end: vec![0],
                limit: PAGE,
            };
            let page: RangeResponse = self.call(RANGE, request).await?;
            page.kvs.iter().for_each(|pair| of(&pair.value));
            if !page.more {
                return Ok(());
            }
            from = page.kvs.last().context("an empty page")?.key.clone();
            from.push(0);
        }
    }

    pub(super) async fn status(&mut self) -> Result<Status> {
        let status: StatusResponse = self.call(STATUS, StatusRequest {}).await?;
        Ok(Status {
            member: status.header.context("no header")?.member_id,
            leader: status.leader,
        })
    }

    async fn call<Q, A>(&mut self, path: &'static str, request: Q) -> Result<A>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.0.ready().await?;
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(path);
        let answer = self.0.unary(tonic::Request::new(request), path, codec);
        Ok(answer.await?.into_inner())
    }
}
