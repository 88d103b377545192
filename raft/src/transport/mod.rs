//! How nodes talk: one stream per ordered pair of nodes for all groups.
//!
//! [`link`] dials and asks, [`service`] accepts and [`inbox`] answers; [`outbox`] turns what
//! waits into frames, on both sides; [`identity`] says who may speak; [`wire`] is openraft's
//! messages as protobuf.

pub(crate) mod dial;
pub(crate) mod identity;
mod inbox;
pub(crate) mod link;
mod outbox;
mod service;
pub(crate) mod wire;

#[allow(unreachable_pub)] // named by the public alias of the generated server
pub use service::Service;

/// The peers' protocol, generated from `proto/peers.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub(crate) mod proto {
    tonic::include_proto!("florin.raft.v1");
}
