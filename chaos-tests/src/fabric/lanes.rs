//! All links of a fabric: every host to every other one.

use super::FabricError;
use super::dice::Dice;
use super::lane::{Fate, Lane};
use super::link::{Change, Counters, Host, Link};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The links, and what was changed about them.
#[derive(Debug)]
pub struct Lanes {
    hosts: Vec<Host>,
    began: Instant,
    inside: Mutex<Inside>,
}

/// What a lock is held for.
#[derive(Debug)]
pub struct Inside {
    /// The link from one host to another is at `from * hosts + to`.
    lanes: Vec<Lane>,
    hosts: usize,
    changes: Vec<Change>,
}

impl Lanes {
    /// Perfect links between all of them, each with dice of its own.
    pub fn new(hosts: &[Host], seed: u64) -> Lanes {
        let count = hosts.len();
        let dice = |at: usize| Dice::apart(seed, at as u64);
        Lanes {
            hosts: hosts.to_vec(),
            began: Instant::now(),
            inside: Mutex::new(Inside {
                lanes: (0..count * count).map(|at| Lane::new(dice(at))).collect(),
                hosts: count,
                changes: Vec::new(),
            }),
        }
    }

    /// Who is connected.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Since the links were made: the clock by which they decide.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The place of a host.
    pub fn index(&self, host: Host) -> Option<usize> {
        self.hosts.iter().position(|one| *one == host)
    }

    /// The links, to decide about packets.
    pub fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`super::Fabric::set`].
    pub fn set(&self, from: Host, to: Host, link: Link, why: &str) -> Result<(), FabricError> {
        link.check()?;
        let (at, after) = (SystemTime::now(), self.now());
        let lane = self.lane(from, to)?;
        let mut inside = self.lock();
        if let Some(lane) = inside.lanes.get_mut(lane) {
            lane.set(link);
        }
        inside.changes.push(Change {
            at,
            after,
            from,
            to,
            link,
            why: why.to_owned(),
        });
        Ok(())
    }

    /// As [`super::Fabric::link`].
    pub fn link(&self, from: Host, to: Host) -> Result<Link, FabricError> {
        let lane = self.lane(from, to)?;
        Ok(self
            .lock()
            .lanes
            .get(lane)
            .map(Lane::link)
            .unwrap_or_default())
    }

    /// As [`super::Fabric::counters`].
    pub fn counters(&self, from: Host, to: Host) -> Result<Counters, FabricError> {
        let lane = self.lane(from, to)?;
        let inside = self.lock();
        Ok(inside
            .lanes
            .get(lane)
            .map(Lane::counters)
            .unwrap_or_default())
    }

    /// As [`super::Fabric::changes`].
    pub fn changes(&self) -> Vec<Change> {
        self.lock().changes.clone()
    }

    fn lane(&self, from: Host, to: Host) -> Result<usize, FabricError> {
        match (self.index(from), self.index(to)) {
            (Some(one), Some(other)) if one != other => Ok(one * self.hosts.len() + other),
            _ => Err(FabricError::NoLink { from, to }),
        }
    }
}

impl Inside {
    /// Decides about a packet, by the places of its hosts.
    pub fn offer(&mut self, from: usize, to: usize, now: Duration, bytes: usize) -> Fate {
        let lane = self.lanes.get_mut(from * self.hosts + to);
        lane.map(|lane| lane.offer(now, bytes)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Host = Host::Node(1);
    const B: Host = Host::Frontend(0);

    #[test]
    fn links_are_directed_and_changes_are_written_down() {
        let lanes = Lanes::new(&[A, B, Host::Client], 1);
        lanes.set(A, B, Link::cut(), "a test").unwrap();
        assert_eq!(lanes.link(A, B), Ok(Link::cut()));
        assert_eq!(lanes.link(B, A), Ok(Link::default()));
        let now = Duration::from_secs(1);
        assert_eq!(lanes.lock().offer(0, 1, now, 10), Fate::default());
        assert_eq!(lanes.lock().offer(1, 0, now, 10).first, Some(now));
        assert_eq!(lanes.counters(A, B).unwrap().dropped, 1);
        assert_eq!(lanes.counters(B, A).unwrap().bytes, 10);
        let changes = lanes.changes();
        assert_eq!((changes.len(), changes[0].why.as_str()), (1, "a test"));
    }

    #[test]
    fn what_is_no_link_is_refused() {
        let lanes = Lanes::new(&[A, B], 1);
        let half = Link {
            loss: 1.5,
            ..Link::default()
        };
        assert!(matches!(
            lanes.set(A, B, half, ""),
            Err(FabricError::Nonsense(_))
        ));
        let strangers = [(A, A), (A, Host::Client), (Host::Node(9), B)];
        for (from, to) in strangers {
            let refused = lanes.set(from, to, Link::cut(), "");
            assert_eq!(refused, Err(FabricError::NoLink { from, to }));
        }
    }
}
