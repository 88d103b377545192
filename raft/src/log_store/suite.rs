//! openraft's conformance suite over the real log on a simulated disk. The state machine beside
//! it is a stand-in: the suite applies entries that no log holds, and ours waits for the log.

use super::LogStore;
use crate::types::{Applied, Entry, RaftLogId, StoredMembership, Types};
use florin_ledger::id::GroupId;
use florin_storage::disk::sim::SimDisk;
use florin_storage::log::{Log, LogOptions};
use futures_util::{Stream, TryStreamExt};
use openraft::alias::{SnapshotMetaOf, SnapshotOf};
use openraft::entry::RaftPayload;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;

type State = (Option<RaftLogId>, StoredMembership);

#[derive(Clone, Default)]
struct StandIn {
    state: Arc<Mutex<State>>,
    snapshot: Arc<Mutex<Option<State>>>,
}

impl StandIn {
    fn apply_one(&self, entry: &Entry) {
        let mut state = self.state.lock();
        state.0 = Some(entry.log_id);
        if let Some(membership) = entry.payload.get_membership() {
            state.1 = StoredMembership::new(Some(entry.log_id), membership);
        }
    }
}

fn snapshot((last_log_id, last_membership): State) -> SnapshotOf<Types, State> {
    let meta = SnapshotMeta {
        last_log_id,
        last_membership: last_membership.clone(),
    };
    Snapshot {
        meta,
        snapshot: (last_log_id, last_membership),
    }
}

impl RaftSnapshotBuilder<Types> for StandIn {
    type SnapshotData = State;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf<Types, State>, io::Error> {
        let state = self.state.lock().clone();
        *self.snapshot.lock() = Some(state.clone());
        Ok(snapshot(state))
    }
}

impl RaftStateMachine<Types> for StandIn {
    type SnapshotData = State;
    type SnapshotBuilder = StandIn;

    async fn applied_state(&mut self) -> Result<State, io::Error> {
        Ok(self.state.lock().clone())
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            self.apply_one(&entry);
            if let Some(responder) = responder {
                responder.send(Applied::default());
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> StandIn {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMetaOf<Types>,
        state: State,
    ) -> Result<(), io::Error> {
        *self.state.lock() = state.clone();
        *self.snapshot.lock() = Some(state);
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> Result<Option<SnapshotOf<Types, State>>, io::Error> {
        Ok(self.snapshot.lock().clone().map(snapshot))
    }
}

struct Builder;

impl StoreBuilder<Types, LogStore, StandIn, Log> for Builder {
    async fn build(&self) -> Result<(Log, LogStore, StandIn), StorageError<Types>> {
        let options = LogOptions {
            segment_bytes: 1 << 20,
            min_free_bytes: 0,
            cache_bytes: 1 << 20,
            on_fatal: Arc::new(|why| panic!("{why}")),
        };
        let (log, _) = Log::open(Arc::new(SimDisk::new()), options).expect("the log opens");
        let group = log.create_group(GroupId(1)).expect("a new group");
        let store = LogStore::new(group).expect("no vote yet");
        Ok((log, store, StandIn::default()))
    }
}

#[tokio::test]
async fn the_log_conforms() {
    if let Err(error) = Suite::test_all(Builder).await {
        panic!("{error}");
    }
}
