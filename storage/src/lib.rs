//! Bytes on disk: what a node keeps of its groups.
//!
//! [`log`] is the write-ahead log that all groups of a node share, on the files of [`disk`].
//! [`replica`] is the ledger of one group on this node: in memory, written behind into sled.

pub mod disk;
pub mod guard;
pub mod log;
pub mod replica;

mod position;

pub use position::LogPosition;
