//! The log of the node.

use super::{
    CreateGroupError, DiskFull, GroupFault, GroupLog, LogOptions, LogUsage, OpenLogError, Recovery,
};
use crate::disk::Disk;
use florin_ledger::id::GroupId;
use std::sync::Arc;

/// The write-ahead log of a node. Dropping it closes it.
pub struct Log {}

impl Log {
    /// Opens the log on a folder, recovers it, and starts its threads.
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<(Log, Recovery), OpenLogError> {
        let _ = (disk, options);
        todo!()
    }
    /// Reads a log and says what [`Log::open`] would find. Changes nothing.
    pub fn inspect(disk: &dyn Disk) -> Result<Recovery, OpenLogError> {
        let _ = disk;
        todo!()
    }
    /// The groups that the log holds and that are whole, in order.
    pub fn groups(&self) -> Vec<GroupId> {
        todo!()
    }
    /// The groups that are damaged.
    pub fn faulty(&self) -> Vec<GroupFault> {
        todo!()
    }
    /// Makes a new group; durable on return.
    pub fn create_group(&self, group: GroupId) -> Result<GroupLog, CreateGroupError> {
        let _ = group;
        todo!()
    }
    /// Forgets a group, whole or faulty, with all its entries and its vote; durable on return.
    pub fn remove_group(&self, group: GroupId) -> Result<(), CreateGroupError> {
        let _ = group;
        todo!()
    }
    /// The log of a group; `None` if it is not there or faulty.
    pub fn group(&self, group: GroupId) -> Option<GroupLog> {
        let _ = group;
        todo!()
    }
    /// Whether there is room for new work. Cheap; ask before each proposal.
    pub fn writable(&self) -> Result<(), DiskFull> {
        todo!()
    }
    /// What the log takes on the disk, and which group keeps it from shrinking.
    pub fn usage(&self) -> LogUsage {
        todo!()
    }
    /// Writes what is queued, seals the log and ends its threads. Later operations fail.
    pub fn close(&self) {
        todo!()
    }
}
