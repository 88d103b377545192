//! storage's ledger of one group, fitted to openraft.

use crate::blocking::Blocking;
use crate::limits;
use crate::persister;
use crate::types::{self, Applied, Entry, RaftLogId, StoredMembership, Types};
use crate::unwritten::Share;
use florin_failpoints::{failpoint, mutant};
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use florin_storage::log::GroupLog;
use florin_storage::replica::{PersistError, Replica, SnapshotWriter};
use futures_util::stream::{Stream, StreamExt};
use openraft::alias::{SnapshotMetaOf, SnapshotOf};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, SnapshotMeta};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{oneshot, watch};

/// What consensus hands around as a snapshot.
pub(crate) enum SnapshotData {
    /// To be read from the replica when it is sent: it will be newer than its name.
    Lazy,
    /// Received whole; to be switched to.
    Received(Box<SnapshotWriter>),
}

/// The newest checkpoint: what consensus believes to be the snapshot.
#[derive(Clone, Default)]
pub(crate) struct Checkpoint(Arc<Mutex<Named>>);

#[derive(Default)]
struct Named {
    at: Option<RaftLogId>,
    membership: StoredMembership,
    /// Up to here it would survive a power cut. What a start finds in the store may have been
    /// written by a process that was killed before it made that sure.
    sure: Option<LogPosition>,
}

impl Checkpoint {
    /// What a start found.
    pub(crate) fn found(at: Option<LogPosition>, membership: StoredMembership) -> Checkpoint {
        let named = Named {
            at: at.map(types::to_log_id),
            membership,
            sure: None,
        };
        Checkpoint(Arc::new(Mutex::new(named)))
    }

    /// One that was just taken. Its membership is the replica's unless that is newer than the
    /// checkpoint, for which the one before is still right. One that an installed snapshot
    /// overtook while it was taken changes nothing: what consensus believes never goes back.
    pub(crate) fn taken(&self, at: LogPosition, membership: StoredMembership) {
        let mut named = self.0.lock();
        let log_id = Some(types::to_log_id(at));
        if named.at > log_id {
            return;
        }
        named.at = log_id;
        named.sure = Some(at);
        if membership.log_id() <= &named.at && membership.log_id() >= named.membership.log_id() {
            named.membership = membership;
        }
    }

    /// Up to where the log is no longer needed here.
    pub(crate) fn sure(&self) -> Option<LogPosition> {
        self.0.lock().sure
    }

    fn meta(&self) -> SnapshotMetaOf<Types> {
        let named = self.0.lock();
        SnapshotMeta {
            last_log_id: named.at,
            last_membership: named.membership.clone(),
        }
    }
}

/// Applies what is committed, once it is durable here as well.
pub(crate) struct Machine {
    pub(crate) replica: Replica,
    pub(crate) log: GroupLog,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) applied: watch::Sender<u64>,
    pub(crate) blocking: Blocking,
    pub(crate) unwritten: Arc<Share>,
}

impl Machine {
    fn has_room(&self) -> bool {
        self.unwritten.set(self.replica.unwritten_bytes());
        self.unwritten.has_room()
    }

    /// Waits until not too much is unwritten, and sees to it: whoever else persists may have
    /// stopped already.
    async fn room(&self) {
        while !self.has_room() {
            // Half of it may be written before all is.
            let ended = tokio::time::timeout(limits::PERSIST_TICK, self.make_room()).await;
            if let Ok(Err(error)) = &ended {
                let group = self.group().0;
                tracing::error!(group, %error, "too much is unwritten, and it could not be persisted");
            }
            if ended.is_ok() && !self.has_room() {
                tokio::time::sleep(limits::PERSIST_TICK).await;
            }
        }
    }

    /// In turn; what is no longer waited for goes on to its end.
    async fn make_room(&self) -> Result<(), PersistError> {
        let turn = self.unwritten.turn().await;
        if self.has_room() {
            return Ok(());
        }
        let (replica, log) = (self.replica.clone(), self.log.clone());
        let made = self.blocking.run(move || {
            let made = persister::make_room(&replica, &log);
            drop(turn);
            made
        });
        // Work that ended without a result has left what was to be written, for the next one.
        made.await.unwrap_or(Ok(()))
    }

    /// Commitment may run ahead of the local flush. A ledger ahead of its own log would not be
    /// found again after a restart, so the log comes first.
    async fn durable(&self, index: u64) -> io::Result<()> {
        if self.log.durable() >= Some(index) || mutant!("state-ahead-of-log") {
            return Ok(());
        }
        let (done, reached) = oneshot::channel();
        self.log
            .on_durable(index, Box::new(move |result| drop(done.send(result))));
        reached
            .await
            .map_err(|_| io::Error::other("the log closed"))?
    }

    fn apply_one(&self, entry: &Entry) -> Applied {
        let at = types::to_position(&entry.log_id);
        let decisions = match &entry.payload {
            EntryPayload::Blank => {
                self.replica.apply_blank(at);
                Vec::new()
            }
            EntryPayload::Normal(payload) => self.replica.apply(at, &payload.batch()),
            EntryPayload::Membership(membership) => {
                self.replica
                    .apply_membership(at, types::encode_membership(membership));
                Vec::new()
            }
        };
        self.applied.send_replace(at.index);
        Applied {
            decisions,
            time: self.replica.time(),
        }
    }

    fn group(&self) -> GroupId {
        self.replica.group()
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<RaftLogId>, StoredMembership), io::Error> {
        let membership = types::stored_membership(self.replica.membership())?;
        Ok((self.replica.applied().map(types::to_log_id), membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            self.durable(entry.log_id.index).await?;
            self.room().await;
            failpoint!(async "raft.apply.before");
            let began = Instant::now();
            let applied = self.apply_one(&entry);
            failpoint!(async "raft.apply.after");
            metrics::histogram!("florin_raft_apply_seconds").record(began.elapsed());
            if let Some(responder) = responder {
                responder.send(applied);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder(self.checkpoint.clone())
    }

    /// Whoever received the snapshot has checked the sender's vote, and openraft has done so
    /// again before it comes here, in turn with apply.
    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<Types>,
        snapshot: SnapshotData,
    ) -> Result<(), io::Error> {
        let SnapshotData::Received(writer) = snapshot else {
            return Err(io::Error::other(
                "a snapshot that was not received cannot be installed",
            ));
        };
        failpoint!(async "raft.install.begin");
        let installed = self
            .blocking
            .run(move || writer.finish())
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)?;
        if Some(types::to_log_id(installed.position)) != meta.last_log_id {
            return Err(io::Error::other(
                "the snapshot is not the one that was announced",
            ));
        }
        tracing::info!(
            group = self.group().0,
            index = installed.position.index,
            "installed a snapshot from a peer"
        );
        failpoint!(async "raft.install.end");
        self.checkpoint
            .taken(installed.position, meta.last_membership.clone());
        self.applied.send_replace(installed.position.index);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<SnapshotOf<Types, SnapshotData>>, io::Error> {
        let meta = self.checkpoint.meta();
        Ok(meta.last_log_id.is_some().then_some(openraft::Snapshot {
            meta,
            snapshot: SnapshotData::Lazy,
        }))
    }
}

/// Says what the newest checkpoint is; taking it is the persister's work.
pub(crate) struct Builder(Checkpoint);

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<Types, SnapshotData>, io::Error> {
        Ok(openraft::Snapshot {
            meta: self.0.meta(),
            snapshot: SnapshotData::Lazy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unwritten::Unwritten;
    use bytes::Bytes;
    use florin_storage::disk::sim::SimDisk;
    use florin_storage::log::{Log, LogEntry, LogOptions};
    use florin_storage::replica::Store;

    #[test]
    fn a_checkpoint_is_never_named_backwards() {
        let at = |index| LogPosition { term: 2, index };
        let set_at = |index| {
            let membership = openraft::Membership::default();
            StoredMembership::new(Some(types::to_log_id(at(index))), membership)
        };
        let checkpoint = Checkpoint::found(Some(at(5)), set_at(1));
        assert_eq!(checkpoint.sure(), None);
        checkpoint.taken(at(5), set_at(2));
        assert_eq!(checkpoint.sure(), Some(at(5)));
        checkpoint.taken(at(30), set_at(20));
        checkpoint.taken(at(10), set_at(3));
        checkpoint.taken(at(30), set_at(3));
        checkpoint.taken(at(40), set_at(41));
        let meta = checkpoint.meta();
        assert_eq!(checkpoint.sure(), Some(at(40)));
        assert_eq!(meta.last_log_id, Some(types::to_log_id(at(40))));
        assert_eq!(meta.last_membership, set_at(20));
    }

    #[tokio::test]
    async fn with_too_much_unwritten_it_is_written_before_more_is_applied() {
        let [first, second] = [1, 2].map(|index| LogPosition { term: 1, index });
        let options = LogOptions {
            segment_bytes: 1 << 20,
            min_free_bytes: 0,
            cache_bytes: 1 << 20,
            on_fatal: Arc::new(|why| panic!("{why}")),
        };
        let (log, _) = Log::open(Arc::new(SimDisk::new()), options).unwrap();
        let log = log.create_group(GroupId(1)).unwrap();
        let entries = [first, second].map(|position| LogEntry {
            position,
            payload: Bytes::new(),
        });
        let (done, durable) = oneshot::channel();
        log.append(
            entries.to_vec(),
            Box::new(move |result| done.send(result).unwrap()),
        );
        durable.await.unwrap().unwrap();

        let replica = Replica::open(&Store::in_memory(), GroupId(1)).unwrap();
        replica.apply(first, &Bytes::from_static(b"no batch, and counted as one"));
        let (applied, _) = watch::channel(0);
        let unwritten = Arc::new(Unwritten::new(1 << 30, 1));
        let mut machine = Machine {
            replica: replica.clone(),
            log,
            checkpoint: Checkpoint::default(),
            applied,
            blocking: Blocking::threads(),
            unwritten: Arc::new(unwritten.share()),
        };
        machine.room().await;
        assert_eq!(replica.persisted(), None, "there was room");
        let others = unwritten.share();
        others.set(1 << 30);
        let blank = Entry {
            log_id: types::to_log_id(second),
            payload: EntryPayload::Blank,
        };
        let entries = futures_util::stream::iter([Ok((blank, None))]);
        machine.apply(entries).await.unwrap();
        assert_eq!(replica.persisted(), Some(first));
        assert_eq!(replica.applied(), Some(second));
    }
}
