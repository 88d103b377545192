//! The copy of the directory, replaced as a whole so that readers never wait.

use super::{Links, Shared};
use florin_ledger::directory::{Directory, Item};
use std::sync::Arc;

impl Shared {
    /// Takes over what another copy sent: with it, nothing up to `version` is missing here.
    pub(super) fn take(&self, version: u64, items: Vec<Item>) {
        if items.is_empty() && self.directory.load().version >= version {
            return;
        }
        self.replace(|directory| {
            for item in items {
                directory.put(item);
            }
            directory.version = directory.version.max(version);
        });
    }

    /// Takes over one item. Others changed before it may be missing: the version stays.
    pub(super) fn put(&self, item: Item) {
        self.replace(|directory| {
            let version = directory.version;
            directory.put(item);
            directory.version = version;
        });
    }

    fn replace(&self, how: impl FnOnce(&mut Directory)) {
        {
            let _one_at_a_time = self.replacing.lock();
            let mut directory = Directory::clone(&self.directory.load());
            how(&mut directory);
            self.directory.store(Arc::new(directory));
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// Looks again which links there are and which are up.
    pub(super) fn relink(&self) {
        {
            let _one_at_a_time = self.replacing.lock();
            let links = self.links.load().by_address().clone();
            self.links
                .store(Arc::new(Links::new(links, &self.directory.load())));
        }
        self.changes.send_modify(|count| *count += 1);
    }
}
