//! Failing and slow syncs in any build: strace stands between a process and the kernel.
//!
//! It stops every thread at every call, so the process is slower in all that it does. Where a build
//! has failpoints they are better; this shows that the build which is shipped does the same.

use super::DiskError;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What happens to the syncs of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The kernel says EIO, and nothing was synced.
    Fail,
    /// Each takes this much longer.
    Slow(Duration),
}

/// A process whose syncs are in trouble until this is dropped.
#[derive(Debug)]
pub struct Traced {
    strace: Child,
    told: PathBuf,
}

impl Traced {
    /// Begins; in effect when this returns. What strace saw is written below `folder`.
    pub fn begin(pid: u32, trouble: Trouble, folder: &Path) -> Result<Traced, DiskError> {
        let how = match trouble {
            Trouble::Fail => "error=EIO".to_owned(),
            Trouble::Slow(by) => format!("delay_enter={}", by.as_micros()),
        };
        let told = folder.join(format!("strace-{pid}"));
        let mut strace = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-e", "trace=fsync,fdatasync"])
            .args(["-e", &format!("inject=fsync,fdatasync:{how}"), "-o"])
            .arg(&told)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| DiskError::Tool(format!("strace: {why}")))?;
        let lines = strace.stderr.take().map(BufReader::new);
        let traced = Traced { strace, told };
        let mut last = String::new();
        for line in lines
            .into_iter()
            .flat_map(BufRead::lines)
            .map_while(Result::ok)
        {
            if line.contains("attached") {
                return Ok(traced);
            }
            last = line;
        }
        Err(DiskError::Tool(format!("strace: {last}")))
    }

    /// How many syncs were troubled so far.
    pub fn troubled(&self) -> usize {
        let told = fs::read_to_string(&self.told).unwrap_or_default();
        let injected = told.lines();
        injected
            .filter(|line| line.contains("(INJECTED)") || line.contains("(DELAYED)"))
            .count()
    }
}

impl Drop for Traced {
    /// Asked to end, strace lets the process go on; killed, it might not.
    fn drop(&mut self) {
        let pid = i32::try_from(self.strace.id()).ok().and_then(Pid::from_raw);
        let _ended_already = pid.map(|pid| kill_process(pid, Signal::TERM));
        let _reaped = self.strace.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::time::Instant;

    /// Names the file that the other process of this test writes to.
    const FILE: &str = "FLORIN_TEST_SYNC";

    /// Syncs until it fails.
    fn sync_for_ever(file: &str) -> ! {
        let mut file = fs::File::create(file).unwrap();
        loop {
            file.write_all(b"x").unwrap();
            if file.sync_data().is_err() {
                std::process::exit(7);
            }
            println!("synced");
        }
    }

    fn start(file: &Path) -> Child {
        let this = std::env::current_exe().unwrap();
        let name = "disks::traced::tests::syncs_fail_and_are_slow";
        Command::new(this)
            .args(["--exact", name, "--nocapture"])
            .env(FILE, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn syncs_fail_and_are_slow() {
        if let Ok(file) = std::env::var(FILE) {
            sync_for_ever(&file);
        }
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(&folder.path().join("file"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut synced = || {
            lines
                .by_ref()
                .map_while(Result::ok)
                .find(|line| line == "synced")
        };
        synced().unwrap();
        let slow = Trouble::Slow(Duration::from_millis(100));
        let traced = match Traced::begin(child.id(), slow, folder.path()) {
            Ok(traced) => traced,
            Err(why) => {
                let _nobody_listens = writeln!(std::io::stderr(), "strace: skipped: {why}");
                child.kill().unwrap();
                child.wait().unwrap();
                return;
            }
        };
        // What it had said before is read first.
        let began = Instant::now();
        while traced.troubled() < 3 {
            synced().unwrap();
        }
        assert!(began.elapsed() > Duration::from_millis(150));
        drop(traced);
        synced().expect("it goes on when it is let go");
        let traced = Traced::begin(child.id(), Trouble::Fail, folder.path()).unwrap();
        while synced().is_some() {}
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(7), None));
        assert!(traced.troubled() >= 1);
    }
}
