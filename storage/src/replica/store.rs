//! Everything a node keeps on disk of its ledgers: opening it, and which tree is whose.
//!
//! One tree per group and generation. A snapshot is written into the tree of the next generation;
//! the tree named `florin` says which generation is current, so that one write switches. Trees
//! that nobody names are left over from a crash and are dropped at the next opening.

use super::backend::{Backend, MemoryBackend, SledBackend, Tree};
use super::error::{BackendError, OpenStoreError};
use super::limits;
use super::view::OnFatal;
use crate::guard::guarded;
use florin_failpoints::failpoint;
use florin_ledger::id::GroupId;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const META: &str = "florin";
const FORMAT_KEY: &[u8] = b"format";
const CURRENT: u8 = b'g';
const KEPT: u8 = b'k';

/// How a node keeps its store.
#[derive(Clone)]
pub struct StoreOptions {
    /// Bytes of sled's page cache for the whole node.
    pub cache_bytes: u64,
    /// With less room than this on the disk, nothing is persisted.
    pub min_free_bytes: u64,
    /// Called when a read fails: it must not return in production, because a replica that guesses
    /// diverges. If it does return, the caller panics. Called when a sync fails as well: what the
    /// kernel holds after that is unknown, and the next sync may succeed without the lost pages.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            cache_bytes: limits::CACHE_BYTES,
            min_free_bytes: limits::MIN_FREE_BYTES,
            on_fatal: Arc::new(|why| panic!("{why}")),
        }
    }
}

/// Everything a node keeps on disk of its ledgers: one sled database, or memory. Clones share it.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    meta: Arc<dyn Tree>,
    min_free_bytes: u64,
    pub(super) on_fatal: OnFatal,
}

/// Why a folder did not open: its fault, or somebody else's.
enum Closed {
    Damaged(String),
    Refused(OpenStoreError),
}

impl Store {
    /// Opens the store in `dir` (`<data>/store`), made if it is not there. A damaged one is
    /// renamed to `store.damaged-<n>` beside it, and the notices say so: every group then starts
    /// empty and is filled again from its peers.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<(Store, Vec<String>), OpenStoreError> {
        let mut notices = Vec::new();
        let store = match Store::open_folder(dir, &options) {
            Ok(store) => store,
            Err(Closed::Refused(error)) => return Err(error),
            Err(Closed::Damaged(why)) => {
                let aside = set_aside(dir).map_err(|source| io_error(dir, source))?;
                notices.push(format!(
                    "the ledger store {} is damaged ({why}); it was set aside as {} and every \
                     group is filled again from its log and its peers",
                    dir.display(),
                    aside.display()
                ));
                match Store::open_folder(dir, &options) {
                    Ok(store) => store,
                    Err(Closed::Refused(error)) => return Err(error),
                    Err(Closed::Damaged(why)) => {
                        return Err(BackendError::Damaged(why).into());
                    }
                }
            }
        };
        store.drop_leftovers()?;
        Ok((store, notices))
    }

    /// Opens the store of a stopped node as it is: nothing is set aside or dropped.
    pub(super) fn open_as_it_is(dir: &Path) -> Result<Store, OpenStoreError> {
        if !dir.join("db").is_file() {
            return Err(io_error(dir, io::ErrorKind::NotFound.into()));
        }
        match Store::open_folder(dir, &StoreOptions::default()) {
            Ok(store) => Ok(store),
            Err(Closed::Refused(error)) => Err(error),
            Err(Closed::Damaged(why)) => Err(BackendError::Damaged(why).into()),
        }
    }

    /// A store in memory that behaves like one on disk, for simulation and tests.
    pub fn in_memory() -> Store {
        Store::on(
            Arc::new(MemoryBackend::default()),
            &StoreOptions::default(),
            true,
        )
        .unwrap_or_else(|error| panic!("memory failed: {error}"))
    }

    /// As a process finds a store in memory that starts again, and how it is kept from now on: only
    /// while no replica is open on it.
    pub fn reopen(&self, options: &StoreOptions) -> Result<Store, OpenStoreError> {
        let store = Store::on(Arc::clone(&self.backend), options, false)?;
        store.drop_leftovers()?;
        Ok(store)
    }

    /// Loses what no checkpoint covers, as a power cut would: only of a store in memory, and only
    /// while no replica is open on it. Answers whether it did.
    pub fn power_cut(&self) -> bool {
        self.backend.power_cut()
    }

    /// The groups that have something here.
    pub fn groups(&self) -> Vec<GroupId> {
        let mut groups = Vec::new();
        let (from, to) = (current_key(GroupId(0)), current_key(GroupId(u32::MAX)));
        let visited = self.meta.visit(&from, &to, false, &mut |key, _| {
            let number = key.get(1..).and_then(|number| number.try_into().ok());
            groups.extend(number.map(u32::from_be_bytes).map(GroupId));
            ControlFlow::Continue(())
        });
        self.sure(visited);
        groups
    }

    /// Drops everything of a group that this node no longer holds. No replica of it may be open.
    pub fn remove_group(&self, group: GroupId) -> Result<(), BackendError> {
        if let Some(generation) = self.current(group)? {
            self.meta.write(vec![(current_key(group), None)])?;
            self.sync()?;
            self.backend.drop_tree(&tree_name(group, generation))?;
        }
        Ok(())
    }

    /// The group's current tree and its generation, made if it has none.
    pub(super) fn open_group(&self, group: GroupId) -> Result<(Arc<dyn Tree>, u32), BackendError> {
        let generation = match self.current(group)? {
            Some(generation) => generation,
            None => {
                self.backend.tree(&tree_name(group, 0))?;
                self.switch(group, 0)?;
                0
            }
        };
        Ok((
            self.backend.tree(&tree_name(group, generation))?,
            generation,
        ))
    }

    /// An empty tree of a generation that is not current.
    pub(super) fn make_tree(
        &self,
        group: GroupId,
        generation: u32,
    ) -> Result<Arc<dyn Tree>, BackendError> {
        self.drop_tree(group, generation)?;
        self.backend.tree(&tree_name(group, generation))
    }

    /// Makes a generation the current one. Durable after the next sync.
    pub(super) fn switch(&self, group: GroupId, generation: u32) -> Result<(), BackendError> {
        failpoint!("storage.store.switch");
        let value = generation.to_be_bytes().to_vec();
        self.meta.write(vec![(current_key(group), Some(value))])
    }

    /// Drops a generation that is not current.
    pub(super) fn drop_tree(&self, group: GroupId, generation: u32) -> Result<(), BackendError> {
        failpoint!("storage.store.drop");
        self.backend.drop_tree(&tree_name(group, generation))
    }

    /// Goes on with an empty tree; the damaged one is kept for people to look at.
    pub(super) fn set_group_aside(
        &self,
        group: GroupId,
        generation: u32,
    ) -> Result<(Arc<dyn Tree>, u32), BackendError> {
        let name = tree_name(group, generation);
        let kept = [&[KEPT], name.as_bytes()].concat();
        let tree = self.make_tree(group, generation + 1)?;
        let value = (generation + 1).to_be_bytes().to_vec();
        let changes = vec![(kept, Some(Vec::new())), (current_key(group), Some(value))];
        self.meta.write(changes)?;
        self.sync()?;
        Ok((tree, generation + 1))
    }

    /// Everything written so far survives a power cut once this returns. A failure ends the
    /// process: asked again, the kernel would say that all is well.
    pub(super) fn sync(&self) -> Result<(), BackendError> {
        let synced = self.backend.sync();
        if let Err(error) = &synced {
            (self.on_fatal)(&format!("cannot sync the ledger store: {error}"));
        }
        synced
    }

    /// Whether there is room to write that much.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let needed = self.min_free_bytes.saturating_add(bytes as u64);
        self.backend.room().is_none_or(|room| room >= needed)
    }

    fn current(&self, group: GroupId) -> Result<Option<u32>, BackendError> {
        let Some(value) = self.meta.get(&current_key(group))? else {
            return Ok(None);
        };
        let bytes = value.as_ref().try_into();
        let bytes = bytes.map_err(|_| BackendError::Damaged("a generation".to_owned()))?;
        Ok(Some(u32::from_be_bytes(bytes)))
    }

    /// Drops the trees that nobody names.
    pub(super) fn drop_leftovers(&self) -> Result<(), BackendError> {
        let mut named = Vec::new();
        for group in self.groups() {
            named.extend(self.current(group)?.map(|it| tree_name(group, it)));
        }
        for name in self.backend.names() {
            let kept = self.meta.get(&[&[KEPT], name.as_bytes()].concat())?;
            if name.starts_with("group-") && !named.contains(&name) && kept.is_none() {
                self.backend.drop_tree(&name)?;
            }
        }
        Ok(())
    }

    fn open_folder(dir: &Path, options: &StoreOptions) -> Result<Store, Closed> {
        let new = !dir.join("db").is_file();
        std::fs::create_dir_all(dir).map_err(|source| Closed::Refused(io_error(dir, source)))?;
        let opened = guarded(|| {
            let backend = SledBackend::open(dir, options.cache_bytes)?;
            Ok(Store::on(Arc::new(backend), options, new))
        });
        let store = match opened {
            Ok(Ok(store)) => store.map_err(|error| match error {
                OpenStoreError::Backend(BackendError::Sled(error)) => closed(dir, error),
                OpenStoreError::Backend(error) => Closed::Damaged(error.to_string()),
                other => Closed::Refused(other),
            })?,
            Ok(Err(error)) => return Err(closed(dir, error)),
            Err(_) => return Err(Closed::Damaged("sled panicked on it".to_owned())),
        };
        if new {
            let parent = dir.parent().unwrap_or(dir);
            // Nothing is in it yet: to refuse the folder is enough.
            let synced = store
                .backend
                .sync()
                .map_err(OpenStoreError::from)
                .and_then(|()| {
                    let parent = File::open(parent).and_then(|parent| parent.sync_all());
                    parent.map_err(|source| io_error(dir, source))
                });
            synced.map_err(Closed::Refused)?;
        }
        Ok(store)
    }

    /// A store on a backend that is open.
    pub(super) fn on(
        backend: Arc<dyn Backend>,
        options: &StoreOptions,
        new: bool,
    ) -> Result<Store, OpenStoreError> {
        let meta = backend.tree(META)?;
        match meta.get(FORMAT_KEY)? {
            // sled takes files that it cannot read for the torn end of an empty database.
            None if !new => {
                return Err(BackendError::Damaged("it does not say its format".to_owned()).into());
            }
            None => {
                let format = limits::FORMAT.to_be_bytes().to_vec();
                meta.write(vec![(FORMAT_KEY.to_vec(), Some(format))])?;
            }
            Some(format) => {
                let found = format.as_ref().try_into().map(u32::from_be_bytes);
                let found = found.map_err(|_| BackendError::Damaged("its format".to_owned()))?;
                if found > limits::FORMAT {
                    let known = limits::FORMAT;
                    return Err(OpenStoreError::Format { found, known });
                }
            }
        }
        Ok(Store {
            backend,
            meta,
            min_free_bytes: options.min_free_bytes,
            on_fatal: options.on_fatal.clone(),
        })
    }

    fn sure<T>(&self, read: Result<T, BackendError>) -> T {
        read.unwrap_or_else(|error| {
            (self.on_fatal)(&format!("cannot read the ledger store: {error}"));
            panic!("cannot read the ledger store: {error}");
        })
    }
}

fn current_key(group: GroupId) -> Vec<u8> {
    [&[CURRENT], group.0.to_be_bytes().as_slice()].concat()
}

fn tree_name(group: GroupId, generation: u32) -> String {
    format!("group-{}-{generation}", group.0)
}

fn io_error(path: &Path, source: io::Error) -> OpenStoreError {
    OpenStoreError::Io {
        path: path.to_path_buf(),
        source,
    }
}

/// An error of the system (no permission, no room) is not the folder's fault.
fn closed(dir: &Path, error: sled::Error) -> Closed {
    match error {
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            Closed::Refused(OpenStoreError::Locked(dir.to_path_buf()))
        }
        sled::Error::Io(source) if source.raw_os_error().is_some() => {
            Closed::Refused(io_error(dir, source))
        }
        error => Closed::Damaged(error.to_string()),
    }
}

fn set_aside(dir: &Path) -> io::Result<PathBuf> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let mut number = 1;
    let aside = loop {
        let aside = dir.with_file_name(format!("{name}.damaged-{number}"));
        if !aside.exists() {
            break aside;
        }
        number += 1;
    };
    std::fs::rename(dir, &aside)?;
    if let Some(parent) = dir.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(aside)
}
