//! A node as the product runs it, on a simulated computer: the real log, groups, transport and
//! gateway.

use crate::config::Config;
use crate::machine::{Death, Life, Machine, Order, Running};
use crate::net::{Dialer, PORT, connector, incoming};
use crate::traps;
use florin_raft::{Blocking, Host, HostOptions, tuned_server};
use florin_shards::{FollowOptions, Gateway, GatewayOptions, follow};
use florin_storage::log::{Log, LogOptions};
use futures_util::FutureExt;
use std::net::Ipv4Addr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use turmoil::net::TcpListener;

/// The cluster's name.
pub(crate) const CLUSTER: &str = "simulated";
/// As small as the log allows, so that segments are filled and let go.
const SEGMENT_BYTES: u64 = (4 << 20) + (64 << 10);
/// Why a node ends whose disk is not the one it had.
pub(crate) const FORMER_SELF: &str = "known to peers under another incarnation";
/// How long stopping in order may take, as in the product.
const FAREWELL: Duration = Duration::from_secs(15);
/// How long consensus takes to begin, at most.
const BEGINNING: Duration = Duration::from_millis(5);
/// How long work that blocks takes.
const BLOCKING: Duration = Duration::from_millis(2);

/// The software of a computer. It ends by the life's end alone: the simulation takes it away then.
pub(crate) async fn run(machine: Arc<Machine>, config: Arc<Config>) -> turmoil::Result {
    // A node that dies at a failpoint unwinds from there.
    let served = AssertUnwindSafe(serve(&machine, &config))
        .catch_unwind()
        .await;
    if let Ok((life, why)) = served {
        machine.end(&life, Death::Kill, &why);
    }
    std::future::pending().await
}

/// Serves until it is told to stop or cannot go on, and says why.
async fn serve(machine: &Arc<Machine>, config: &Arc<Config>) -> (Arc<Life>, String) {
    let (life, disk, store, incarnation) = machine.begin();
    traps::register(machine, &life);
    let log_options = LogOptions {
        segment_bytes: SEGMENT_BYTES,
        min_free_bytes: 0,
        cache_bytes: 256 << 10,
        on_fatal: {
            let (machine, life) = (Arc::clone(machine), Arc::clone(&life));
            Arc::new(move |why| machine.end(&life, Death::Kill, why))
        },
    };
    let log = match Log::open_stepped(Arc::new(disk), log_options) {
        Ok((log, recovery)) => {
            tracing::info!(?recovery, faulty = ?log.faulty(), "opened the log");
            log
        }
        Err(error) => return (life, format!("the log did not open: {error}")),
    };
    tokio::spawn(turn(log.clone(), Arc::clone(machine), Arc::clone(&life)));
    let options = options(machine, config, &life, incarnation);
    let member = options.member();
    let host = match Host::start(options, log.clone(), store).await {
        Ok(host) => host,
        Err(error) => return (life, format!("the node did not start: {error}")),
    };
    check_votes(machine, &host, &log).await;
    let gateway = Gateway::new(
        host.clone(),
        GatewayOptions {
            cluster: CLUSTER.to_owned(),
            member,
            name: machine.name.clone(),
            version: "simulated".to_owned(),
            require_peer_roles: false,
        },
    );
    let follow = tokio::spawn(follow(
        host.clone(),
        FollowOptions {
            node: machine.node,
            cluster: CLUSTER.to_owned(),
            connector: connector(&life),
        },
    ));
    let listener = match TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await {
        Ok(listener) => listener,
        Err(error) => return (life, format!("the port is taken: {error}")),
    };
    let server = tuned_server()
        .add_service(host.transport())
        .add_service(gateway.service())
        .serve_with_incoming(incoming(listener, Arc::clone(&life)));
    tokio::spawn(server);
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let running = Running {
        host: host.clone(),
        log,
        orders,
    };
    machine.serves(&life, running);
    tracing::info!("serving");
    let mut former = host.refused_as_former_self();
    loop {
        let order = tokio::select! {
            order = ordered.recv() => order,
            _ = former.wait_for(Option::is_some) => {
                return (life, FORMER_SELF.to_owned());
            }
        };
        match order {
            Some(Order::Transfer(group, to)) => {
                if let Some(group) = host.group(group) {
                    tokio::spawn(async move {
                        let moved = group.transfer_leader(to).await;
                        tracing::info!(?moved, "asked to hand over");
                    });
                }
            }
            Some(Order::Stop) | None => break,
        }
    }
    gateway.close();
    follow.abort();
    let stopped = tokio::time::timeout(FAREWELL, host.shutdown()).await;
    tracing::info!(in_time = stopped.is_ok(), "stopped");
    (life, "stopped in order".to_owned())
}

/// Before a node has heard of anybody: what it voted is never older than what its log holds, for a
/// vote is durable before any entry of its term is. But for a ledger that was fetched from a peer, because
/// the store was lost: then the log holds nothing, and ends where that does.
async fn check_votes(machine: &Machine, host: &Host, log: &Log) {
    // Consensus says where it stands once it has begun.
    tokio::time::sleep(BEGINNING).await;
    for id in host.groups() {
        let (Some(group), Some(log)) = (host.group(id), log.group(id)) else {
            continue;
        };
        let (term, state) = (group.status().term, log.state());
        let fetched = |last| machine.lost_its_store() && Some(last) == state.purged;
        let last = state.last.filter(|last| !fetched(*last));
        if let Some(last) = last.filter(|last| last.term > term) {
            machine.is_wrong(format!(
                "raft: {} starts in term {term} of group {}, and its log ends with {last}",
                machine.name, id.0
            ));
        }
    }
}

fn options(
    machine: &Arc<Machine>,
    config: &Config,
    life: &Arc<Life>,
    incarnation: u64,
) -> HostOptions {
    let address = format!("{}:{PORT}", machine.name);
    let region = format!("region-{}", machine.node.0);
    let mut options = HostOptions::new(machine.node, CLUSTER, incarnation, &region, &address);
    options.heartbeat = config.heartbeat;
    options.election_timeout = config.election;
    options.checkpoint_interval = config.checkpoint;
    options.keep_checkpoints = config.keep_checkpoints;
    // A scrub paces itself by sleeping; the simulation scrubs every ledger in the end instead.
    options.scrub_pause = Duration::from_secs(86_400);
    options.connect = Arc::new(Dialer(Arc::clone(life)));
    let clock = Arc::clone(machine);
    options.clock = Arc::new(move || clock.wall());
    let life = Arc::clone(life);
    options.blocking = Blocking::by(move |work| {
        let life = Arc::clone(&life);
        tokio::spawn(async move {
            tokio::time::sleep(BLOCKING).await;
            if !life.is_over() {
                work();
            }
        });
    });
    options
}

/// Turns the log's crank: what has gathered while the disk was at work is the next round.
async fn turn(log: Log, machine: Arc<Machine>, life: Arc<Life>) {
    while !life.is_over() {
        tokio::time::sleep(machine.sync_time()).await;
        log.step();
    }
}
