//! Memory that fails, or holds still, when a test says so.

use crate::replica::backend::{Backend, Changes, MemoryBackend, Tree, Visitor, in_sleds_order};
use crate::replica::error::BackendError;
use crate::replica::{Store, StoreOptions};
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

#[derive(Clone, Default)]
pub(super) struct Faults {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    /// Writes that still succeed; all do if there is no number.
    writes_left: Option<u64>,
    reads_fail: bool,
    /// Syncs that still succeed; all do if there is no number.
    syncs_left: Option<u64>,
    /// What was said to be fatal.
    fatal: Vec<String>,
    /// Batches wait while it is shut.
    shut: bool,
    /// What is put in turn waits as well.
    shut_to_all: bool,
    waiting: bool,
}

impl Faults {
    pub(super) fn allow_writes(&self, writes: Option<u64>) {
        self.shared.0.lock().writes_left = writes;
    }

    pub(super) fn fail_reads(&self) {
        self.shared.0.lock().reads_fail = true;
    }

    pub(super) fn allow_syncs(&self, syncs: Option<u64>) {
        self.shared.0.lock().syncs_left = syncs;
    }

    /// What was said to be fatal so far, each of which ends a process.
    pub(super) fn fatal(&self) -> Vec<String> {
        self.shared.0.lock().fatal.clone()
    }

    pub(super) fn shut(&self) {
        self.shared.0.lock().shut = true;
    }

    /// Shuts it for what is put in turn as well: a persist waits before it has written anything.
    pub(super) fn shut_to_all(&self) {
        let mut state = self.shared.0.lock();
        (state.shut, state.shut_to_all) = (true, true);
    }

    pub(super) fn open(&self) {
        let mut state = self.shared.0.lock();
        (state.shut, state.shut_to_all) = (false, false);
        self.shared.1.notify_all();
    }

    /// Returns once a write waits at the gate.
    pub(super) fn wait_for_a_batch(&self) {
        let mut state = self.shared.0.lock();
        while !state.waiting {
            self.shared.1.wait(&mut state);
        }
    }

    fn gate(&self) {
        let mut state = self.shared.0.lock();
        while state.shut {
            state.waiting = true;
            self.shared.1.notify_all();
            self.shared.1.wait(&mut state);
        }
        state.waiting = false;
    }

    fn write(&self) -> Result<(), BackendError> {
        match &mut self.shared.0.lock().writes_left {
            None => Ok(()),
            Some(0) => Err(failed()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.write()?;
        match &mut self.shared.0.lock().syncs_left {
            None => Ok(()),
            Some(0) => Err(failed()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn read(&self) -> Result<(), BackendError> {
        if self.shared.0.lock().reads_fail {
            return Err(failed());
        }
        Ok(())
    }
}

fn failed() -> BackendError {
    BackendError::Io {
        what: "as told".to_owned(),
        source: std::io::ErrorKind::Other.into(),
    }
}

/// What outlives a crash: open a store on it as often as you like.
pub(super) struct FaultyMemory {
    pub(super) memory: Arc<MemoryBackend>,
    pub(super) faults: Faults,
}

impl FaultyMemory {
    pub(super) fn new() -> FaultyMemory {
        FaultyMemory {
            memory: Arc::default(),
            faults: Faults::default(),
        }
    }

    pub(super) fn open(&self) -> Store {
        let faults = self.faults.clone();
        self.open_with(StoreOptions {
            on_fatal: Arc::new(move |why| faults.shared.0.lock().fatal.push(why.to_owned())),
            ..StoreOptions::default()
        })
    }

    pub(super) fn open_with(&self, options: StoreOptions) -> Store {
        let backend = Faulty {
            memory: self.memory.clone(),
            faults: self.faults.clone(),
        };
        let store = Store::on(Arc::new(backend), &options, true).unwrap();
        store.drop_leftovers().unwrap();
        store
    }
}

struct Faulty {
    memory: Arc<MemoryBackend>,
    faults: Faults,
}

struct FaultyTree {
    tree: Arc<dyn Tree>,
    faults: Faults,
}

impl Backend for Faulty {
    fn tree(&self, name: &str) -> Result<Arc<dyn Tree>, BackendError> {
        let tree = self.memory.tree(name)?;
        let faults = self.faults.clone();
        Ok(Arc::new(FaultyTree { tree, faults }))
    }

    fn names(&self) -> Vec<String> {
        self.memory.names()
    }

    fn drop_tree(&self, name: &str) -> Result<(), BackendError> {
        self.faults.write()?;
        self.memory.drop_tree(name)
    }

    fn sync(&self) -> Result<(), BackendError> {
        self.faults.sync()?;
        self.memory.sync()
    }

    fn room(&self) -> Option<u64> {
        Some(64 * 1024 * 1024)
    }

    fn power_cut(&self) -> bool {
        self.memory.power_cut()
    }
}

impl Tree for FaultyTree {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        self.faults.read()?;
        self.tree.get(key)
    }

    fn put_in_turn(&self, pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackendError> {
        if self.faults.shared.0.lock().shut_to_all {
            self.faults.gate();
        }
        for pair in in_sleds_order(pairs) {
            self.faults.write()?;
            self.tree.put_in_turn(std::slice::from_ref(pair))?;
        }
        Ok(())
    }

    fn write(&self, changes: Changes) -> Result<(), BackendError> {
        self.faults.gate();
        self.faults.write()?;
        self.tree.write(changes)
    }

    fn visit(
        &self,
        from: &[u8],
        to: &[u8],
        newest_first: bool,
        each: &mut Visitor<'_>,
    ) -> Result<(), BackendError> {
        self.faults.read()?;
        self.tree.visit(from, to, newest_first, each)
    }
}
