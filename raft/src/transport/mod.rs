//! How nodes talk: one stream per ordered pair of nodes for all groups.

mod service;

pub use service::Service;

/// The peers' protocol, generated from `proto/peers.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub(crate) mod proto {
    tonic::include_proto!("florin.raft.v1");
}
