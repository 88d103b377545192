//! What can be done to a running cluster, one small type for each kind of fault.
//!
//! A [`Fault`] is injected, seen from outside to have happened, and healed. A new one is a type of
//! its own in the file of its family, a name in [`crate::scenario::Inject`] and a line in [`make`].
//!
//! [`Scene`] is what they act on. [`process`] ends and stops processes, [`network`] breaks links,
//! [`disk`] and [`damage`] break disks and what lies on them, [`clock`] lies about the time,
//! [`crash`] ends processes at failpoints, [`surge`] asks for more than can be served.

pub mod clock;
pub mod crash;
pub mod damage;
pub mod disk;
pub mod network;
pub mod process;
pub mod scene;
pub mod surge;
pub mod whom;
pub mod wires;

pub use scene::Scene;

use crate::disks::damage::{How, Part};
use crate::fabric::{Host, Link};
use crate::scenario::Inject;
use crate::scenario::inject::{Files, Way};
use anyhow::Result;
use std::pin::Pin;
use std::time::Duration;

/// Something that is being done, by the task that drives all faults.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// One fault. The same value is injected and healed once.
pub trait Fault {
    /// Does it; answers when it was certainly in effect.
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected>;

    /// How it is seen from outside to be in effect; nothing: it is not seen yet. Asked again and
    /// again while it lasts.
    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>>;

    /// Ends it. What it takes the cluster to recover is not waited for.
    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()>;
}

/// A fault that is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// Since when, by the clock of the history.
    pub began: u64,
}

/// Whether it starts, stops or stops for a while processes: two such faults cannot be done to one
/// process at the same time.
pub fn takes_processes(inject: &Inject) -> bool {
    !inject.needs_network()
        && !matches!(
            inject,
            Inject::SlowDisk { .. }
                | Inject::ClockJump { .. }
                | Inject::Overload { .. }
                | Inject::HotAccount { .. }
        )
}

/// The fault that does this to these hosts; what is left to chance is drawn from the seed.
pub fn make(inject: &Inject, hosts: Vec<Host>, seed: u64) -> Box<dyn Fault> {
    let ms = Duration::from_millis;
    let part = |percent: f64| percent / 100.0;
    let log = |how| damage::Damaging::new(hosts.clone(), Part::Log, how, seed);
    match inject {
        Inject::Kill {} => Box::new(process::Kill::new(hosts)),
        Inject::Pause {} => Box::new(process::Pause::new(hosts)),
        Inject::Restart {} => Box::new(process::Restart::new(hosts)),
        Inject::Cut {} => Box::new(network::Cut::both_ways(hosts)),
        Inject::CutOneWay { way: Way::In } => Box::new(network::Cut::inwards(hosts)),
        Inject::CutOneWay { way: Way::Out } => Box::new(network::Cut::outwards(hosts)),
        Inject::Bridge {} => Box::new(network::Bridge::new(hosts)),
        Inject::Flapping { period_ms } => Box::new(network::Flapping::new(hosts, ms(*period_ms))),
        Inject::Delay {
            ms: delay,
            jitter_ms,
        } => {
            let mut link = Link::delayed(ms(*delay));
            link.jitter = ms(*jitter_ms);
            Box::new(network::Impaired::new(hosts, link, network::Seen::Delayed))
        }
        Inject::Loss { percent } => {
            let loss = part(*percent);
            let link = Link {
                loss,
                ..Link::default()
            };
            Box::new(network::Impaired::new(hosts, link, network::Seen::Dropped))
        }
        Inject::Reorder { percent } => {
            let reorder = part(*percent);
            let link = Link {
                reorder,
                ..Link::default()
            };
            Box::new(network::Impaired::new(
                hosts,
                link,
                network::Seen::Reordered,
            ))
        }
        Inject::Duplicate { percent } => {
            let duplicate = part(*percent);
            let link = Link {
                duplicate,
                ..Link::default()
            };
            Box::new(network::Impaired::new(
                hosts,
                link,
                network::Seen::Duplicated,
            ))
        }
        Inject::Throttle { kib_per_second } => {
            let bytes_per_second = Some(kib_per_second << 10);
            let link = Link {
                bytes_per_second,
                ..Link::default()
            };
            Box::new(network::Impaired::new(hosts, link, network::Seen::Delayed))
        }
        Inject::SlowDisk { ms: delay } => Box::new(disk::Slow::new(hosts, ms(*delay))),
        Inject::FsyncError {} => Box::new(disk::Failing::sync(hosts)),
        Inject::WriteError {} => Box::new(disk::Failing::write(hosts)),
        Inject::DiskFull {} => Box::new(disk::Full::new(hosts)),
        Inject::PowerCut {} => Box::new(disk::PowerCut::new(hosts)),
        Inject::BitFlips {
            bits,
            part: Files::Log,
        } => Box::new(log(How::Flip(*bits))),
        Inject::BitFlips {
            bits,
            part: Files::Store,
        } => {
            let how = How::Flip(*bits);
            Box::new(damage::Damaging::new(hosts, Part::Store, how, seed))
        }
        Inject::TruncatedLog {} => Box::new(log(How::Truncate)),
        Inject::TornLog {} => Box::new(log(How::Tear)),
        Inject::LostWrite {} => Box::new(log(How::Zero)),
        Inject::DiskWiped {} => Box::new(disk::Wiped::new(hosts)),
        Inject::ClockJump { seconds } => Box::new(clock::Jump::new(hosts, *seconds)),
        Inject::Crash { during } => Box::new(crash::Crash::new(hosts, *during, seed)),
        Inject::Overload { sessions } => Box::new(surge::Surge::many(*sessions, seed)),
        Inject::HotAccount { sessions } => Box::new(surge::Surge::hot(*sessions, seed)),
    }
}
