//! Real nodes in this process: each has a runtime of its own, so that it can be killed as a
//! process is, and a simulated disk, from which it can be started again.

use super::fake::soon;
use crate::connector::Connector;
use crate::follow::{FollowOptions, follow};
use crate::form::{FormOptions, Formed, form};
use crate::gateway::{Gateway, GatewayOptions, GatewayService};
use crate::router::{Router, RouterOptions};
use florin_ledger::directory::{DirectoryCommand, Item};
use florin_ledger::id::{Id, LedgerId, Mode, NodeId};
use florin_raft::{Host, HostOptions, Transport};
use florin_storage::disk::Disk;
use florin_storage::disk::sim::SimDisk;
use florin_storage::log::{Log, LogOptions};
use florin_storage::replica::Store;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};

pub(super) const CLUSTER: &str = "real";

/// A node, running or killed.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) address: SocketAddr,
    cluster: String,
    pub(super) incarnation: u64,
    disk: SimDisk,
    runtime: Option<Runtime>,
}

impl Node {
    /// Starts a node with an empty disk.
    pub(super) fn start(id: u64) -> Node {
        Node::start_in(id, CLUSTER)
    }

    pub(super) fn start_in(id: u64, cluster: &str) -> Node {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = door.local_addr().unwrap();
        let mut node = Node {
            id: NodeId(id),
            address,
            cluster: cluster.to_owned(),
            incarnation: id * 10,
            disk: SimDisk::new(),
            runtime: None,
        };
        node.run(door);
        node
    }

    /// Ends everything it does, wherever it stands, and returns when all of it is gone.
    pub(super) fn kill(&mut self) {
        let runtime = self.runtime.take().unwrap();
        let ended = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(10)));
        ended.join().unwrap();
    }

    pub(super) fn restart(&mut self) {
        self.disk = self.disk.kill();
        self.run(TcpListener::bind(self.address).unwrap());
    }

    /// Starts it again with an empty disk, as another incarnation.
    pub(super) fn restart_empty(&mut self) {
        self.disk = SimDisk::new();
        self.incarnation += 1;
        self.run(TcpListener::bind(self.address).unwrap());
    }

    fn run(&mut self, door: TcpListener) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = self.options();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        runtime.spawn(serve(options, disk, door));
        self.runtime = Some(runtime);
    }

    fn options(&self) -> HostOptions {
        let region = format!("region-{}", self.id.0);
        let mut options = HostOptions::new(
            self.id,
            &self.cluster,
            self.incarnation,
            &region,
            &self.address.to_string(),
        );
        options.heartbeat = Duration::from_millis(50);
        options.election_timeout = (Duration::from_millis(250), Duration::from_millis(400));
        options
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(options: HostOptions, disk: Arc<dyn Disk>, door: TcpListener) {
    let log_options = LogOptions {
        segment_bytes: 8 << 20,
        min_free_bytes: 0,
        cache_bytes: 1 << 20,
        on_fatal: Arc::new(|why| panic!("{why}")),
    };
    let (log, _) = Log::open(disk, log_options).unwrap();
    let member = options.member();
    let cluster = options.cluster.clone();
    let host = Host::start(options, log, Store::in_memory()).await.unwrap();
    let gateway = Gateway::new(
        host.clone(),
        GatewayOptions {
            cluster: cluster.clone(),
            name: format!("node-{}", member.node.0),
            version: "0".to_owned(),
            require_peer_roles: false,
            member: member.clone(),
        },
    );
    tokio::spawn(follow(
        host.clone(),
        FollowOptions {
            node: member.node,
            cluster,
            connector: Connector::plain(),
        },
    ));
    let service = Both {
        peers: host.transport(),
        gateway: gateway.service(),
    };
    door.set_nonblocking(true).unwrap();
    let door = tokio::net::TcpListener::from_std(door).unwrap();
    tonic::transport::Server::builder()
        .serve_with_incoming(service, TcpListenerStream::new(door))
        .await
        .unwrap();
}

/// The two services of a node, told apart by path.
#[derive(Clone)]
struct Both {
    peers: Transport,
    gateway: GatewayService,
}

impl Service<http::Request<Body>> for Both {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path().starts_with("/florin.gateway.") {
            self.gateway.call(request)
        } else {
            self.peers.call(request)
        }
    }
}

/// A formed cluster and a router that knows it.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) router: Router,
    pub(super) ledger: LedgerId,
}

impl Cluster {
    /// So many nodes, two groups of three replicas (or one), and a partner.
    pub(super) async fn start(count: u64) -> Cluster {
        let nodes: Vec<Node> = (1..=count).map(Node::start).collect();
        form(form_options(&nodes)).await.unwrap();
        let router = connect(&nodes).await;
        let partner = create_partner(&router, "Acme").await;
        Cluster {
            nodes,
            router,
            ledger: LedgerId {
                partner,
                mode: Mode::Live,
            },
        }
    }

    pub(super) fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).unwrap()
    }
}

pub(super) fn form_options(nodes: &[Node]) -> FormOptions {
    FormOptions {
        cluster: CLUSTER.to_owned(),
        nodes: nodes.iter().map(|node| node.address.to_string()).collect(),
        groups: 2,
        replicas: if nodes.len() < 3 { 1 } else { 3 },
        connector: Connector::plain(),
        timeout: Duration::from_secs(20),
    }
}

pub(super) async fn connect(nodes: &[Node]) -> Router {
    let seeds = nodes.iter().map(|node| node.address.to_string()).collect();
    let mut options = RouterOptions::new(CLUSTER, seeds, Connector::plain());
    options.attempt_timeout = Duration::from_millis(500);
    let router = Router::connect(options).await;
    assert!(router.wait_ready(soon()).await);
    router
}

pub(super) async fn create_partner(router: &Router, name: &str) -> Id {
    let command = DirectoryCommand::CreatePartner {
        name: name.into(),
        home_region: None,
        rate_limit: 0,
    };
    match router
        .submit_directory(command, None, soon())
        .await
        .unwrap()
    {
        Item::Partner(partner) => partner.value.id,
        other => panic!("{other:?}"),
    }
}

pub(super) fn groups_of(formed: &Formed) -> Vec<Vec<u64>> {
    formed
        .groups
        .iter()
        .map(|group| group.members.iter().map(|node| node.0).collect())
        .collect()
}
