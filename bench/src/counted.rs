//! A process of the cluster that counts what it allocates.
//!
//! The product counts nothing: its allocator is what it is. So the process is started as
//! `florin-bench counted SOCKET florin node …`: it runs what `florin node …` would run, the same code
//! in a process of its own, and only its allocator is wrapped by [`Counting`]. Who connects to the
//! socket is told how far the counters are. In all other processes the wrapper passes everything on.

mod allocator;

pub use allocator::Counting;

use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::thread;

/// The word that the arguments of such a process begin with.
pub const WORD: &str = "counted";

/// What was allocated since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// How often. A block that is made larger or smaller counts as allocated once more.
    pub times: u64,
    /// How much was asked for, in bytes.
    pub bytes: u64,
}

impl Allocated {
    /// What was allocated since an earlier moment.
    pub fn since(self, earlier: Allocated) -> Allocated {
        Allocated {
            times: self.times - earlier.times,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

/// Runs as such a process if these are its arguments; the first is the program's name.
pub fn run_if_asked(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let word = arguments.nth(1)?;
    if word != WORD {
        return None;
    }
    let socket = arguments.next()?;
    allocator::start();
    let ran = tell(Path::new(&socket)).and_then(|()| florin_node::commands::run(arguments));
    Some(ran.unwrap_or_else(|error| {
        eprintln!("florin-bench {WORD}: {error:#}");
        ExitCode::FAILURE
    }))
}

/// How a process is started so that it counts; what follows is what it runs.
pub fn launcher(socket: &Path) -> Result<Vec<String>> {
    let running = std::env::current_exe().context("cannot find the running program")?;
    let words = [running.as_path(), Path::new(WORD), socket];
    Ok(words.map(|word| word.display().to_string()).into())
}

/// How far the counters of the process with this socket are.
pub fn read(socket: &Path) -> Result<Allocated> {
    let named = || format!("no counters at {}", socket.display());
    let mut told = String::new();
    let mut stream = UnixStream::connect(socket).with_context(named)?;
    stream.read_to_string(&mut told).with_context(named)?;
    let mut counts = told.split_whitespace().map(str::parse);
    match (counts.next(), counts.next()) {
        (Some(Ok(times)), Some(Ok(bytes))) => Ok(Allocated { times, bytes }),
        _ => anyhow::bail!("{told:?} are no counters"),
    }
}

/// Tells whoever connects, until the process ends.
fn tell(socket: &Path) -> Result<()> {
    // An earlier life of the process may have left it behind.
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket)
        .with_context(|| format!("cannot listen at {}", socket.display()))?;
    let tell = move || {
        for stream in listener.incoming().flatten() {
            let Allocated { times, bytes } = allocator::allocated();
            // Who asked and did not wait does not need it.
            let _ = write!(&stream, "{times} {bytes}");
        }
    };
    thread::Builder::new().name("counters".into()).spawn(tell)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_arguments_are_for_others() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for line in ["florin-bench", "florin-bench pay", "florin-bench counted"] {
            assert!(run_if_asked(words(line).into_iter()).is_none(), "{line}");
        }
    }

    #[test]
    fn counters_are_told_to_whoever_connects() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("counters");
        assert!(read(&socket).is_err());
        tell(&socket).unwrap();
        let first = read(&socket).unwrap();
        // Another test may have counted meanwhile, but nothing runs backwards.
        let second = read(&socket).unwrap();
        assert!(second.times >= first.times && second.bytes >= first.bytes);
    }
}
