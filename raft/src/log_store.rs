//! storage's log of one group, fitted to openraft.

#[cfg(test)]
mod suite;

use crate::limits;
use crate::types::{self, Ballot, Entry, Peer, RaftLogId, RaftVote, Types};
use florin_failpoints::{failpoint, mutant};
use florin_storage::log::GroupLog;
use futures_util::stream::{self, Stream, StreamExt};
use openraft::entry::{RaftEntry, RaftPayload};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, Membership, OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{oneshot, watch};

/// The log of one group and its vote. Clones share it.
#[derive(Clone)]
pub(crate) struct LogStore {
    log: GroupLog,
    ballot: Arc<Mutex<Ballot>>,
    appended_bytes: Arc<AtomicU64>,
    appended: Arc<watch::Sender<u64>>,
}

impl LogStore {
    /// Reads the vote that the log holds.
    pub(crate) fn new(log: GroupLog) -> io::Result<LogStore> {
        let ballot = match log.state().vote {
            Some(bytes) => Ballot::decode(&bytes)?,
            None => Ballot::new(None, BTreeMap::new()),
        };
        Ok(LogStore {
            log,
            ballot: Arc::new(Mutex::new(ballot)),
            appended_bytes: Arc::default(),
            appended: Arc::default(),
        })
    }

    /// Follows the index of the last entry appended since the start.
    pub(crate) fn watch_appended(&self) -> watch::Receiver<u64> {
        self.appended.subscribe()
    }

    /// Bytes of entries appended since the start.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended_bytes.load(Ordering::Relaxed)
    }

    /// Where the members were when the log last heard of them.
    pub(crate) fn peers(&self) -> BTreeMap<u64, Peer> {
        self.ballot.lock().peers.clone()
    }

    /// Remembers where the members are, beside the vote, if that is news.
    pub(crate) fn remember_peers(&self, peers: BTreeMap<u64, Peer>) {
        let mut ballot = self.ballot.lock();
        if ballot.peers != peers {
            ballot.peers = peers;
            // Nothing waits for it, and the queue keeps it in order with votes: the lock is held
            // until it is in.
            self.log.save_vote(ballot.encode(), Box::new(|_| ()));
        }
    }

    fn remember_members(&self, membership: &Membership<u64, Peer>) {
        self.remember_peers(
            membership
                .nodes()
                .map(|(id, peer)| (*id, peer.clone()))
                .collect(),
        );
    }

    fn read(&self, start: u64, end: u64, max_bytes: usize) -> io::Result<Vec<Entry>> {
        if start >= end {
            return Ok(Vec::new());
        }
        let entries = self.log.read(start..end, max_bytes)?;
        entries
            .iter()
            .map(|entry| types::from_log(entry).map_err(io::Error::from))
            .collect()
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        self.read(start, end, usize::MAX)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(start, end, limits::APPEND_BYTES)
    }

    /// In pieces: after a restart the range to apply can be the whole log.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        let log = self.clone();
        stream::unfold(start, move |at| {
            let log = log.clone();
            async move {
                if at >= end {
                    return None;
                }
                match log.read(at, end, limits::APPEND_BYTES) {
                    Err(error) => Some((vec![Err(error)], end)),
                    Ok(entries) => {
                        let next = entries.last()?.index().saturating_add(1);
                        Some((entries.into_iter().map(Ok).collect::<Vec<_>>(), next))
                    }
                }
            }
        })
        .flat_map(stream::iter)
    }

    async fn read_vote(&mut self) -> Result<Option<RaftVote>, io::Error> {
        Ok(self.ballot.lock().vote())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let state = self.log.state();
        Ok(LogState {
            last_purged_log_id: state.purged.map(types::to_log_id),
            last_log_id: state.last.map(types::to_log_id),
        })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &RaftVote) -> Result<(), io::Error> {
        failpoint!(async "raft.vote.save");
        let (done, saved) = oneshot::channel();
        {
            let mut ballot = self.ballot.lock();
            *ballot = Ballot::new(Some(vote), std::mem::take(&mut ballot.peers));
            mutant!("vote-not-persisted" => return Ok(()));
            let done = Box::new(move |result| drop(done.send(result)));
            self.log.save_vote(ballot.encode(), done);
        }
        let saved = saved
            .await
            .map_err(|_| io::Error::other("the log closed before the vote was saved"))?;
        failpoint!(async "raft.vote.saved");
        saved
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        failpoint!(async "raft.log.append");
        let entries = entries.into_iter();
        let mut batch = Vec::with_capacity(entries.size_hint().0);
        for entry in entries {
            if let Some(membership) = entry.payload.get_membership() {
                self.remember_members(&membership);
            }
            batch.push(types::to_log(&entry));
        }
        let bytes = batch.iter().map(|entry| entry.payload.len() as u64).sum();
        self.appended_bytes.fetch_add(bytes, Ordering::Relaxed);
        let last = batch.last().map(|entry| entry.position.index);
        self.log
            .append(batch, Box::new(move |result| callback.io_completed(result)));
        if let Some(last) = last {
            self.appended.send_replace(last);
        }
        Ok(())
    }

    async fn truncate_after(&mut self, last_kept: Option<RaftLogId>) -> Result<(), io::Error> {
        failpoint!(async "raft.log.truncate");
        self.log
            .truncate_after(last_kept.map(|log_id| log_id.index));
        Ok(())
    }

    async fn purge(&mut self, upto: RaftLogId) -> Result<(), io::Error> {
        failpoint!(async "raft.log.purge");
        self.log.purge(types::to_position(&upto));
        Ok(())
    }
}
