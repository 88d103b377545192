//! An ext4 file system in a file: mounted through a loop device, it can lose its power and fill up.
//!
//! Power is cut by ext4's own shutdown: from then on nothing is written, and what was not synced is
//! lost with the memory it stood in. It comes back by unmounting and mounting, which plays ext4's
//! journal, as a machine does that starts again.

use super::DiskError;
use crate::ioctls::shut_ext4_down;
use crate::playground::command::run;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;
use std::fs::{File, OpenOptions, create_dir_all};
use std::io;
use std::path::{Path, PathBuf};

/// What takes the room of a file system that is filled.
const BALLAST: &str = "ballast";
/// A file system with less room than this is full.
const CRUMB: u64 = 64 << 10;

/// The file system. Dropping it takes it away.
#[derive(Debug)]
pub(super) struct Image {
    device: String,
    mounted: PathBuf,
}

impl Image {
    /// Makes one of so many MiB below a folder, and mounts it. The file takes only what is written.
    pub(super) fn make(folder: &Path, name: &str, mib: u64) -> Result<Image, DiskError> {
        let file = folder.join(format!("{name}.ext4"));
        let mounted = folder.join(name);
        create_dir_all(&mounted).map_err(|why| system("make a mount point", why))?;
        File::create(&file)
            .and_then(|file| file.set_len(mib << 20))
            .map_err(|why| system("make a disk's image", why))?;
        let file = file.to_string_lossy().into_owned();
        // No blocks are set aside for root: processes are root's, and full is to be full.
        tool("mkfs.ext4", &["-q", "-F", "-m", "0", &file])?;
        let device = tool("losetup", &["-f", "--show", &file])?.trim().to_owned();
        let image = Image { device, mounted };
        image.mount()?;
        Ok(image)
    }

    /// Where it is mounted.
    pub(super) fn mounted(&self) -> &Path {
        &self.mounted
    }

    /// Nothing reaches the disk from now on.
    pub(super) fn cut_power(&self) -> Result<(), DiskError> {
        shut_ext4_down(&self.mounted).map_err(|why| system("cut a disk's power", why))
    }

    /// The disk is as the last sync left it, or later. Nobody may have a file of it open.
    pub(super) fn restore_power(&self) -> Result<(), DiskError> {
        self.unmount()?;
        self.mount()
    }

    /// Takes all the room that is left.
    pub(super) fn fill(&self) -> Result<(), DiskError> {
        let failed = |why| system("fill a disk", why);
        let ballast = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.mounted.join(BALLAST))
            .map_err(failed)?;
        let mut end = ballast.metadata().map_err(failed)?.len();
        let mut piece = self.free()?;
        while piece >= CRUMB {
            match fallocate(&ballast, FallocateFlags::empty(), end, piece) {
                Ok(()) => {
                    end += piece;
                    piece = self.free()?.min(piece);
                }
                // Some of the room is for the file system's own tables.
                Err(Errno::NOSPC) => piece /= 2,
                Err(error) => return Err(failed(error.into())),
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub(super) fn make_room(&self) -> Result<(), DiskError> {
        match std::fs::remove_file(self.mounted.join(BALLAST)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(system("make room", why)),
            _ => Ok(()),
        }
    }

    /// The bytes that are left.
    pub(super) fn free(&self) -> Result<u64, DiskError> {
        free(&self.mounted)
    }

    fn mount(&self) -> Result<(), DiskError> {
        let to = self.mounted.to_string_lossy();
        tool("mount", &["-t", "ext4", &self.device, &to]).map(drop)
    }

    fn unmount(&self) -> Result<(), DiskError> {
        tool("umount", &[&self.mounted.to_string_lossy()]).map(drop)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Who still has a file open, perhaps in dying, loses the name at once and the file later.
        let lazily = || tool("umount", &["-l", &self.mounted.to_string_lossy()]).map(drop);
        let taken_away = self.unmount().or_else(|_busy| lazily());
        let freed = tool("losetup", &["-d", &self.device]);
        for error in [taken_away.err(), freed.err()].into_iter().flatten() {
            eprintln!("a disk stays until the next run: {error}");
        }
    }
}

/// The bytes that are left on the file system of a folder.
pub(super) fn free(folder: &Path) -> Result<u64, DiskError> {
    let told = statvfs(folder).map_err(|why| system("look at a disk", why.into()))?;
    Ok(told.f_bavail * told.f_frsize)
}

fn tool(program: &str, arguments: &[&str]) -> Result<String, DiskError> {
    run(program, arguments).map_err(DiskError::Tool)
}

fn system(what: &str, why: io::Error) -> DiskError {
    let what = what.to_owned();
    DiskError::System { what, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playground::run::Run;
    use std::io::Write;

    /// Past the test harness, which keeps what a test that passes prints to itself.
    fn skipped(why: &DiskError) {
        let _nobody_listens = writeln!(std::io::stderr(), "disks: skipped: {why}");
    }

    #[test]
    fn what_was_synced_outlives_a_power_cut_and_what_was_not_does_not() {
        let run = Run::begin().unwrap();
        let image = match Image::make(run.folder(), "n", 64) {
            Ok(image) => image,
            Err(why) => return skipped(&why),
        };
        let write = |name: &str, sync: bool| {
            let mut file = File::create(image.mounted().join(name)).unwrap();
            file.write_all(&[7; 100_000]).unwrap();
            if sync {
                file.sync_all().unwrap();
                File::open(image.mounted()).unwrap().sync_all().unwrap();
            }
        };
        write("synced", true);
        write("written", false);
        image.cut_power().unwrap();
        let late = File::create(image.mounted().join("late"));
        assert!(late.is_err(), "nothing is written after the cut");
        image.restore_power().unwrap();
        let length = |name: &str| std::fs::metadata(image.mounted().join(name)).map(|it| it.len());
        assert_eq!(length("synced").unwrap(), 100_000);
        assert_eq!(length("written").unwrap_or(0), 0);
    }

    #[test]
    fn a_disk_fills_up_and_has_room_again() {
        let run = Run::begin().unwrap();
        let image = match Image::make(run.folder(), "n", 64) {
            Ok(image) => image,
            Err(why) => return skipped(&why),
        };
        let write = || std::fs::write(image.mounted().join("file"), vec![7; 1 << 20]);
        assert!(image.free().unwrap() > 32 << 20);
        image.fill().unwrap();
        assert!(image.free().unwrap() < 1 << 20);
        let error = write().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        image.make_room().unwrap();
        write().unwrap();
    }
}
