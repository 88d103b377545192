//! A run's name and folder, by which everything that it leaves on the machine can be told apart,
//! and swept by a later run if this one was killed.
//!
//! The name is `florin-<pid>-<start of that process>-<number>`. Network namespaces begin with it,
//! file systems are mounted below its folder. A process number alone would not do: it is given
//! again to others.

use super::command::run;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable of every process of a run, which holds the run's name: one that stands still does
/// not notice the end of its parent.
pub const RUN: &str = "FLORIN_CHAOS_RUN";
/// What every name begins with.
const PREFIX: &str = "florin-";
/// Where `ip netns` keeps the namespaces.
pub const NAMESPACES: &str = "/run/netns";

/// A run of this process. Dropping it takes its folder away.
#[derive(Debug)]
pub struct Run {
    name: String,
    folder: PathBuf,
}

impl Run {
    /// Begins one, and sweeps what dead ones left.
    pub fn begin() -> Result<Run> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let pid = std::process::id();
        let start = start_of(pid).context("this process is not in /proc")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{pid}-{start}-{number}");
        let folder = folders().join(&name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Run { name, folder })
    }

    /// What its namespaces' names begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its disks lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        clear(&self.folder);
    }
}

/// Takes away what runs left whose processes are gone. What cannot be taken away stays for the
/// next sweep; without root there is nothing but folders.
pub fn sweep() {
    for pid in names_in(Path::new("/proc")) {
        if run_of(&pid).is_some_and(|run| is_dead(&run)) {
            let pid = pid.parse().ok().and_then(Pid::from_raw);
            let _gone_already = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
    for namespace in names_in(Path::new(NAMESPACES)) {
        if is_dead(&namespace) {
            let _stays_for_the_next_sweep = run("ip", &["netns", "del", &namespace]);
        }
    }
    for name in names_in(&folders()) {
        if is_dead(&name) {
            clear(&folders().join(name));
        }
    }
}

/// Unmounts what is mounted below a folder, frees the loop devices whose images lie there, and
/// takes the folder away.
fn clear(folder: &Path) {
    let below = |path: &str| Path::new(path).starts_with(folder);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| below(point)) {
        let _stays_for_the_next_sweep = run("umount", &[point]);
    }
    for (device, image) in loop_devices() {
        if below(&image) {
            let _stays_for_the_next_sweep = run("losetup", &["-d", &device]);
        }
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            eprintln!("{} stays: {error}", folder.display());
        }
        _ => {}
    }
}

/// Loop devices and the files behind them.
fn loop_devices() -> Vec<(String, String)> {
    let listed = run("losetup", &["-n", "-l", "-O", "NAME,BACK-FILE"]).unwrap_or_default();
    let pair = |line: &str| {
        let (device, image) = line.trim().split_once(char::is_whitespace)?;
        Some((device.to_owned(), image.trim().to_owned()))
    };
    listed.lines().filter_map(pair).collect()
}

/// Whether a name is one of ours whose process is gone.
fn is_dead(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let mut parts = rest.split('-').map(str::parse::<u64>);
    match (parts.next(), parts.next()) {
        (Some(Ok(pid)), Some(Ok(start))) => {
            u32::try_from(pid).is_ok_and(|pid| start_of(pid) != Some(start))
        }
        _ => false,
    }
}

/// The run that a process belongs to, if it does; nothing too if it is another user's.
fn run_of(pid: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables = environment.split(|byte| *byte == 0);
    let mut values =
        variables.filter_map(|one| one.strip_prefix(RUN.as_bytes())?.strip_prefix(b"="));
    String::from_utf8(values.next()?.to_vec()).ok()
}

/// When a process began, in ticks since the machine did; nothing if there is none, or if all that
/// is left of it is what its parent may ask for.
fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(start)
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Where the folders of all runs of this user lie.
fn folders() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("florin-chaos-{user}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    #[test]
    fn processes_of_the_dead_are_ended_though_they_stand_still() {
        let start = |run: &str| {
            let mut sleep = std::process::Command::new("sleep");
            sleep.arg("600").env(RUN, run).spawn().unwrap()
        };
        let own = Run::begin().unwrap();
        let (mut living, mut left) = (start(own.name()), start("florin-4294967295-1-0"));
        let pid = Pid::from_raw(left.id() as i32).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        sweep();
        assert!(!left.wait().unwrap().success());
        assert!(living.try_wait().unwrap().is_none());
        living.kill().unwrap();
        living.wait().unwrap();
    }

    #[test]
    fn only_the_dead_are_swept() {
        let own = Run::begin().unwrap();
        let pid = std::process::id();
        let start = start_of(pid).unwrap();
        let rows = [
            (own.name().to_owned(), false),
            (format!("florin-{pid}-{start}-7-n1"), false),
            // The number was given again: this process began at another time.
            (format!("florin-{pid}-{}-0", start + 1), true),
            ("florin-4294967295-1-0-n1".to_owned(), true),
            ("florin-payments".to_owned(), false),
            ("other-1-1-0".to_owned(), false),
        ];
        for (name, dead) in rows {
            assert_eq!(is_dead(&name), dead, "{name}");
        }
        let left = folders().join("florin-4294967295-1-0");
        fs::create_dir_all(left.join("disks")).unwrap();
        sweep();
        assert!(!left.exists());
        // One that has ended and was not asked how.
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&ended);
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )
        .unwrap();
        assert_eq!(start_of(ended.id()), None);
        ended.wait().unwrap();
        let folder = own.folder().to_owned();
        assert!(folder.is_dir());
        drop(own);
        assert!(!folder.exists());
    }
}
