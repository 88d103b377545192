//! The trees in sled.
//!
//! sled's `flush` asks the kernel to write but not the disk to keep (`sync_file_range`), so a
//! checkpoint syncs the files itself. Leaves of sled hold up to 16 pairs and must stay under
//! 128 KiB, or they become files of their own: see [`limits`](super::super::limits).

use super::{Backend, BackendError, Bytes, Changes, Tree, Visitor};
use crate::replica::limits;
use florin_failpoints::failpoint;
use parking_lot::{Mutex, MutexGuard};
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// sled in a folder.
pub(crate) struct SledBackend {
    db: sled::Db,
    dir: PathBuf,
    on_its_way: Arc<Mutex<OnItsWay>>,
}

/// One of its trees.
struct SledTree {
    tree: sled::Tree,
    on_its_way: Arc<Mutex<OnItsWay>>,
}

/// What was handed to sled and may not have reached the kernel. Whoever puts or drops holds it
/// locked until it waits for the disk, and others take their turn there.
///
/// sled writes 512 KiB at a time, by seven threads and as many writes as wait for them. When all
/// seven end a write while another thread, with the lock that they need for it, waits for the file
/// to be shortened, which is work for an eighth, sled hangs for ever. So puts do not give it so
/// much; a batch, in which nothing can wait, still may.
#[derive(Default)]
struct OnItsWay {
    pairs: usize,
    bytes: usize,
}

impl OnItsWay {
    fn add(&mut self, pairs: usize, bytes: usize) {
        self.pairs += pairs;
        self.bytes += bytes;
    }

    fn is_much(&self) -> bool {
        self.pairs >= limits::PAIRS_ON_THEIR_WAY || self.bytes >= limits::BYTES_ON_THEIR_WAY
    }

    /// Waits for the kernel to have written it.
    fn await_written(&mut self, tree: &sled::Tree) -> sled::Result<()> {
        tree.flush()?;
        *self = OnItsWay::default();
        Ok(())
    }
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
            on_its_way: Arc::default(),
        })
    }
}

impl Backend for SledBackend {
    fn tree(&self, name: &str) -> Result<Arc<dyn Tree>, BackendError> {
        Ok(Arc::new(SledTree {
            tree: self.db.open_tree(name)?,
            on_its_way: Arc::clone(&self.on_its_way),
        }))
    }

    fn names(&self) -> Vec<String> {
        self.db
            .tree_names()
            .iter()
            .filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned))
            .collect()
    }

    fn drop_tree(&self, name: &str) -> Result<(), BackendError> {
        let mut on_its_way = self.on_its_way.lock();
        on_its_way.await_written(&self.db)?;
        self.db.drop_tree(name)?;
        on_its_way.await_written(&self.db)?;
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

impl Tree for SledTree {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, BackendError> {
        let value = self.tree.get(key)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn put_in_turn(&self, pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<(), BackendError> {
        let mut on_its_way = self.on_its_way.lock();
        for (key, value) in in_sleds_order(pairs) {
            self.tree.insert(key.as_slice(), value.as_slice())?;
            on_its_way.add(1, key.len() + value.len());
            if on_its_way.is_much() {
                on_its_way.await_written(&self.tree)?;
                MutexGuard::bump(&mut on_its_way);
            }
        }
        Ok(())
    }

    fn rest(&self) {
        std::thread::sleep(limits::REST);
    }

    fn write(&self, changes: Changes) -> Result<(), BackendError> {
        let (mut batch, mut bytes) = (sled::Batch::default(), 0);
        let pairs = changes.len();
        for (key, value) in changes {
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        failpoint!(
            "storage.sled.batch",
            Err(sled::Error::Io(rustix::io::Errno::IO.into()).into())
        );
        let mut on_its_way = self.on_its_way.lock();
        // Nothing can wait in the middle of a batch; it begins with nothing else on its way.
        on_its_way.await_written(&self.tree)?;
        self.tree.apply_batch(batch)?;
        on_its_way.add(pairs, bytes);
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
        let mut pairs = self.tree.range(from..=to);
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

/// Pairs in the order in which they cost sled least. A leaf with more than sixteen pairs is split by
/// whoever comes to it next, into nine and eight, and both are written anew. Keys that grow, as those
/// of all that is only ever added do, split the last leaf with every ninth pair and leave leaves of
/// nine. Sixteen at a time, the last one first, they split it with every sixteenth and leave leaves
/// of sixteen: with values of 3,000 bytes 2.8 times the bytes are written instead of 3.9. Seventeen
/// at a time would leave most leaves too full, to be split by whoever reads them.
pub(crate) fn in_sleds_order(
    pairs: &[(Vec<u8>, Vec<u8>)],
) -> impl Iterator<Item = &(Vec<u8>, Vec<u8>)> {
    pairs
        .chunks(limits::LEAF_PAIRS)
        .flat_map(|block| block.iter().rev())
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    static SLOW: OnceLock<PathBuf> = OnceLock::new();
    /// Of the files of the other test.
    static COUNTED: OnceLock<PathBuf> = OnceLock::new();
    static BYTES: AtomicUsize = AtomicUsize::new(0);
    static WRITES: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);

    /// In place of the kernel's, which waits for the writes of a part of a file: that of a disk which
    /// takes its time, for the files of one test, and one that counts, for those of another. A power cut
    /// is not tried in this process.
    #[allow(unsafe_code)]
    #[unsafe(no_mangle)]
    extern "C" fn sync_file_range(file: i32, _: i64, bytes: i64, _: u32) -> i32 {
        let path = std::fs::read_link(format!("/proc/self/fd/{file}")).unwrap_or_default();
        let is_in = |dir: &OnceLock<PathBuf>| dir.get().is_some_and(|dir| path.starts_with(dir));
        if is_in(&COUNTED) {
            BYTES.fetch_add(bytes as usize, Ordering::Relaxed);
        }
        if is_in(&SLOW) {
            let at_once = WRITES.fetch_add(1, Ordering::Relaxed) + 1;
            MOST.fetch_max(at_once, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
            WRITES.fetch_sub(1, Ordering::Relaxed);
        }
        0
    }

    /// Without the waits all seven threads write.
    #[test]
    fn a_slow_disk_is_not_asked_for_seven_writes_at_once() {
        let dir = tempfile::tempdir().unwrap();
        SLOW.set(dir.path().canonicalize().unwrap()).unwrap();
        let backend = SledBackend::open(dir.path(), 32 << 20).unwrap();
        let pair = |key: u32, bytes| (key.to_be_bytes().to_vec(), vec![key as u8; bytes]);
        std::thread::scope(|scope| {
            for (name, bytes) in [("small", 60), ("large", limits::PIECE_BYTES)] {
                let tree = backend.tree(name).unwrap();
                scope.spawn(move || {
                    for round in 1..=20_u32 {
                        let pairs: Vec<_> = (0..200).map(|n| pair(round * n, bytes)).collect();
                        tree.put_in_turn(&pairs).unwrap();
                        let changes = (0..50).map(|n| pair(n, 300));
                        let changes = changes.map(|(key, value)| (key, Some(value)));
                        tree.write(changes.collect()).unwrap();
                    }
                });
            }
        });
        let most = MOST.load(Ordering::Relaxed);
        assert!((1..7).contains(&most), "{most} writes at once");
    }

    /// In the order of the keys they would be written 3.9 times.
    #[test]
    fn keys_that_grow_are_written_less_than_thrice_and_not_by_readers() {
        let dir = tempfile::tempdir().unwrap();
        COUNTED.set(dir.path().canonicalize().unwrap()).unwrap();
        let backend = SledBackend::open(dir.path(), 32 << 20).unwrap();
        let tree = backend.tree("grows").unwrap();
        let pair = |key: u32| (key.to_be_bytes().to_vec(), vec![key as u8; 3_000]);
        let (first, last) = (pair(0).0, pair(4_095).0);
        let pairs: Vec<_> = (0..4_096).map(pair).collect();
        for round in pairs.chunks(limits::PUTS_IN_A_ROW) {
            tree.put_in_turn(round).unwrap();
        }
        let bytes = pairs.len() * 3_004;
        let times = || {
            backend.db.flush().unwrap();
            BYTES.load(Ordering::Relaxed) as f64 / bytes as f64
        };
        let written = times();
        assert!((1.0..3.0).contains(&written), "{written}");
        let mut keys = 0;
        let mut count = |_: &[u8], _: &[u8]| {
            keys += 1;
            ControlFlow::Continue(())
        };
        tree.visit(&first, &last, false, &mut count).unwrap();
        assert_eq!(keys, pairs.len());
        let by_reading = times() - written;
        assert!(by_reading < 0.1, "{by_reading}");
    }
}
