//! Trying out what the machine can do. What was seen, either way, is one sentence.

use super::Need;
use crate::disks::{self, Disk, Disks};
use crate::fabric::Host;
use crate::fabric::tun::TunFabric;
use crate::limits::{CORES, ROOM};
use crate::playground::arm::Arm;
use crate::playground::clock;
use crate::playground::command::run;
use crate::playground::run::Run;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

type Seen = Result<String, String>;

/// Tries one thing out.
pub(super) fn attempt(need: Need) -> Seen {
    match need {
        Need::Root => root(),
        Need::Packets => packets(),
        Need::Streams => streams(),
        Need::LoopDisks => loop_disks(),
        Need::PowerCuts => power_cuts(),
        Need::Strace => strace(),
        Need::Faketime => clock::try_out(),
        Need::Failpoints => failpoints(),
        Need::Room => room(),
        Need::Cores => cores(),
    }
}

fn root() -> Seen {
    let user = rustix::process::geteuid();
    if user.is_root() {
        Ok("the effective user is root".into())
    } else {
        Err(format!("the effective user is {}", user.as_raw()))
    }
}

/// Connects a host and the client, as a playground does.
fn packets() -> Seen {
    let run = begin()?;
    let made = TunFabric::make(run.name(), &[Host::Node(1), Host::Client], 1);
    made.map(|_| "a namespace with a TUN device was made".into())
        .map_err(|why| format!("{why:#}"))
}

fn streams() -> Seen {
    let opened = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    opened
        .map(|_| "a port of the loopback was opened".into())
        .map_err(|why| format!("no port of the loopback can be opened: {why}"))
}

fn loop_disks() -> Seen {
    let run = begin()?;
    let disk = small_disk(&run)?;
    let free = disk.free().map_err(|why| why.to_string())?;
    Ok(format!(
        "an ext4 image was mounted, with {} MiB free",
        free >> 20
    ))
}

fn power_cuts() -> Seen {
    let run = begin()?;
    let disk = small_disk(&run)?;
    let cut = disk.cut_power().and_then(|()| disk.restore_power());
    cut.map(|()| "an ext4 image lost its power and came back".into())
        .map_err(|why| why.to_string())
}

fn strace() -> Seen {
    run("strace", &["-e", "trace=none", "true"])?;
    let version = run("strace", &["-V"])?;
    Ok(version.lines().next().unwrap_or_default().to_owned())
}

fn failpoints() -> Seen {
    if cfg!(feature = "faults") {
        Ok("this florin-chaos is built with them; the florin beside it should be too".into())
    } else {
        Err("this florin-chaos is built without them".into())
    }
}

fn room() -> Seen {
    let folder = std::env::temp_dir();
    let free = disks::free_below(&folder).map_err(|why| why.to_string())?;
    let said = format!("{} GiB free in {}", free >> 30, folder.display());
    if free >= ROOM { Ok(said) } else { Err(said) }
}

fn cores() -> Seen {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let said = format!("{cores}");
    if cores >= CORES { Ok(said) } else { Err(said) }
}

fn begin() -> Result<Run, String> {
    Run::begin().map_err(|why| format!("{why:#}"))
}

fn small_disk(run: &Run) -> Result<Disk, String> {
    let arm = Arm::new(&run.folder().join("faults")).map_err(|why| why.to_string())?;
    let data = run.folder().join("data");
    Disk::make(Disks::Small, data, run.folder(), "doctor", Arc::new(arm))
        .map_err(|why| why.to_string())
}
