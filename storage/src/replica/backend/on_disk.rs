//! The trees in sled.
//!
//! sled's `flush` asks the kernel to write but not the disk to keep (`sync_file_range`), so a
//! checkpoint syncs the files itself. Leaves of sled hold up to 16 pairs and must stay under
//! 128 KiB, or they become files of their own: see [`limits`](super::super::limits).

use super::{Backend, BackendError, Bytes, Changes, Tree, Visitor};
use crate::replica::limits;
use florin_failpoints::failpoint;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// sled in a folder.
pub(crate) struct SledBackend {
    db: sled::Db,
    dir: PathBuf,
}

impl SledBackend {
    /// Opens or makes the database. sled may panic on damaged files: the caller catches.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> sled::Result<SledBackend> {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None)
            .use_compression(false)
            .mode(sled::Mode::HighThroughput)
            .open()?;
        Ok(SledBackend {
            db,
            dir: dir.to_path_buf(),
        })
    }
}

impl Backend for SledBackend {
    fn tree(&self, name: &str) -> Result<Arc<dyn Tree>, BackendError> {
        Ok(Arc::new(self.db.open_tree(name)?))
    }

    fn names(&self) -> Vec<String> {
        self.db
            .tree_names()
            .iter()
            .filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned))
            .collect()
    }

    fn drop_tree(&self, name: &str) -> Result<(), BackendError> {
        self.db.drop_tree(name)?;
        Ok(())
    }

    fn sync(&self) -> Result<(), BackendError> {
        failpoint!(
            "storage.sled.flush",
            Err(at(&self.dir, rustix::io::Errno::IO.into()))
        );
        self.db.flush()?;
        failpoint!(
            "storage.sled.sync",
            Err(at(&self.dir, rustix::io::Errno::IO.into()))
        );
        let blobs = self.dir.join("blobs");
        sync_path(&self.dir.join("db"))?;
        for folder in [blobs.as_path(), &self.dir] {
            if !folder.is_dir() {
                continue;
            }
            for file in std::fs::read_dir(folder).map_err(|source| at(folder, source))? {
                let path = file.map_err(|source| at(folder, source))?.path();
                // sled replaces its snapshot files as it goes; one that is gone needs no sync.
                if path.is_file() && !path.ends_with("db") {
                    sync_if_there(&path)?;
                }
            }
            failpoint!(
                "storage.sled.folder",
                Err(at(folder, rustix::io::Errno::IO.into()))
            );
            sync_path(folder)?;
        }
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.dir).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl Tree for sled::Tree {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        let value = sled::Tree::get(self, key)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn put_in_turn(&self, pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackendError> {
        for (key, value) in pairs {
            self.insert(key.as_slice(), value.as_slice())?;
        }
        Ok(())
    }

    fn rest(&self) {
        std::thread::sleep(limits::REST);
    }

    fn write(&self, changes: Changes) -> Result<(), BackendError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        failpoint!(
            "storage.sled.batch",
            Err(sled::Error::Io(rustix::io::Errno::IO.into()).into())
        );
        self.apply_batch(batch)?;
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
        let mut pairs = self.range(from..=to);
        while let Some(pair) = if newest_first {
            pairs.next_back()
        } else {
            pairs.next()
        } {
            let (key, value) = pair?;
            if let ControlFlow::Break(()) = each(&key, &value) {
                break;
            }
        }
        Ok(())
    }
}

fn sync_path(path: &Path) -> Result<(), BackendError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| at(path, source))
}

fn sync_if_there(path: &Path) -> Result<(), BackendError> {
    match sync_path(path) {
        Err(BackendError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(())
        }
        other => other,
    }
}

fn at(path: &Path, source: std::io::Error) -> BackendError {
    BackendError::Io {
        what: path.display().to_string(),
        source,
    }
}
