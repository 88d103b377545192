//! The fabric of real packets: a network namespace for every process, a TUN device in each, and a
//! router between them in this process.
//!
//! ```text
//! namespace of node 1        this process             namespace of node 2
//! florin -> florin0 (TUN) -> router: lanes, heap -> florin0 (TUN) -> florin
//! ```
//!
//! Devices are made here and moved into the namespaces; their files stay ours. The client's device
//! stays where this process is, so that load and operators pass through the fabric as well. The
//! addresses are of 198.18.0.0/15, which is set aside for tests of networks (RFC 2544); each fabric
//! takes a /24 of it. Needs root, `ip` and `/dev/net/tun`.

mod router;
mod subnet;

use super::lanes::Lanes;
use super::{Change, Counters, Fabric, FabricError, Host, Link};
use crate::ioctls;
use crate::playground::command::{feed, run};
use crate::playground::run::NAMESPACES;
use anyhow::{Context, Result, anyhow};
use router::Router;
use std::fs::File;
use std::net::Ipv4Addr;
use std::sync::Arc;
use subnet::Subnet;

/// What a packet may hold: large, for packets cost and bytes do not.
const MTU: usize = 16 * 1024;
/// Packets that wait in a device while the router is busy.
const WAITING: usize = 4_000;

/// Namespaces, devices and the router. Dropping it takes all of them away.
#[derive(Debug)]
pub struct TunFabric {
    lanes: Arc<Lanes>,
    // Before the namespaces: what it forwards comes from them.
    _router: Router,
    places: Vec<Place>,
    _subnet: Subnet,
}

/// Where a host is.
#[derive(Debug)]
struct Place {
    host: Host,
    address: Ipv4Addr,
    namespace: Option<Namespace>,
}

/// A network namespace, deleted when dropped.
#[derive(Debug)]
struct Namespace(String);

impl TunFabric {
    /// Connects these hosts. Names of namespaces begin with the run's.
    pub fn make(run_name: &str, hosts: &[Host], seed: u64) -> Result<TunFabric> {
        let subnet = Subnet::take()?;
        let lanes = Arc::new(Lanes::new(hosts, seed));
        let (mut places, mut devices) = (Vec::new(), Vec::new());
        for (at, host) in hosts.iter().enumerate() {
            let address = subnet.address(at);
            let (namespace, device) = make_place(run_name, at, *host, address)
                .with_context(|| format!("cannot connect {host}"))?;
            devices.push(device);
            places.push(Place {
                host: *host,
                address,
                namespace,
            });
        }
        let addresses = places.iter().map(|place| place.address).collect();
        Ok(TunFabric {
            _router: Router::start(lanes.clone(), devices, addresses)?,
            lanes,
            places,
            _subnet: subnet,
        })
    }

    /// The address of a host.
    pub fn address(&self, host: Host) -> Option<Ipv4Addr> {
        self.place(host).map(|place| place.address)
    }

    /// What starts a process in the namespace of a host: it becomes that process.
    pub fn launcher(&self, host: Host) -> Vec<String> {
        let place = self.place(host);
        match place.and_then(|place| place.namespace.as_ref()) {
            Some(Namespace(name)) => {
                vec![
                    "nsenter".into(),
                    format!("--net={NAMESPACES}/{name}"),
                    "--".into(),
                ]
            }
            None => Vec::new(),
        }
    }

    fn place(&self, host: Host) -> Option<&Place> {
        self.places.iter().find(|place| place.host == host)
    }
}

/// Makes the device of a host, its namespace unless it is the client's, and brings both up.
fn make_place(
    run_name: &str,
    at: usize,
    host: Host,
    address: Ipv4Addr,
) -> Result<(Option<Namespace>, File)> {
    let device_name = device_name(run_name, at);
    let device = ioctls::tun(&device_name)
        .with_context(|| format!("cannot make the TUN device {device_name}"))?;
    let up = format!(
        "addr add {address}/24 dev {device_name}\n\
         link set dev {device_name} mtu {MTU} txqueuelen {WAITING} up\n"
    );
    if host == Host::Client {
        feed("ip", &["-batch", "-"], &up).map_err(|said| anyhow!(said))?;
        return Ok((None, device));
    }
    let name = format!("{run_name}-{at}");
    run("ip", &["netns", "add", &name]).map_err(|said| anyhow!(said))?;
    let namespace = Namespace(name);
    let name = &namespace.0;
    run("ip", &["link", "set", "dev", &device_name, "netns", name])
        .map_err(|said| anyhow!(said))?;
    let up = format!("link set dev lo up\n{up}");
    feed("ip", &["-n", name, "-batch", "-"], &up).map_err(|said| anyhow!(said))?;
    Ok((Some(namespace), device))
}

/// Of this process and this run alone, and at most 15 letters: a name may not be longer.
fn device_name(run_name: &str, at: usize) -> String {
    let mut parts = run_name.split('-').skip(1);
    let pid = parts.next().unwrap_or_default();
    let number = parts.nth(1).unwrap_or_default();
    format!("fl{pid}.{number}.{at}").chars().take(15).collect()
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(said) = run("ip", &["netns", "del", &self.0]) {
            eprintln!("a network namespace stays: {said}");
        }
    }
}

impl Fabric for TunFabric {
    fn kind(&self) -> &'static str {
        "tun"
    }

    fn hosts(&self) -> Vec<Host> {
        self.lanes.hosts().to_vec()
    }

    fn can(&self, link: &Link) -> Result<(), FabricError> {
        link.check()
    }

    fn set(&self, from: Host, to: Host, link: Link, why: &str) -> Result<(), FabricError> {
        self.lanes.set(from, to, link, why)
    }

    fn link(&self, from: Host, to: Host) -> Result<Link, FabricError> {
        self.lanes.link(from, to)
    }

    fn counters(&self, from: Host, to: Host) -> Result<Counters, FabricError> {
        self.lanes.counters(from, to)
    }

    fn changes(&self) -> Vec<Change> {
        self.lanes.changes()
    }
}
