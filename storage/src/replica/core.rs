//! What a replica holds, and its two locks.
//!
//! `core` guards the state and the changes in front: apply takes it for one batch, queries share
//! it, everything else holds it for moments. `persister` is held by whoever writes the tree or
//! needs it to stand still; it is taken first, and apply never takes it.

use super::backend::Tree;
use super::error::{BackendError, OpenReplicaError};
use super::journal::Journal;
use super::limits::{HURRY_BYTES, PAUSED_UNWRITTEN_BYTES};
use super::load::{Header, LoadError, Membership, load};
use super::overlay::Overlay;
use super::persist::sweep;
use super::store::Store;
use super::view::{Below, View, Writer};
use crate::position::LogPosition;
use florin_failpoints::failpoint;
use florin_ledger::id::{GroupId, Timestamp};
use florin_ledger::state::{GroupSettings, State};
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What clones of a replica share.
pub(super) struct Shared {
    pub(super) group: GroupId,
    pub(super) store: Store,
    pub(super) core: RwLock<Core>,
    persister: Mutex<Persister>,
    /// Who waits for `persister`, or for what is written; never none again once everything is in a
    /// hurry.
    waiting: AtomicUsize,
    /// Steps that persists have taken.
    steps: AtomicU64,
    pub(super) journal: Journal,
    pub(super) notices: Vec<String>,
}

/// The state and what of it is unwritten.
pub(super) struct Core {
    pub(super) state: State,
    pub(super) applied: Option<LogPosition>,
    pub(super) membership: Option<Membership>,
    pub(super) front: Overlay,
    /// Taken by the persister, and kept readable until it is in the tree.
    pub(super) frozen: Option<Arc<Frozen>>,
    pub(super) tree: Arc<dyn Tree>,
    pub(super) persisted: Option<LogPosition>,
    /// The group's time as of `persisted`.
    pub(super) written: Timestamp,
}

/// Everything up to one log position that is on its way into the tree.
pub(super) struct Frozen {
    pub(super) overlay: Overlay,
    pub(super) header: Header,
}

/// What is known about the tree by whoever writes it.
pub(super) struct Persister {
    pub(super) generation: u32,
    /// A snapshot reads the mutable part: the tree must stand still. The number tells it apart
    /// from later ones.
    pub(super) paused: Option<u64>,
    pub(super) snapshots: u64,
    /// With so much unwritten, a snapshot that holds the tree still is given up.
    pub(super) patience: usize,
    pub(super) installing: bool,
    /// As of the last sync.
    pub(super) synced: Option<LogPosition>,
}

/// While it is held, no persist rests.
pub(super) struct WaitedFor<'a>(&'a Shared);

impl Shared {
    /// Loads the group's tree. What does not load is set aside, and the replica starts empty.
    pub(super) fn open(store: &Store, group: GroupId) -> Result<Shared, OpenReplicaError> {
        failpoint!("storage.replica.load");
        let mut notices = Vec::new();
        let (mut tree, mut generation) = store.open_group(group)?;
        let (state, header) = match load(&*tree, group) {
            Ok(loaded) => loaded,
            Err(LoadError::Backend(error @ (BackendError::Sled(_) | BackendError::Io { .. }))) => {
                return Err(error.into());
            }
            Err(damage) => {
                notices.push(format!(
                    "the ledger of group {} is damaged ({damage}); it was set aside within the \
                     store and is filled again from its log and its peers",
                    group.0
                ));
                (tree, generation) = store.set_group_aside(group, generation)?;
                (State::new(group, GroupSettings::default()), None)
            }
        };
        sweep(&*tree, state.time())?;
        Ok(Shared {
            group,
            store: store.clone(),
            core: RwLock::new(Core::new(state, header, tree)),
            persister: Mutex::new(Persister {
                generation,
                paused: None,
                snapshots: 0,
                patience: PAUSED_UNWRITTEN_BYTES,
                installing: false,
                // A killed process leaves writes that no sync covered, and they read like the others.
                synced: None,
            }),
            waiting: AtomicUsize::new(0),
            steps: AtomicU64::new(0),
            journal: Journal::default(),
            notices,
        })
    }
}

impl Shared {
    /// Waits for its turn to write the tree or to have it stand still. A persist that is under way
    /// does not rest meanwhile.
    pub(super) fn persister(&self) -> MutexGuard<'_, Persister> {
        let _waits = self.waited_for();
        self.persister.lock()
    }

    /// Somebody waits for what is written, until this is dropped.
    pub(super) fn waited_for(&self) -> WaitedFor<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        WaitedFor(self)
    }

    /// A persist got on.
    pub(super) fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// How often persists got on.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// No persist rests from now on.
    pub(super) fn hurry(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a persist may rest: nobody waits for it, and not too much is unwritten again.
    pub(super) fn may_rest(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0 && self.core.read().front.bytes < HURRY_BYTES
    }
}

impl Drop for WaitedFor<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Core {
    /// A state as it was loaded from a tree.
    pub(super) fn new(state: State, header: Option<Header>, tree: Arc<dyn Tree>) -> Core {
        let applied = header.as_ref().map(|header| header.applied);
        Core {
            written: state.time(),
            state,
            applied,
            membership: header.and_then(|header| header.membership),
            front: Overlay::default(),
            frozen: None,
            tree,
            persisted: applied,
        }
    }

    /// For queries.
    pub(super) fn view<'a>(&'a self, shared: &'a Shared) -> View<'a> {
        View {
            front: &self.front,
            below: Below {
                frozen: self.frozen.as_deref().map(|frozen| &frozen.overlay),
                tree: &*self.tree,
                journal: &shared.journal,
                written: self.written,
                on_fatal: &shared.store.on_fatal,
            },
        }
    }

    /// For apply: the state beside a store that reads and writes.
    pub(super) fn parts<'a>(&'a mut self, shared: &'a Shared) -> (&'a mut State, Writer<'a>) {
        let below = Below {
            frozen: self.frozen.as_deref().map(|frozen| &frozen.overlay),
            tree: &*self.tree,
            journal: &shared.journal,
            written: self.written,
            on_fatal: &shared.store.on_fatal,
        };
        let front = &mut self.front;
        (&mut self.state, Writer { front, below })
    }

    /// Moves on in the log. Consensus gives every entry once and in order.
    pub(super) fn advance(&mut self, at: LogPosition) {
        let next = self.applied.is_none_or(|applied| applied.index < at.index);
        assert!(next, "entry {at:?} was applied before: {:?}", self.applied);
        self.applied = Some(at);
    }
}
