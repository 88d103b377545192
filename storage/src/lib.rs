//! Bytes on disk: what a node keeps of its groups.
//!
//! [`replica`] is the ledger of one group on this node: in memory, written behind into sled.

#[allow(clippy::todo)]
pub mod replica;

pub use replica::LogPosition;
