//! Disks that are slow, fail, are full, lose power, or are empty.

use super::process::{all_ended, kill, start};
use super::{Doing, Fault, Injected, Scene};
use crate::disks::Disk;
use crate::fabric::Host;
use crate::limits::{ENDS, REPLACED};
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// The failpoint that every sync of a log passes.
const SYNC: &str = "disk.sync";
/// The failpoint that every write of a log passes.
const WRITE: &str = "disk.write";
/// What the system says of a disk that fails.
const FAILED: &str = "Input/output error";
/// The topic of the lines that are armed here.
const TOPIC: &str = "failing-disk";

/// A node's disk.
pub(super) fn disk(scene: &Scene, host: Host) -> Result<&Disk> {
    match host {
        Host::Node(id) => scene.playground.disk(id),
        _ => bail!("{host} has no disk"),
    }
}

/// How often a failpoint of a process did what it was armed with.
pub(super) fn fired(scene: &Scene, host: Host, site: &str) -> Result<u64> {
    let hits = scene.playground.arm(host)?.hits();
    let found = hits.into_iter().find(|(name, _, _)| name == site);
    Ok(found.map_or(0, |(_, _, fired)| fired))
}

/// Every sync takes longer.
pub struct Slow {
    hosts: Vec<Host>,
    by: Duration,
    before: u64,
}

impl Slow {
    /// On these nodes.
    pub fn new(hosts: Vec<Host>, by: Duration) -> Slow {
        let before = 0;
        Slow { hosts, by, before }
    }

    fn fired(&self, scene: &Scene) -> Result<u64> {
        let each = self.hosts.iter().map(|host| fired(scene, *host, SYNC));
        each.sum()
    }
}

impl Fault for Slow {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            self.before = self.fired(scene)?;
            let began = scene.now();
            for host in &self.hosts {
                disk(scene, *host)?.slow(self.by)?;
            }
            Ok(Injected { began })
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let more = self.fired(scene)?.saturating_sub(self.before);
            let said = format!("{more} syncs took {:?} longer", self.by);
            Ok((more > 0).then_some(said))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            for host in &self.hosts {
                disk(scene, *host)?.heal()?;
            }
            Ok(())
        })
    }
}

/// A sync or a write fails, and the process ends itself for it.
pub struct Failing {
    hosts: Vec<Host>,
    site: &'static str,
    /// How much the processes had printed before.
    printed: Vec<usize>,
}

impl Failing {
    /// The next sync.
    pub fn sync(hosts: Vec<Host>) -> Failing {
        Failing::at(hosts, SYNC)
    }

    /// The next write.
    pub fn write(hosts: Vec<Host>) -> Failing {
        Failing::at(hosts, WRITE)
    }

    fn at(hosts: Vec<Host>, site: &'static str) -> Failing {
        Failing {
            hosts,
            site,
            printed: Vec::new(),
        }
    }

    fn arm(&self, scene: &Scene, lines: &[String]) -> Result<()> {
        for host in &self.hosts {
            scene.playground.arm(*host)?.set(TOPIC, lines)?;
        }
        Ok(())
    }
}

impl Fault for Failing {
    /// In effect once the processes have ended: a node that goes on after a failed sync would lie.
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let printed = self.hosts.iter().map(|host| scene.printed(*host).len());
            self.printed = printed.collect();
            let mut began = scene.now();
            self.arm(scene, &[format!("{}=error@1", self.site)])?;
            for host in &self.hosts {
                scene.wait_for_end(*host, ENDS).await?;
                began = began.max(scene.now());
            }
            self.arm(scene, &[])?;
            Ok(Injected { began })
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let Some(ended) = all_ended(scene, &self.hosts)? else {
                return Ok(None);
            };
            let mut words = Vec::new();
            for (host, before) in self.hosts.iter().zip(&self.printed) {
                let printed = scene.printed(*host);
                let new = printed.get(*before..).unwrap_or_default();
                // The words are the system's, as they are for a disk that really fails.
                let Some(line) = new.lines().find(|line| line.contains(FAILED)) else {
                    return Ok(None);
                };
                words.push(line.trim().to_owned());
            }
            Ok(Some(format!("{ended}; it said: {}", words.join("; "))))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            self.arm(scene, &[])?;
            start(scene, &self.hosts).await
        })
    }
}

/// No room is left.
pub struct Full {
    hosts: Vec<Host>,
}

impl Full {
    /// On these nodes.
    pub fn new(hosts: Vec<Host>) -> Full {
        Full { hosts }
    }
}

impl Fault for Full {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let began = scene.now();
            for host in &self.hosts {
                disk(scene, *host)?.fill()?;
            }
            Ok(Injected { began })
        })
    }

    /// The file system itself says how little is left.
    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let mut said = Vec::new();
            for host in &self.hosts {
                let free = disk(scene, *host)?.free()?;
                if free > ROOM {
                    return Ok(None);
                }
                said.push(format!("{} has {} KiB left", scene.name(*host), free >> 10));
            }
            Ok(Some(said.join("; ")))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            for host in &self.hosts {
                disk(scene, *host)?.make_room()?;
            }
            // A node may have ended rather than guess; its operator starts it again.
            start(scene, &self.hosts).await
        })
    }
}

/// Less than this is a full disk: no log file fits.
const ROOM: u64 = 4 << 20;

/// The machine loses power.
pub struct PowerCut {
    hosts: Vec<Host>,
    lost: Vec<String>,
}

impl PowerCut {
    /// All these at the same time.
    pub fn new(hosts: Vec<Host>) -> PowerCut {
        let lost = Vec::new();
        PowerCut { hosts, lost }
    }
}

impl Fault for PowerCut {
    /// First the disks, so that nothing that processes still do can reach them.
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let began = scene.now();
            for host in &self.hosts {
                disk(scene, *host)?.cut_power()?;
                self.lost
                    .push(format!("the disk of {} was shut down", scene.name(*host)));
            }
            kill(scene, &self.hosts).await?;
            Ok(Injected { began })
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let ended = all_ended(scene, &self.hosts)?;
            Ok(ended.map(|ended| format!("{}; {ended}", self.lost.join("; "))))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            for host in &self.hosts {
                disk(scene, *host)?.restore_power()?;
            }
            start(scene, &self.hosts).await
        })
    }
}

/// The disk is empty.
pub struct Wiped {
    hosts: Vec<Host>,
}

impl Wiped {
    /// One node, or nodes whose copies are not all there are.
    pub fn new(hosts: Vec<Host>) -> Wiped {
        Wiped { hosts }
    }
}

/// Takes a node's former self out of its groups, starts it with an empty disk, and waits until it
/// votes again: what `florin replace` does.
pub(super) async fn replace(scene: &Scene, host: Host) -> Result<()> {
    let Host::Node(id) = host else {
        bail!("{host} is no node")
    };
    let back = scene.playground.bring_back(id, REPLACED).await;
    let back = back.with_context(|| format!("{} was not brought back", scene.name(host)))?;
    scene.note(format_args!("{} is back: {back:?}", scene.name(host)));
    Ok(())
}

impl Fault for Wiped {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let injected = kill(scene, &self.hosts).await?;
            for host in &self.hosts {
                disk(scene, *host)?.wipe()?;
            }
            Ok(injected)
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            for host in &self.hosts {
                let folder = disk(scene, *host)?.data_dir();
                let left = std::fs::read_dir(folder).map_or(0, Iterator::count);
                if left > 0 {
                    return Ok(None);
                }
            }
            let ended = all_ended(scene, &self.hosts)?;
            Ok(ended.map(|said| format!("{said}; its data folder is empty")))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            for host in &self.hosts {
                replace(scene, *host).await?;
            }
            Ok(())
        })
    }
}
