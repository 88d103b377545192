//! Wall clocks that jump, in any build: libfaketime is loaded before the program and reads by how
//! much the clock is wrong from a file. Clocks that measure how long something takes stay right.

use super::command::run;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where packages put the library, below these folders.
const LIBRARY: [&str; 3] = [
    "faketime/libfaketimeMT.so.1",
    "faketime/libfaketime.so.1",
    "libfaketimeMT.so.1",
];

/// The clock of one process.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
    library: PathBuf,
}

impl Clock {
    /// One that is right, told of in this file; an error says why there is none.
    pub fn new(file: PathBuf) -> Result<Clock, String> {
        let library = library().ok_or("libfaketime is not installed")?;
        let clock = Clock { file, library };
        clock
            .shift(0)
            .map_err(|why| format!("{}: {why}", clock.file.display()))?;
        Ok(clock)
    }

    /// Makes it wrong by so many seconds. The process notices within a second.
    pub fn shift(&self, seconds: i64) -> io::Result<()> {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        fs::rename(new, &self.file)
    }

    /// What the process is started with.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// Asks a program with a shifted clock for the time.
pub(crate) fn try_out() -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let clock = Clock::new(folder.path().join("clock"))?;
    clock.shift(-86_400).map_err(|why| why.to_string())?;
    let own = run("date", &["+%s"])?;
    let shifted = clock.environment();
    let pairs = shifted
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let mut words: Vec<String> = pairs.collect();
    words.extend(["date".into(), "+%s".into()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let wrong = run("env", &words)?;
    let number = |text: &str| text.trim().parse::<i64>().unwrap_or_default();
    let by = number(&wrong) - number(&own);
    if (-86_400..-86_000).contains(&by) {
        Ok(format!(
            "a clock went {by} s by {}",
            clock.library.display()
        ))
    } else {
        Err(format!(
            "{} moved a clock by {by} s, not by a day",
            clock.library.display()
        ))
    }
}

fn library() -> Option<PathBuf> {
    let roots = ["/usr/lib", "/usr/local/lib", "/lib"].map(Path::new);
    let inside = roots.iter().flat_map(|root| {
        let folders = fs::read_dir(root).into_iter().flatten().flatten();
        folders.map(|folder| folder.path())
    });
    let folders: Vec<PathBuf> = roots
        .map(Path::to_owned)
        .into_iter()
        .chain(inside)
        .collect();
    let mut found = LIBRARY
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.find(|file| file.is_file())
}
