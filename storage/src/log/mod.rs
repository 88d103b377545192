//! The write-ahead log: one per node, for all its raft groups.

mod api;
mod group;
mod kinds;

pub use crate::position::LogPosition;
pub use api::Log;
pub use group::{Done, GroupLog};
pub use kinds::{
    CreateGroupError, DiskFull, GroupFault, GroupLogState, LogEntry, LogOptions, LogUsage,
    OpenLogError, Recovery, TornTail,
};
