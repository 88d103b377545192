//! How the processes of a playground are connected: their seats, and the fabric between them.

use super::run::Run;
use super::spec::FabricChoice;
use crate::fabric::proxy::ProxyFabric;
use crate::fabric::tun::TunFabric;
use crate::fabric::{Fabric, Host};
use anyhow::{Context, Result};
use florin_node::cluster::ports::{self, Port};
use florin_node::cluster::seat::Seat;
use florin_node::config::Reach;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// Main listener and operators' listener where a host has an address of its own.
const PORTS: [u16; 2] = [7_100, 7_200];

/// What connects the processes.
pub(super) struct Wiring {
    pub(super) fabric: Option<Box<dyn Fabric>>,
    /// Of each process.
    pub(super) seats: BTreeMap<Host, Seat>,
    /// What this process dials.
    pub(super) reach: Reach,
    /// Held as long as the processes may be started.
    pub(super) ports: Vec<Port>,
}

impl Wiring {
    /// Connects these processes, and this one as the client.
    pub(super) fn make(
        choice: FabricChoice,
        run: &Run,
        hosts: &[Host],
        seed: u64,
    ) -> Result<Wiring> {
        match choice {
            FabricChoice::Tun => Wiring::tun(run, hosts, seed),
            FabricChoice::Proxy => Wiring::proxy(hosts, seed),
            FabricChoice::None => Wiring::loopback(hosts),
            FabricChoice::Auto => Wiring::tun(run, hosts, seed).or_else(|why| {
                eprintln!("proxies instead of network namespaces: {why:#}");
                Wiring::proxy(hosts, seed)
            }),
        }
    }

    fn tun(run: &Run, hosts: &[Host], seed: u64) -> Result<Wiring> {
        let everyone: Vec<Host> = hosts.iter().copied().chain([Host::Client]).collect();
        let fabric = TunFabric::make(run.name(), &everyone, seed)?;
        let mut seats = BTreeMap::new();
        for host in hosts {
            let address = fabric.address(*host).context("a host without an address")?;
            let [main, admin] = PORTS.map(|port| SocketAddr::from((address, port)));
            let seat = Seat {
                launcher: fabric.launcher(*host),
                ..Seat::at(main, admin)
            };
            seats.insert(*host, seat);
        }
        Ok(Wiring {
            fabric: Some(Box::new(fabric)),
            seats,
            reach: Reach::default(),
            ports: Vec::new(),
        })
    }

    fn proxy(hosts: &[Host], seed: u64) -> Result<Wiring> {
        let mut wiring = Wiring::loopback(hosts)?;
        let seats = wiring.seats.iter();
        let mut listening: Vec<_> = seats
            .map(|(host, seat)| (*host, vec![seat.listen, seat.admin]))
            .collect();
        listening.push((Host::Client, Vec::new()));
        let fabric = ProxyFabric::make(&listening, seed)?;
        for (host, seat) in &mut wiring.seats {
            seat.reach = fabric.reach(*host);
        }
        wiring.reach = fabric.reach(Host::Client);
        wiring.fabric = Some(Box::new(fabric));
        Ok(wiring)
    }

    fn loopback(hosts: &[Host]) -> Result<Wiring> {
        let held = ports::claim(2 * hosts.len()).context("no ports")?;
        let address = |port: &Port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.number));
        let pairs = hosts.iter().zip(held.chunks(2));
        let seats = pairs.filter_map(|(host, pair)| match pair {
            [main, admin] => Some((*host, Seat::at(address(main), address(admin)))),
            _ => None,
        });
        Ok(Wiring {
            fabric: None,
            seats: seats.collect(),
            reach: Reach::default(),
            ports: held,
        })
    }
}
