//! What a node brings to its groups: who it is, how it reaches peers, and its timing.

use crate::blocking::Blocking;
use crate::limits;
use florin_ledger::id::{NodeId, Timestamp};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};

/// Who a node is and how its groups behave.
#[derive(Clone)]
pub struct HostOptions {
    /// This node's number.
    pub node: NodeId,
    /// The cluster's name; peers of another cluster are refused.
    pub cluster: String,
    /// Made once with the data folder: a node that lost its disk is not its former self.
    pub incarnation: u64,
    /// Where this node runs.
    pub region: String,
    /// `host:port` at which peers reach this node's gRPC listener.
    pub advertise: String,
    /// How often a leader is heard of. Must exceed the worst round trip between two members.
    pub heartbeat: Duration,
    /// A follower that heard of no leader for a time drawn from here stands for election.
    pub election_timeout: (Duration, Duration),
    /// Most bytes a second that all snapshots sent by this node take together.
    pub snapshot_bytes_per_second: u64,
    /// How often everything is made durable outside the log, after which the log may be purged.
    pub checkpoint_interval: Duration,
    /// A checkpoint is taken earlier once a group's log has grown by this many bytes.
    pub checkpoint_log_bytes: u64,
    /// How many checkpoints an entry stays in the log for followers that lag.
    pub keep_checkpoints: usize,
    /// How often each group's ledger on disk is read again and checked.
    pub scrub_interval: Duration,
    /// How long after the start the first group is, and the pause between two groups.
    pub scrub_pause: Duration,
    /// Refuse peers whose connection carries no [`crate::PeerRoles`]: with TLS, always true.
    pub require_peer_roles: bool,
    /// Opens connections to peers.
    pub connect: Arc<dyn Connect>,
    /// Does work that blocks.
    pub blocking: Blocking,
    /// The wall clock. Batches are stamped with the median of the voters' clocks.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl HostOptions {
    /// Defaults for everything that has a safe one: heartbeats every 150 ms, elections after
    /// 600 to 900 ms, plain TCP, the system's clock.
    pub fn new(
        node: NodeId,
        cluster: &str,
        incarnation: u64,
        region: &str,
        advertise: &str,
    ) -> HostOptions {
        HostOptions {
            node,
            cluster: cluster.to_owned(),
            incarnation,
            region: region.to_owned(),
            advertise: advertise.to_owned(),
            heartbeat: Duration::from_millis(150),
            election_timeout: (Duration::from_millis(600), Duration::from_millis(900)),
            snapshot_bytes_per_second: 32 << 20,
            checkpoint_interval: Duration::from_secs(30),
            checkpoint_log_bytes: 256 << 20,
            keep_checkpoints: 4,
            scrub_interval: Duration::from_secs(24 * 60 * 60),
            scrub_pause: limits::SCRUB_AFTER,
            require_peer_roles: false,
            connect: Arc::new(TcpConnect),
            blocking: Blocking::threads(),
            clock: Arc::new(SystemClock::now),
        }
    }

    /// This node as a member of its groups.
    pub fn member(&self) -> Member {
        Member {
            node: self.node,
            address: self.advertise.clone(),
            region: self.region.clone(),
            incarnation: self.incarnation,
        }
    }
}

/// A node as a member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// `host:port` of its gRPC listener.
    pub address: String,
    /// Where it runs.
    pub region: String,
    /// Which life of that node: see [`HostOptions::incarnation`].
    pub incarnation: u64,
}

/// A two-way byte stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A connection on its way.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Opens connections to peers; with TLS, the node's implementation does the handshake as well.
pub trait Connect: Send + Sync {
    /// Connects to `host:port`.
    fn connect(&self, address: &str) -> Connecting;
}

/// Plain TCP.
pub struct TcpConnect;

impl Connect for TcpConnect {
    fn connect(&self, address: &str) -> Connecting {
        let address = address.to_owned();
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    }
}

/// The system's wall clock.
pub struct SystemClock;

impl SystemClock {
    /// Microseconds since 1970.
    pub fn now() -> Timestamp {
        let since = florin_failpoints::clock(SystemTime::now())
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
