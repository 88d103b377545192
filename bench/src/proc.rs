//! What processes take of the machine, as the kernel counts it.

use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How finely the kernel tells the time that a process took: part of its interface, the same on
/// all machines.
const TICK: Duration = Duration::from_millis(10);

/// What crossed a network interface, one way; loopback counts each byte once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

/// The time that all threads of a process ran, in the program and in the kernel.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let file = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&file).with_context(|| file.clone())?;
    ticks(&text)
        .map(|ticks| TICK * ticks)
        .with_context(|| format!("{file} is not understood"))
}

/// Resident memory of a process, in bytes.
pub fn resident(pid: u32) -> Result<u64> {
    let file = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&file).with_context(|| file.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib
        .and_then(|kib| kib.parse().ok())
        .with_context(|| format!("{file} is not understood"))?;
    Ok(kib * 1024)
}

/// What crossed the loopback interface so far.
pub fn loopback() -> Result<Traffic> {
    let file = "/proc/net/dev";
    let text = fs::read_to_string(file).context(file)?;
    received(&text, "lo").with_context(|| format!("{file} is not understood"))
}

/// What files under a folder take on the disk, in bytes. Files may come and go meanwhile.
pub fn on_disk(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let Ok(about) = entry.metadata() else {
            continue;
        };
        sum += match about.is_dir() {
            true => on_disk(&entry.path())?,
            false => about.blocks() * 512,
        };
    }
    Ok(sum)
}

/// User and system time. The program's name, in brackets, may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

fn received(text: &str, interface: &str) -> Option<Traffic> {
    let of = |line: &str| {
        let (name, counts) = line.split_once(':')?;
        (name.trim() == interface).then(|| counts.to_owned())
    };
    let counts = text.lines().find_map(of)?;
    let mut counts = counts.split_whitespace().map(str::parse::<u64>);
    Some(Traffic {
        bytes: counts.next()?.ok()?,
        packets: counts.next()?.ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_process_whatever_its_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 1 0 0 0 250 150 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks(stat), Some(400));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn this_process_is_measured() {
        let pid = std::process::id();
        let before = cpu_time(pid).unwrap();
        let mut sum = 0u64;
        while cpu_time(pid).unwrap() < before + TICK * 3 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(resident(pid).unwrap() > 1 << 20);
        loopback().unwrap();
    }

    #[test]
    fn interfaces() {
        let text = "Inter-| Receive\n face |bytes packets\n    lo: 1000  10 0\n  eth0:77 7 0\n";
        let traffic = |bytes, packets| Some(Traffic { bytes, packets });
        assert_eq!(received(text, "lo"), traffic(1000, 10));
        assert_eq!(received(text, "eth0"), traffic(77, 7));
        assert_eq!(received(text, "wlan0"), None);
    }
}
