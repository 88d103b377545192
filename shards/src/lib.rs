//! Whose money lives where: the directory, and the way of a command to the leader of its group.
//!
//! On a node, [`Gateway`] is the gRPC service that frontends talk to, and [`follow()`] tells raft
//! where leaders should be. On a frontend, [`Router`] holds a copy of the directory and one
//! multiplexed stream to each node, two where packets are lost. [`form()`] makes a cluster out of running nodes.

mod attempt;
pub mod connector;
pub mod error;
pub mod follow;
pub mod form;
pub mod gateway;
mod items;
mod leaders;
pub mod limits;
mod link;
pub mod replace;
pub mod router;
mod session;
pub mod status;
#[cfg(test)]
mod tests;
mod wire;

pub use connector::{Connection, Connector};
pub use error::{DirectoryError, ReadError, SubmitError};
pub use follow::{FollowOptions, follow};
pub use form::{FormError, FormOptions, Formed, form};
pub use gateway::{Gateway, GatewayOptions};
pub use replace::{ReplaceError, ReplaceOptions, come_back, replace, withdraw};
pub use router::{Consistency, Read, Router, RouterOptions, Submitted};
pub use status::{GroupStatus, NodeStatus, Role};
