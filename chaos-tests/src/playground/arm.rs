//! The `arm` file of a process that was built to be broken: what it is to do at which of its
//! failpoints, read again whenever it changes.
//!
//! Several faults may want lines in it at the same time, so each has a topic of its own. The process
//! takes a line out of the file once it has carried it out for good; such a line stays out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The folder that a process looks into, by `FLORIN_FAULTS_DIR`.
#[derive(Debug)]
pub struct Arm {
    folder: PathBuf,
    topics: Mutex<BTreeMap<String, Vec<String>>>,
}

impl Arm {
    /// Makes the folder, with nothing armed.
    pub fn new(folder: &Path) -> io::Result<Arm> {
        fs::create_dir_all(folder)?;
        let arm = Arm {
            folder: folder.to_owned(),
            topics: Mutex::default(),
        };
        arm.write(&BTreeMap::new())?;
        Ok(arm)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts these lines in place of those that the topic had; none: takes them away.
    pub fn set(&self, topic: &str, lines: &[String]) -> io::Result<()> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let text = fs::read_to_string(self.folder.join("arm"))?;
        let open: Vec<&str> = text.lines().collect();
        for lines in topics.values_mut() {
            lines.retain(|line| open.contains(&line.as_str()));
        }
        match lines {
            [] => topics.remove(topic),
            _ => topics.insert(topic.to_owned(), lines.to_vec()),
        };
        self.write(&topics)
    }

    /// Takes away what every topic had.
    pub fn clear(&self) -> io::Result<()> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.clear();
        self.write(&topics)
    }

    /// Whether a process was there that follows this folder: only some builds do.
    pub fn is_followed(&self) -> bool {
        self.folder.join("hits").is_file()
    }

    /// Lines that the process did not understand, each with the reason.
    pub fn refused(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("refused")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What the process says of its failpoints: name, how often it was there, how often it acted.
    pub fn hits(&self) -> Vec<(String, u64, u64)> {
        let text = fs::read_to_string(self.folder.join("hits")).unwrap_or_default();
        let row = |line: &str| {
            let mut cells = line.split('\t');
            let name = cells.next()?.to_owned();
            Some((
                name,
                cells.next()?.parse().ok()?,
                cells.next()?.parse().ok()?,
            ))
        };
        text.lines().filter_map(row).collect()
    }

    /// By how many milliseconds the process says that its clock is ahead; nothing if it says nothing.
    pub fn clock_shift(&self) -> Option<i64> {
        let text = fs::read_to_string(self.folder.join("clock")).ok()?;
        text.trim().parse().ok()
    }

    /// In one step, so that a reader never sees half of it.
    fn write(&self, topics: &BTreeMap<String, Vec<String>>) -> io::Result<()> {
        let lines: Vec<&str> = topics.values().flatten().map(String::as_str).collect();
        let written = self.folder.join("arm.ours");
        fs::write(&written, lines.join("\n") + "\n")?;
        fs::rename(written, self.folder.join("arm"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let arm = Arm::new(folder.path()).unwrap();
        let file = || fs::read_to_string(folder.path().join("arm")).unwrap();
        arm.set("disk", &["disk.sync=delay(500)".into()]).unwrap();
        arm.set("crash", &["storage.log.sync=crash@3".into()])
            .unwrap();
        assert_eq!(file(), "storage.log.sync=crash@3\ndisk.sync=delay(500)\n");
        arm.set("disk", &[]).unwrap();
        assert_eq!(file(), "storage.log.sync=crash@3\n");
        // The process has crashed there, and says so.
        fs::write(folder.path().join("arm"), "").unwrap();
        arm.set("disk", &["disk.sync=error".into()]).unwrap();
        assert_eq!(file(), "disk.sync=error\n");
        arm.clear().unwrap();
        assert_eq!(file().trim(), "");
        assert!(!arm.is_followed());
        fs::write(folder.path().join("hits"), "disk.sync\t7\t2\nbroken\n").unwrap();
        assert_eq!(arm.hits(), [("disk.sync".to_owned(), 7, 2)]);
    }
}
