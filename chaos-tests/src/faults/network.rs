//! Links that are cut, or late, lossy, doubling, disorderly or slow.

use super::wires::Wire;
use super::{Doing, Fault, Injected, Scene};
use crate::fabric::{Counters, Fabric, Host, Link};
use anyhow::{Context, Result};
use std::time::Duration;

/// Which count shows that it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Packets that were not handed on.
    Dropped,
    /// Packets that were late.
    Delayed,
    /// Packets that came twice.
    Duplicated,
    /// Packets that were overtaken.
    Reordered,
}

/// Links that are like this, until they are healed.
struct Links {
    wires: Vec<Wire>,
    link: Link,
    seen: Seen,
    /// What they had counted before.
    before: u64,
    number: Option<u64>,
}

impl Links {
    fn new(wires: Vec<Wire>, link: Link, seen: Seen) -> Links {
        Links {
            wires,
            link,
            seen,
            before: 0,
            number: None,
        }
    }

    fn impair(&mut self, scene: &Scene) -> Result<Injected> {
        let fabric = fabric(scene)?;
        self.before = self.count(fabric)?;
        let number = scene
            .wires
            .impair(fabric, &self.wires, self.link, "fault")?;
        self.number = Some(number);
        Ok(Injected { began: scene.now() })
    }

    fn mend(&mut self, scene: &Scene) -> Result<()> {
        match self.number.take() {
            Some(number) => scene.wires.mend(fabric(scene)?, number, "healed"),
            None => Ok(()),
        }
    }

    fn verify(&self, scene: &Scene) -> Result<Option<String>> {
        let more = self.count(fabric(scene)?)?.saturating_sub(self.before);
        let (links, link) = (self.wires.len(), self.link);
        let what = match self.seen {
            Seen::Dropped => "dropped",
            Seen::Delayed => "late",
            Seen::Duplicated => "sent twice",
            Seen::Reordered => "overtaken",
        };
        Ok((more > 0).then(|| format!("{links} links were {link}: {more} packets {what}")))
    }

    fn count(&self, fabric: &dyn Fabric) -> Result<u64> {
        let mut sum = 0;
        for (from, to) in &self.wires {
            let counters: Counters = fabric.counters(*from, *to)?;
            sum += match self.seen {
                Seen::Dropped => counters.dropped,
                Seen::Delayed => counters.delayed,
                Seen::Duplicated => counters.duplicated,
                Seen::Reordered => counters.reordered,
            };
        }
        Ok(sum)
    }
}

fn fabric(scene: &Scene) -> Result<&dyn Fabric> {
    scene
        .playground
        .fabric()
        .context("the cluster has no fabric that could be broken")
}

/// Links between these hosts and all others that are processes of the cluster.
fn between(scene: &Scene, hosts: &[Host], out: bool, inwards: bool) -> Vec<Wire> {
    let all = scene.playground.hosts();
    let others: Vec<Host> = all.into_iter().filter(|one| !hosts.contains(one)).collect();
    let mut wires = Vec::new();
    for host in hosts {
        for other in others.iter().filter(|other| linked(*host, **other)) {
            if out {
                wires.push((*host, *other));
            }
            if inwards {
                wires.push((*other, *host));
            }
        }
    }
    wires
}

/// Frontends do not talk to each other.
fn linked(one: Host, other: Host) -> bool {
    one != other && (matches!(one, Host::Node(_)) || matches!(other, Host::Node(_)))
}

/// Every link between processes of the cluster.
fn everywhere(scene: &Scene) -> Vec<Wire> {
    let all = scene.playground.hosts();
    let pairs = all
        .iter()
        .flat_map(|one| all.iter().map(|other| (*one, *other)));
    pairs.filter(|(one, other)| linked(*one, *other)).collect()
}

/// Nothing passes between some hosts and the others.
pub struct Cut {
    hosts: Vec<Host>,
    out: bool,
    inwards: bool,
    links: Option<Links>,
}

impl Cut {
    /// Either way.
    pub fn both_ways(hosts: Vec<Host>) -> Cut {
        Cut::ways(hosts, true, true)
    }

    /// They hear nobody.
    pub fn inwards(hosts: Vec<Host>) -> Cut {
        Cut::ways(hosts, false, true)
    }

    /// Nobody hears them.
    pub fn outwards(hosts: Vec<Host>) -> Cut {
        Cut::ways(hosts, true, false)
    }

    fn ways(hosts: Vec<Host>, out: bool, inwards: bool) -> Cut {
        Cut {
            hosts,
            out,
            inwards,
            links: None,
        }
    }
}

impl Fault for Cut {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let wires = between(scene, &self.hosts, self.out, self.inwards);
            let links = self
                .links
                .insert(Links::new(wires, Link::cut(), Seen::Dropped));
            links.impair(scene)
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            self.links
                .as_ref()
                .map_or(Ok(None), |links| links.verify(scene))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            self.links
                .as_mut()
                .map_or(Ok(()), |links| links.mend(scene))
        })
    }
}

/// Two halves that see each other only through one node.
pub struct Bridge {
    leader: Vec<Host>,
    links: Option<Links>,
}

impl Bridge {
    /// With this leader in a half.
    pub fn new(leader: Vec<Host>) -> Bridge {
        let links = None;
        Bridge { leader, links }
    }

    fn wires(&self, scene: &Scene) -> Vec<Wire> {
        let all = scene.playground.hosts();
        let nodes = all.into_iter().filter(|one| matches!(one, Host::Node(_)));
        let others: Vec<Host> = nodes.filter(|one| !self.leader.contains(one)).collect();
        // Of five nodes: the leader and one, the bridge, and two; of three: one, the bridge, one.
        let with_leader = others.len().saturating_sub(1) / 2;
        let mut here = self.leader.clone();
        here.extend(others.iter().take(with_leader));
        let there: Vec<Host> = others.into_iter().skip(with_leader + 1).collect();
        let pairs = here
            .iter()
            .flat_map(|one| there.iter().map(|other| (*one, *other)));
        pairs
            .flat_map(|(one, other)| [(one, other), (other, one)])
            .collect()
    }
}

impl Fault for Bridge {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let wires = self.wires(scene);
            let links = self
                .links
                .insert(Links::new(wires, Link::cut(), Seen::Dropped));
            links.impair(scene)
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            self.links
                .as_ref()
                .map_or(Ok(None), |links| links.verify(scene))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            self.links
                .as_mut()
                .map_or(Ok(()), |links| links.mend(scene))
        })
    }
}

/// Links that are like this: those of some hosts, or all of them if all nodes are meant.
pub struct Impaired {
    hosts: Vec<Host>,
    link: Link,
    seen: Seen,
    links: Option<Links>,
}

impl Impaired {
    /// Their links become like this one, which is seen by that count.
    pub fn new(hosts: Vec<Host>, link: Link, seen: Seen) -> Impaired {
        Impaired {
            hosts,
            link,
            seen,
            links: None,
        }
    }
}

impl Fault for Impaired {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let nodes = scene.playground.cluster().nodes().len();
            let wires = match self.hosts.len() >= nodes {
                true => everywhere(scene),
                false => between(scene, &self.hosts, true, true),
            };
            self.links
                .insert(Links::new(wires, self.link, self.seen))
                .impair(scene)
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            self.links
                .as_ref()
                .map_or(Ok(None), |links| links.verify(scene))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            self.links
                .as_mut()
                .map_or(Ok(()), |links| links.mend(scene))
        })
    }
}

/// Links that are cut and whole in turn. Whoever drives it calls [`Fault::verify_happened`] again
/// and again; the turns are taken there, by the clock.
pub struct Flapping {
    hosts: Vec<Host>,
    period: Duration,
    links: Option<Links>,
    began: u64,
    changes: u64,
}

impl Flapping {
    /// Cut for a period, whole for a period.
    pub fn new(hosts: Vec<Host>, period: Duration) -> Flapping {
        Flapping {
            hosts,
            period,
            links: None,
            began: 0,
            changes: 0,
        }
    }
}

impl Fault for Flapping {
    fn inject<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Injected> {
        Box::pin(async {
            let wires = between(scene, &self.hosts, true, true);
            let links = self
                .links
                .insert(Links::new(wires, Link::cut(), Seen::Dropped));
            let injected = links.impair(scene)?;
            (self.began, self.changes) = (injected.began, 1);
            Ok(injected)
        })
    }

    fn verify_happened<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, Option<String>> {
        Box::pin(async {
            let Some(links) = self.links.as_mut() else {
                return Ok(None);
            };
            let since = scene.now().saturating_sub(self.began);
            let turn = since / u64::try_from(self.period.as_micros())?.max(1);
            match (turn.is_multiple_of(2), links.number.is_some()) {
                (true, false) => {
                    let before = links.before;
                    links.impair(scene)?;
                    links.before = before;
                    self.changes += 1;
                }
                (false, true) => {
                    links.mend(scene)?;
                    self.changes += 1;
                }
                _ => (),
            }
            let seen = links.verify(scene)?;
            let changes = self.changes;
            Ok(seen
                .filter(|_| changes > 2)
                .map(|seen| format!("{changes} changes; {seen}")))
        })
    }

    fn heal<'a>(&'a mut self, scene: &'a Scene) -> Doing<'a, ()> {
        Box::pin(async {
            self.links
                .as_mut()
                .map_or(Ok(()), |links| links.mend(scene))
        })
    }
}
