//! Replicated groups: many on one node, on openraft, over one stream per pair of nodes.
//!
//! Read in this order: [`options`] is what a node brings, [`host`] runs all groups of a node,
//! [`group`] is one of them (propose, read, leadership), [`members`] how its members change, [`status`]
//! what it says about itself, [`roles`] what a peer's certificate says, [`turn`] how messages come to
//! travel together. Inside: `types` names openraft's
//! types, `log_store` and `machine` fit storage's log and ledger to openraft, `proposer` gathers
//! requests into batches, `transport` carries messages, `snapshot` carries whole ledgers,
//! `persister` writes ledgers behind the log, `scrubber` reads them again, `spread` moves leaders to
//! where they should be, `clocks` says what time it is when one clock is wrong, [`blocking`] does
//! what may block, `repair` makes a damaged replica whole before it takes part,
//! `elections` says when followers stand, `runtime` is what consensus runs on.
//!
//! openraft is known to this room alone; none of its types leaves it.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

pub mod blocking;
pub mod group;
pub mod host;
pub mod limits;
pub mod loss;
pub mod measure;
pub mod members;
pub mod options;
pub mod roles;
pub mod status;
pub mod turn;

mod clocks;
mod elections;
mod log_store;
mod machine;
mod network;
mod node;
mod persister;
mod progress;
mod proposer;
mod repair;
mod replicated;
mod runtime;
mod scrubber;
mod snapshot;
mod spread;
mod transport;
mod types;
mod unwritten;
mod wanted;

pub use blocking::{Blocking, Unfinished};
pub use group::{Committed, Consistency, Group, ProposeError, ReadError, TransferLeaderError};
pub use host::{CreateGroupError, FormerSelf, Host, StartError, Transport, tuned_server};
pub use loss::Loss;
pub use members::ChangeMembersError;
pub use options::{Connect, HostOptions, Io, Member, SystemClock, TcpConnect};
pub use roles::PeerRoles;
pub use runtime::ring_together;
pub use status::{GroupStatus, PeerStatus, Role, Scrubbed};
pub use turn::Turn;
