//! What goes into the log and what comes out of it: positions, entries, options, reports, errors.

use crate::position::LogPosition;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

/// One entry of a group's raft log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it stands.
    pub position: LogPosition,
    /// What consensus agrees on; opaque here.
    pub payload: Bytes,
}

/// How a log is set up.
#[derive(Clone)]
pub struct LogOptions {
    /// The size of a segment file in bytes, a multiple of 512. An entry may take up to half of it.
    pub segment_bytes: u64,
    /// Room on the disk that is left to others: no segment is prepared ahead that would take it.
    pub min_free_bytes: u64,
    /// How much of the payloads is kept in memory after it is on the disk, in bytes.
    pub cache_bytes: usize,
    /// Called when a write or a sync failed, with the reason. What the kernel holds of the file
    /// is unknown then, so in production this ends the process and does not return. If it does
    /// return, every later operation of the log fails.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("segment_bytes", &self.segment_bytes)
            .field("min_free_bytes", &self.min_free_bytes)
            .field("cache_bytes", &self.cache_bytes)
            .finish_non_exhaustive()
    }
}

/// What opening a log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The last round that a crash left unfinished and that was cut off. Nobody had been told
    /// that anything in it was durable.
    pub torn: Option<TornTail>,
    /// Groups whose log is damaged. They are not handed out; their node takes no part in them
    /// until it comes back as another incarnation.
    pub faulty: Vec<GroupFault>,
    /// Entries whose bytes are damaged, by group, and nothing else of them: they can be mended from
    /// a peer's log.
    pub damaged: BTreeMap<GroupId, Vec<LogPosition>>,
    /// Sentences for people: what was found and harmed nothing.
    pub notes: Vec<String>,
}

/// An unfinished round at the end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's number.
    pub segment: u64,
    /// Where the round began in it.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// A group whose log cannot be trusted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFault {
    /// The group.
    pub group: GroupId,
    /// Why, for people.
    pub reason: String,
}

/// The state of one group's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupLogState {
    /// The last vote saved, as the group's raft encoded it.
    pub vote: Option<Bytes>,
    /// Everything up to here was purged.
    pub purged: Option<LogPosition>,
    /// The last entry, or `purged` if there is none after it.
    pub last: Option<LogPosition>,
}

/// What the log takes on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogUsage {
    /// Segment files that hold records.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The group whose entries keep the oldest segment from being removed.
    pub slowest: Option<GroupId>,
}

/// Opening the log failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenLogError {
    /// An option cannot be honoured.
    #[error("log options: {0}")]
    Options(String),
    /// The disk failed.
    #[error("log: {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The error.
        source: io::Error,
    },
    /// Damage that cannot be put down to one group: the whole log is faulty. The node must come
    /// back without it, as a learner under a new incarnation.
    #[error("log is damaged in segment {segment} at byte {offset}: {reason}")]
    Damaged {
        /// The segment's number.
        segment: u64,
        /// Where in it.
        offset: u64,
        /// Why, for people.
        reason: String,
    },
}

/// A group could not be created or removed.
#[derive(Debug, thiserror::Error)]
pub enum CreateGroupError {
    /// There is such a group.
    #[error("group {} exists in the log", .0.0)]
    Exists(GroupId),
    /// The group is there and damaged; it must be removed first.
    #[error("group {} is faulty in the log: {}", .0.group.0, .0.reason)]
    Faulty(GroupFault),
    /// As many groups as a segment's summary can hold.
    #[error("the log holds as many groups as its segments can sum up")]
    TooMany,
    /// The log is closed or has failed.
    #[error("log: {0}")]
    Stopped(#[from] io::Error),
}

/// The disk has no room for new work. What was accepted before still fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk is full: {free_bytes} bytes free, {needed_bytes} needed for the log to go on")]
pub struct DiskFull {
    /// What is free.
    pub free_bytes: u64,
    /// What must be free.
    pub needed_bytes: u64,
}
