//! Three regions on one machine: who sits where, and the proxies between them.

use anyhow::{Context, Result, bail};
use florin_chaos::fabric::proxy::ProxyFabric;
use florin_chaos::fabric::{Fabric, Host, Link};
use florin_node::cluster::Topology;
use florin_node::cluster::ports::{self, Port};
use florin_node::cluster::seat::Seat;
use florin_node::cluster::topology::FrontendSpec;
use florin_node::config::Reach;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Regions between which round trips are given, in the order in which they are given.
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

/// Of each region: a node, a frontend, and a listener that sends back what it is sent, by which
/// round trips are measured.
const HOSTS: usize = 3;

/// How often a round trip is measured; what counts is the median.
const PINGS: usize = 41;

/// Heartbeats come at least twice as seldom as the longest round trip, for an answer may take no
/// longer than they do; and elections are as patient, compared with them, as in `three-regions`.
const HEARTBEAT_ROUND_TRIPS: u64 = 2;
const ELECTION_HEARTBEATS: [u64; 2] = [4, 7];

/// The regions. Proxies and listeners end with it.
pub(super) struct World {
    topology: Topology,
    round_trips: [Duration; 3],
    fabric: ProxyFabric,
    seats: BTreeMap<String, Seat>,
    /// Where each region's listener can be reached from others.
    echoes: Vec<SocketAddr>,
    _echoing: JoinSet<()>,
    /// Held as long as the processes may be started.
    _ports: Vec<Port>,
}

impl World {
    /// Makes it, with round trips in milliseconds, so that they are what is measured through it.
    pub(super) async fn make(round_trips: &[u32]) -> Result<World> {
        let Ok(millis) = <[u32; 3]>::try_from(round_trips) else {
            bail!("three regions have three round trips between them");
        };
        let round_trips = millis.map(|millis| Duration::from_millis(millis.into()));
        let topology = topology(millis)?;
        let ports = ports::claim(2 * 2 * PAIRS.len()).context("no ports")?;
        let (mut echoes, mut echoing) = (Vec::new(), JoinSet::new());
        for _ in &topology.nodes {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            echoes.push(listener.local_addr()?);
            echoing.spawn(echo(listener));
        }
        let (hosts, mut seats) = seated(&topology, &ports, &echoes)?;
        let fabric = ProxyFabric::make(&hosts, 1)?;
        for (place, (host, _)) in hosts.iter().enumerate() {
            if let Some(seat) = seats.get_mut(&name(&topology, place)) {
                seat.reach = abroad(&fabric.reach(*host), &hosts, place / HOSTS);
            }
        }
        let world = World {
            topology,
            round_trips,
            fabric,
            seats,
            echoes,
            _echoing: echoing,
            _ports: ports,
        };
        world.calibrate().await?;
        Ok(world)
    }

    /// What the cluster is made of: one node and one frontend in each region, in the same order.
    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Where its processes sit.
    pub(super) fn seats(&self) -> BTreeMap<String, Seat> {
        self.seats.clone()
    }

    /// The node of a region.
    pub(super) fn node(&self, region: usize) -> u64 {
        self.topology.nodes.get(region).map_or(0, |node| node.id)
    }

    /// The region that is nearest to this one, and how long a round trip to it is to take.
    pub(super) fn nearest(&self, region: usize) -> (usize, Duration) {
        let others = PAIRS.iter().zip(self.round_trips);
        let others = others.filter_map(|((one, other), round_trip)| match region {
            _ if region == *one => Some((*other, round_trip)),
            _ if region == *other => Some((*one, round_trip)),
            _ => None,
        });
        let nearest = others.min_by_key(|(_, round_trip)| *round_trip);
        nearest.unwrap_or((region, Duration::ZERO))
    }

    /// How long a round trip between two regions takes: the median of some.
    pub(super) async fn round_trip(&self, one: usize, other: usize) -> Result<Duration> {
        let reach = self.fabric.reach(probe(one));
        let echo = self
            .echoes
            .get(other)
            .context("no such region")?
            .to_string();
        let mut stream = TcpStream::connect(reach.of(&echo)).await?;
        stream.set_nodelay(true)?;
        let mut took = Vec::new();
        for _ in 0..PINGS {
            let (began, mut there_and_back) = (Instant::now(), [0; 64]);
            stream.write_all(&there_and_back).await?;
            stream.read_exact(&mut there_and_back).await?;
            took.push(began.elapsed());
        }
        took.sort();
        took.get(PINGS / 2).copied().context("no ping")
    }

    /// The proxies' timers are a millisecond coarse and always late: what that adds is taken off.
    async fn calibrate(&self) -> Result<()> {
        for ((one, other), wanted) in PAIRS.iter().zip(self.round_trips) {
            self.part(*one, *other, wanted)?;
            let late = self.round_trip(*one, *other).await?.saturating_sub(wanted);
            self.part(*one, *other, wanted.saturating_sub(late))?;
        }
        Ok(())
    }

    /// Sets all links between two regions.
    fn part(&self, one: usize, other: usize, round_trip: Duration) -> Result<()> {
        let link = Link::delayed(round_trip / 2);
        let of = |region: usize| {
            let node = self.node(region);
            [Host::Node(node), Host::Frontend(region), probe(region)]
        };
        for from in of(one) {
            for to in of(other) {
                self.fabric.set(from, to, link, "regions far apart")?;
                self.fabric.set(to, from, link, "regions far apart")?;
            }
        }
        Ok(())
    }
}

/// Three regions with a frontend each, patient enough for these round trips.
fn topology(millis: [u32; 3]) -> Result<Topology> {
    let mut topology = Topology::three_regions()?;
    let nodes = topology.nodes.iter();
    let frontends = nodes.map(|node| FrontendSpec {
        name: format!("{}-api", node.name),
        region: node.region.clone(),
    });
    topology.frontends = frontends.collect();
    let longest: u64 = millis.into_iter().max().unwrap_or_default().into();
    let usual = topology.timing.heartbeat_ms;
    let heartbeat = usual.max(HEARTBEAT_ROUND_TRIPS * longest);
    topology.timing.heartbeat_ms = heartbeat;
    topology.timing.election_ms = ELECTION_HEARTBEATS.map(|times| times * heartbeat);
    Ok(topology)
}

/// A fabric's host and where it listens.
type Listening = (Host, Vec<SocketAddr>);

/// The hosts, [`HOSTS`] of each region, one region after the other, and the seats of those that
/// are processes.
fn seated(
    topology: &Topology,
    ports: &[Port],
    echoes: &[SocketAddr],
) -> Result<(Vec<Listening>, BTreeMap<String, Seat>)> {
    let mut addresses = ports
        .iter()
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.number)));
    let mut next = || addresses.next().context("too few ports");
    let (mut hosts, mut seats) = (Vec::new(), BTreeMap::new());
    for (region, echo) in echoes.iter().enumerate() {
        let node = topology.nodes.get(region).context("too few nodes")?;
        for host in [Host::Node(node.id), Host::Frontend(region)] {
            let seat = Seat::at(next()?, next()?);
            let listening = vec![seat.listen, seat.admin];
            seats.insert(name(topology, hosts.len()), seat);
            hosts.push((host, listening));
        }
        hosts.push((probe(region), vec![*echo]));
    }
    Ok((hosts, seats))
}

/// The name of the process at a place among the hosts; nothing has that of a listener.
fn name(topology: &Topology, place: usize) -> String {
    let region = place / HOSTS;
    let name = match place % HOSTS {
        0 => topology.nodes.get(region).map(|node| &node.name),
        1 => topology.frontends.get(region).map(|one| &one.name),
        _ => None,
    };
    name.cloned().unwrap_or_default()
}

/// Only other regions are reached through proxies.
fn abroad(reach: &Reach, hosts: &[Listening], region: usize) -> Reach {
    let mut at_home = hosts.iter().skip(region * HOSTS).take(HOSTS);
    let home: Vec<String> = at_home
        .by_ref()
        .flat_map(|(_, listening)| listening.iter().map(ToString::to_string))
        .collect();
    let pairs = reach.iter();
    let abroad = pairs.filter(|(address, _)| home.iter().all(|one| one != address));
    abroad
        .map(|(address, instead)| (address.to_owned(), instead.to_owned()))
        .collect()
}

/// Who measures round trips from a region; a frontend to the fabric, beyond those that are some.
fn probe(region: usize) -> Host {
    Host::Frontend(HOSTS + region)
}

/// Sends back what it is sent.
async fn echo(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        connections.spawn(async move {
            let (mut from, mut to) = stream.split();
            // Who asked is gone: that is the end of it.
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn regions_are_as_far_apart_as_asked_and_home_is_near() {
        let world = World::make(&[10, 20, 40]).await.unwrap();
        let ms = Duration::from_millis;
        let rows = [(0, 1, 10), (1, 0, 10), (2, 0, 20), (1, 2, 40)];
        for (one, other, wanted) in rows {
            let took = world.round_trip(one, other).await.unwrap();
            assert!(took + ms(2) > ms(wanted), "{one} to {other}: {took:?}");
        }
        let nearest: Vec<_> = (0..3).map(|region| world.nearest(region)).collect();
        assert_eq!(nearest, [(1, ms(10)), (0, ms(10)), (0, ms(20))]);
        assert_eq!(world.seats().len(), 6);
        let seat = &world.seats()["fra-1"];
        let neighbour = &world.seats()["fra-1-api"];
        let far = &world.seats()["iad-1"];
        let reached = |of: &Seat| seat.reach.of(&of.listen.to_string()).to_owned();
        assert_eq!(reached(neighbour), neighbour.listen.to_string());
        assert_ne!(reached(far), far.listen.to_string());
        assert!(world.topology().timing.heartbeat_ms >= 80);
    }

    #[tokio::test]
    async fn round_trips_are_three() {
        assert!(World::make(&[30, 80]).await.is_err());
    }
}
