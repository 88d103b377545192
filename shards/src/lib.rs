//! Whose money lives where: the directory, and the way of a command to the leader of its group.
//!
//! On a node, the [`gateway`] is the gRPC service that frontends talk to, and a follower tells raft
//! where leaders should be. On a frontend, [`Router`] holds a copy of the directory and one
//! multiplexed stream to each node. [`form`] makes a cluster out of running nodes.

pub mod connector;
pub mod error;
pub mod form;
pub mod gateway;
pub mod limits;
pub mod router;
pub mod status;

pub use connector::{Connection, Connector};
pub use error::{DirectoryError, ReadError, SubmitError};
pub use form::{FormError, FormOptions, Formed, form};
pub use gateway::GatewayOptions;
pub use router::{Consistency, Read, Router, RouterOptions, Submitted};
pub use status::{GroupStatus, NodeStatus, Role};
