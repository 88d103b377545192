//! Processes that end themselves at a failpoint, while they do what they seldom do: it is armed,
//! and then what leads there is brought about.

use super::disk::{disk, fired, replace};
use super::process::{all_ended, kill, start};
use super::{Doing, Fault, Injected, Scene};
use crate::fabric::Host;
use crate::fabric::dice::Dice;
use crate::limits::REACHED;
use crate::scenario::inject::Joint;
use anyhow::{Context, Result, bail};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The topic of the line that is armed.
const TOPIC: &str = "crash";
/// Reached whenever the log forgets what a checkpoint covers.
const PURGE: &str = "storage.log.purge";
/// How often counts are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A process that ends itself.
pub struct Crash {
    hosts: Vec<Host>,
    during: Joint,
    site: &'static str,
    /// A node that was taken down so that it needs a snapshot or is replaced.
    other: Option<Host>,
    replaced: bool,
}

/// The failpoints at which it may end: one is drawn.
fn sites(during: Joint) -> &'static [&'static str] {
    match during {
        Joint::SendingSnapshot => &[
            "raft.snapshot.send",
            "storage.snapshot.chunk",
            "raft.snapshot.sent",
        ],
        Joint::InstallingSnapshot => &[
            "raft.snapshot.part",
            "raft.snapshot.received",
            "storage.install.check",
            "storage.install.switch",
            "storage.install.switched",
            "raft.install.begin",
            "raft.install.end",
        ],
        Joint::Purging => &["raft.log.purge", PURGE],
        Joint::ChangingMembership => &[
            "raft.members.remove",
            "raft.members.learner",
            "raft.members.promote",
            "raft.members.changed",
        ],
    }
}

impl Crash {
    /// Of the one host that is meant.
    pub fn new(hosts: Vec<Host>, during: Joint, seed: u64) -> Crash {
        let sites = sites(during);
        let drawn = Dice::new(seed).below(sites.len() as u64) as usize;
        Crash {
            hosts,
            during,
            site: sites.get(drawn).copied().unwrap_or(PURGE),
            other: None,
            replaced: false,
        }
    }

    fn host(&self) -> Result<Host> {
        self.hosts.first().copied().context("nobody is meant")
    }

    fn arm(&self, scene: &Scene, lines: &[String]) -> Result<()> {
        for host in &self.hosts {
            scene.playground.arm(*host)?.set(TOPIC, lines)?;
        }
        Ok(())
    }

    /// A node beside the one that is meant.
    fn beside(&self, scene: &Scene) -> Result<Host> {
        let hosts = scene.playground.hosts();
        let mut nodes = hosts.into_iter().filter(|one| matches!(one, Host::Node(_)));
        let other = nodes.find(|one| !self.hosts.contains(one));
        other.context("there is no other node")
    }

    /// Keeps a node down until the others have purged what it lacks.
    async fn fall_behind(&self, scene: &Scene, host: Host) -> Result<()> {
        kill(scene, &[host]).await?;
        scene.note(format_args!(
            "{} stays down until it needs a snapshot",
            scene.name(host)
        ));
        let others = scene.playground.hosts();
        let others = others
            .into_iter()
            .filter(|one| matches!(one, Host::Node(_)) && *one != host);
        let others: Vec<Host> = others.collect();
        let count = |scene: &Scene| -> Result<Vec<u64>> {
            others.iter().map(|one| hits(scene, *one, PURGE)).collect()
        };
        sleep(scene.kept_in_log).await;
        let before = count(scene)?;
        let by = Instant::now() + REACHED;
        // Twice: the first purge may have been of what was old before.
        while count(scene)?
            .iter()
            .zip(&before)
            .any(|(now, then)| *now < then + 2)
        {
            if Instant::now() > by {
                bail!("the log was not purged within {REACHED:?}");
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn bring_about(&mut self, scene: &Scene) -> Result<()> {
        let order = format!("{}=crash@1", self.site);
        match self.during {
            Joint::Purging => self.arm(scene, &[order]),
            Joint::SendingSnapshot => {
                let other = self.beside(scene)?;
                self.other = Some(other);
                self.fall_behind(scene, other).await?;
                self.arm(scene, &[order])?;
                start(scene, &[other]).await
            }
            Joint::InstallingSnapshot => {
                let host = self.host()?;
                self.fall_behind(scene, host).await?;
                self.arm(scene, &[order])?;
                start(scene, &[host]).await
            }
            Joint::ChangingMembership => {
                let other = self.beside(scene)?;
                self.other = Some(other);
                kill(scene, &[other]).await?;
                disk(scene, other)?.wipe()?;
                self.arm(scene, &[order])?;
                self.replaced = true;
                Ok(())
            }
        }
    }
}

fn hits(scene: &Scene, host: Host, site: &str) -> Result<u64> {
    let all = scene.playground.arm(host)?.hits();
    let found = all.into_iter().find(|(name, _, _)| name == site);
    Ok(found.map_or(0, |(_, hits, _)| hits))
}

impl Fault for Crash {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let host = self.host()?;
            self.bring_about(scene).await?;
            let ended = scene.wait_for_end(host, REACHED);
            match self.other {
                // Whoever replaces the other node is interrupted by the crash, and goes on when it
                // is healed: replacing again goes on from there.
                Some(other) if self.replaced => tokio::select! {
                    ended = ended => drop(ended?),
                    back = replace(scene, other) => {
                        back?;
                        bail!("the node was brought back, and {} was not reached", self.site);
                    }
                },
                _ => drop(ended.await?),
            }
            Ok(Injected { began: scene.now() })
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let (host, site) = (self.host()?, self.site);
            if fired(scene, host, site)? == 0 {
                return Ok(None);
            }
            let ended = all_ended(scene, &self.hosts)?;
            Ok(ended.map(|said| format!("ended itself at {site}; {said}")))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            self.arm(scene, &[])?;
            start(scene, &self.hosts).await?;
            match self.other {
                Some(other) if self.replaced => replace(scene, other).await,
                _ => Ok(()),
            }
        })
    }
}
