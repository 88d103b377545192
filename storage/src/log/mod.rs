//! The write-ahead log: one per node, for all its raft groups.
//!
//! Appends, votes, truncations and purges of all groups go through one queue to one writer thread.
//! It takes whatever waits, writes it as one *round*, syncs once, and answers in the order in which
//! the calls came. An entry is readable when its append returns and durable when it is answered.
//!
//! ```text
//! folder     0000000000000001.log  0000000000000002.log  0000000000000003.log (prepared, zeros)
//! segment    | round | round | round | zeros ...
//! round      | record | record | padding to 512 |        one write, one sync
//! record     | header: what, where, which round, chain, checksums | body |
//! ```
//!
//! A segment begins with a summary of all groups, so older segments can go as soon as no group
//! needs an entry in them. It is filled with zeros before its first use, and no byte of it is
//! written twice: a tear shows as zeros, and stale bytes do not exist. What recovery makes of
//! bytes that are not whole is told in `walk`: the last, unfinished round is cut off; anything
//! else is damage. An entry whose body alone is damaged is known by its header, so it can be mended
//! from any peer's log ([`GroupLog::mend`]); every other damage makes a group, or the whole log,
//! faulty, and its node must come back as another. `mark` sees that the end of the log is missing.
//!
//! `docs/adr/0001-one-log-per-node.md` says why it is built so.

mod kinds;
mod limits;

mod api;
mod group;

mod queue;
mod shared;
mod slots;
mod writer;

mod books;
mod mark;
mod record;
mod round;
mod segments;

mod recover;
mod scan;
mod walk;

pub use crate::position::LogPosition;
pub use api::Log;
pub use group::{Done, GroupLog};
pub use kinds::{
    CreateGroupError, DiskFull, GroupFault, GroupLogState, LogEntry, LogOptions, LogUsage,
    OpenLogError, Recovery, TornTail,
};
pub use limits::VOTE_BYTES;
