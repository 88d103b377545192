//! What the callers, the writer and the keeper of a log share.

use super::group::Group;
use super::kinds::LogOptions;
use super::queue::{Queue, Stopped};
use super::record::{HEADER, Header, Kind};
use super::segments::Segments;
use super::slots::Place;
use crate::position::LogPosition;
use bytes::Bytes;
use florin_failpoints::mutant;
use florin_ledger::id::GroupId;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

/// The parts of a log that several threads use.
pub(super) struct Shared {
    pub(super) options: LogOptions,
    pub(super) queue: Queue,
    pub(super) segments: Segments,
    pub(super) groups: Mutex<BTreeMap<GroupId, Arc<Group>>>,
    pub(super) faulty: Mutex<BTreeMap<GroupId, String>>,
}

impl Shared {
    /// The largest payload. Half of a segment, less the header, so that it fits into an empty
    /// segment beside the summary.
    pub(super) fn entry_bytes_max(&self) -> usize {
        (self.options.segment_bytes / 2) as usize - HEADER
    }

    /// Reads an entry from its segment and verifies all of it.
    pub(super) fn read_entry(
        &self,
        group: GroupId,
        position: LogPosition,
        place: Place,
    ) -> io::Result<Bytes> {
        let file = self.segments.file(place.segment);
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; HEADER + place.body_len as usize];
        file.read_exact_at(&mut bytes, u64::from(place.offset))?;
        let header = Header::decode(&bytes).ok().filter(|header| {
            matches!(header.kind, Kind::Entry | Kind::Mend)
                && header.group == group.0
                && header.position == Some(position)
                && header.segment == place.segment
                && header.offset == place.offset
                && header.body_len == place.body_len
        });
        let body = Bytes::from(bytes).slice(HEADER..);
        let differs = |header: Header| header.body_crc != crc32c::crc32c(&body);
        if header.is_none_or(|header| differs(header) && !mutant!("checksums-off")) {
            let reason = format!(
                "entry {position} of group {} is damaged in segment {} at byte {}",
                group.0, place.segment, place.offset
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(body)
    }

    /// Ends the log because the disk failed: in production with the process, else by answering
    /// everything from now on with the error.
    pub(super) fn fail(&self, what: &str, error: &io::Error) -> Stopped {
        let reason = format!("log: {what}: {error}");
        tracing::error!("{reason}");
        (self.options.on_fatal)(&reason);
        let stopped = Stopped::new(&reason);
        self.stop(stopped.clone());
        self.segments.close();
        stopped
    }

    /// Takes nothing more, and answers those who wait for an index.
    pub(super) fn stop(&self, stopped: Stopped) {
        self.queue.stop(stopped.clone());
        let groups: Vec<_> = self.groups.lock().values().cloned().collect();
        for group in groups {
            group.stop(&stopped);
        }
    }

    /// Answers what is queued, in place of a writer that is gone.
    pub(super) fn answer_queue(&self, stopped: &Stopped) {
        let mut left = VecDeque::new();
        self.queue.try_take(&mut left);
        for done in left.into_iter().filter_map(|item| item.done) {
            done(Err(stopped.error()));
        }
    }
}
