//! The files of one folder, as the log needs them.
//!
//! The log touches the disk through [`Disk`] and [`DiskFile`] alone, so that tests can put a
//! simulated disk under it (module [`sim`]) that loses, tears, corrupts and fills up.

use std::io;
use std::sync::Arc;

mod real;
pub mod sim;

pub use real::RealDisk;

/// One folder and the files in it.
pub trait Disk: Send + Sync {
    /// The names of the files in the folder, sorted.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new file, for which `bytes` of room are reserved where the system can; its content and
    /// length are unspecified until written. Fails if the name exists.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;
    /// An existing file, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Gives a file another name. Durable after [`Disk::sync_folder`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. Durable after [`Disk::sync_folder`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable: creations, renames and removals.
    fn sync_folder(&self) -> io::Result<()>;
    /// The bytes that this process may still write to the file system.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// One open file. All methods may be called from several threads.
pub trait DiskFile: Send + Sync {
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset` on; fails with `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the content durable, and of the metadata what is needed to read it again.
    fn sync_data(&self) -> io::Result<()>;
}
