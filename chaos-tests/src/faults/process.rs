//! Processes that die, stand still, or are started again in order.

use super::scene::ending;
use super::{Doing, Fault, Injected, Scene};
use crate::fabric::Host;
use anyhow::{Context, Result, bail};
use florin_node::cluster::process::State;
use futures_util::future::try_join_all;
use std::fs;

/// SIGKILL.
pub struct Kill {
    hosts: Vec<Host>,
}

/// SIGSTOP and SIGCONT.
pub struct Pause {
    hosts: Vec<Host>,
}

/// SIGTERM, and started again.
pub struct Restart {
    hosts: Vec<Host>,
    ended: Vec<String>,
}

impl Kill {
    /// Of all these at the same time.
    pub fn new(hosts: Vec<Host>) -> Kill {
        Kill { hosts }
    }
}

impl Pause {
    /// Of all these at the same time.
    pub fn new(hosts: Vec<Host>) -> Pause {
        Pause { hosts }
    }
}

impl Restart {
    /// Of all these at the same time.
    pub fn new(hosts: Vec<Host>) -> Restart {
        let ended = Vec::new();
        Restart { hosts, ended }
    }
}

/// Kills them at the same time; answers when the first was dead.
pub(super) async fn kill(scene: &Scene, hosts: &[Host]) -> Result<Injected> {
    let kills = hosts.iter().map(|host| scene.playground.kill(*host));
    let began = scene.now();
    try_join_all(kills).await?;
    Ok(Injected { began })
}

/// How they ended, if all of them have.
pub(super) fn all_ended(scene: &Scene, hosts: &[Host]) -> Result<Option<String>> {
    let mut said = Vec::new();
    for host in hosts {
        match scene.state(*host)? {
            State::Running { .. } => return Ok(None),
            ended @ State::Ended { .. } => said.push(ending(&scene.name(*host), ended)),
        }
    }
    Ok(Some(said.join("; ")))
}

/// Starts what does not run.
pub(super) async fn start(scene: &Scene, hosts: &[Host]) -> Result<()> {
    for host in hosts {
        scene.playground.start_again(*host).await?;
    }
    Ok(())
}

impl Fault for Kill {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(kill(scene, &self.hosts))
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async { all_ended(scene, &self.hosts) })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(start(scene, &self.hosts))
    }
}

impl Fault for Pause {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            for host in &self.hosts {
                scene.playground.pause(*host)?;
            }
            Ok(Injected { began: scene.now() })
        })
    }

    /// The kernel says that it is stopped.
    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let mut said = Vec::new();
            for host in &self.hosts {
                let State::Running { pid } = scene.state(*host)? else {
                    bail!("{} ended while it was stopped", scene.name(*host));
                };
                if standing(pid)? != 'T' {
                    return Ok(None);
                }
                said.push(format!("{} (process {pid}) is stopped", scene.name(*host)));
            }
            Ok(Some(said.join("; ")))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            for host in &self.hosts {
                scene.playground.resume(*host)?;
            }
            Ok(())
        })
    }
}

/// The state of a process as the kernel names it, such as `S` or `T`.
fn standing(pid: u32) -> Result<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name stands in parentheses and may hold anything.
    let after = stat.rsplit_once(") ").context("not a line of /proc")?.1;
    after.chars().next().context("a line of /proc that ends")
}

impl Fault for Restart {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let began = scene.now();
            for host in &self.hosts {
                let name = scene.name(*host);
                let status = scene.playground.terminate(*host).await?;
                let status = status.with_context(|| format!("{name} did not run"))?;
                if !status.success() {
                    bail!("{name} was told to end, and ended with {status}");
                }
                self.ended.push(format!("{name} ended: {status}"));
            }
            Ok(Injected { began })
        })
    }

    fn verify_happened<'a>(&'a mut self, _scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async { Ok(Some(self.ended.join("; "))) })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(start(scene, &self.hosts))
    }
}
