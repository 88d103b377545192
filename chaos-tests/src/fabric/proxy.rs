//! The fabric for machines without root: a proxy on the loopback for every directed pair of hosts.
//!
//! ```text
//! node 1 dials 127.0.0.1:P instead of node 2 -> P: link 1 to 2 -> node 2
//!                                               P: link 2 to 1 <- node 2
//! ```
//!
//! Who dials whom elsewhere stands in the `[reach]` of their configurations. A proxy passes pieces
//! of streams, not packets: what would be lost is held back and offered again, first after 200 ms,
//! then after twice as long, as TCP does it. Order and number of bytes are TCP's business, so they
//! cannot be broken here.

mod pump;

use super::lanes::Lanes;
use super::{Change, Counters, Fabric, FabricError, Host, Link};
use anyhow::{Context, Result};
use florin_node::config::Reach;
use pump::{Route, serve};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The running proxies. Dropping it closes them.
#[derive(Debug)]
pub struct ProxyFabric {
    lanes: Arc<Lanes>,
    reach: BTreeMap<Host, Reach>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl ProxyFabric {
    /// Connects hosts, each of which listens on these addresses of the loopback. Nobody listens for
    /// the client.
    pub fn make(listening: &[(Host, Vec<SocketAddr>)], seed: u64) -> Result<ProxyFabric> {
        let hosts: Vec<Host> = listening.iter().map(|(host, _)| *host).collect();
        let lanes = Arc::new(Lanes::new(&hosts, seed));
        let (mut reach, mut routes) = (BTreeMap::new(), Vec::new());
        for (from, (dialer, _)) in listening.iter().enumerate() {
            let mut table = Vec::new();
            let others = listening.iter().enumerate().filter(|(to, _)| *to != from);
            for (to, address) in
                others.flat_map(|(to, (_, all))| all.iter().map(move |one| (to, *one)))
            {
                let door = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .and_then(|door| door.set_nonblocking(true).map(|()| door))
                    .context("cannot open a proxy's port")?;
                table.push((address.to_string(), door.local_addr()?.to_string()));
                routes.push((door, Route { from, to, address }));
            }
            reach.insert(*dialer, table.into_iter().collect());
        }
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new().name("fabric".into());
        let served = lanes.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the proxies")?;
        let thread = thread.spawn(move || runtime.block_on(run(routes, served, stopped)));
        Ok(ProxyFabric {
            lanes,
            reach,
            stop,
            thread: Some(thread.context("cannot start the proxies")?),
        })
    }

    /// What a host dials for the others' addresses.
    pub fn reach(&self, host: Host) -> Reach {
        self.reach.get(&host).cloned().unwrap_or_default()
    }
}

/// Serves every door until it is time to stop; connections end with the runtime.
async fn run(
    routes: Vec<(std::net::TcpListener, Route)>,
    lanes: Arc<Lanes>,
    mut stopped: watch::Receiver<bool>,
) {
    for (door, route) in routes {
        match TcpListener::from_std(door) {
            Ok(door) => drop(tokio::spawn(serve(door, route, lanes.clone()))),
            Err(error) => eprintln!("a proxy does not serve: {error}"),
        }
    }
    let _fabric_gone = stopped.wait_for(|stopped| *stopped).await;
}

impl Drop for ProxyFabric {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _its_panic_is_on_standard_error = thread.join();
        }
    }
}

impl Fabric for ProxyFabric {
    fn kind(&self) -> &'static str {
        "proxy"
    }

    fn hosts(&self) -> Vec<Host> {
        self.lanes.hosts().to_vec()
    }

    fn can(&self, link: &Link) -> Result<(), FabricError> {
        link.check()?;
        let unable = |what: &str| FabricError::Unable {
            fabric: "proxy",
            what: what.to_owned(),
        };
        if link.duplicate > 0.0 {
            return Err(unable("hand packets on twice: it passes streams"));
        }
        if link.reorder > 0.0 {
            return Err(unable("let packets overtake others: it passes streams"));
        }
        Ok(())
    }

    fn set(&self, from: Host, to: Host, link: Link, why: &str) -> Result<(), FabricError> {
        self.can(&link)?;
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
