//! The trees in memory. A power cut loses what was not synced, as on a disk.

use super::{Backend, BackendError, Bytes, Changes, Tree, Visitor};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

type Names = BTreeMap<String, Arc<MemoryTree>>;

/// Trees in memory: as they are now, and the names that survive a power cut.
#[derive(Default)]
pub(crate) struct MemoryBackend {
    now: Mutex<Names>,
    synced: Mutex<Names>,
}

/// One tree: its pairs, and what they were at the last sync where that differs.
#[derive(Default)]
struct MemoryTree {
    pairs: RwLock<BTreeMap<Vec<u8>, Bytes>>,
    before: Mutex<BTreeMap<Vec<u8>, Option<Bytes>>>,
}

impl MemoryTree {
    fn change(&self, changes: impl Iterator<Item = (Vec<u8>, Option<Bytes>)>) {
        let mut pairs = self.pairs.write();
        let mut before = self.before.lock();
        for (key, value) in changes {
            let old = match value {
                Some(value) => pairs.insert(key.clone(), value),
                None => pairs.remove(&key),
            };
            before.entry(key).or_insert(old);
        }
    }

    fn revert(&self) {
        let mut pairs = self.pairs.write();
        for (key, old) in std::mem::take(&mut *self.before.lock()) {
            match old {
                Some(old) => pairs.insert(key, old),
                None => pairs.remove(&key),
            };
        }
    }
}

impl Backend for MemoryBackend {
    fn tree(&self, name: &str) -> Result<Arc<dyn Tree>, BackendError> {
        Ok(self.now.lock().entry(name.to_owned()).or_default().clone())
    }

    fn names(&self) -> Vec<String> {
        self.now.lock().keys().cloned().collect()
    }

    fn drop_tree(&self, name: &str) -> Result<(), BackendError> {
        self.now.lock().remove(name);
        Ok(())
    }

    fn sync(&self) -> Result<(), BackendError> {
        let now = self.now.lock();
        for tree in now.values() {
            tree.before.lock().clear();
        }
        *self.synced.lock() = now.clone();
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        None
    }

    fn power_cut(&self) -> bool {
        let mut now = self.now.lock();
        *now = self.synced.lock().clone();
        for tree in now.values() {
            tree.revert();
        }
        true
    }
}

impl Tree for MemoryTree {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        Ok(self.pairs.read().get(key).cloned())
    }

    fn put_in_turn(&self, pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackendError> {
        let copied = pairs
            .iter()
            .map(|(k, v)| (k.clone(), Some(Bytes::copy_from_slice(v))));
        self.change(copied);
        Ok(())
    }

    fn write(&self, changes: Changes) -> Result<(), BackendError> {
        let changes = changes
            .into_iter()
            .map(|(key, value)| (key, value.map(Bytes::from)));
        self.change(changes);
        Ok(())
    }

    fn visit(
        &self,
        from: &[u8],
        to: &[u8],
        newest_first: bool,
        each: &mut Visitor<'_>,
    ) -> Result<(), BackendError> {
        if from > to {
            return Ok(());
        }
        let range: RangeInclusive<Vec<u8>> = from.to_vec()..=to.to_vec();
        let pairs = self.pairs.read();
        let mut pairs = pairs.range(range);
        while let Some((key, value)) = if newest_first {
            pairs.next_back()
        } else {
            pairs.next()
        } {
            if let ControlFlow::Break(()) = each(key, value) {
                break;
            }
        }
        Ok(())
    }
}
