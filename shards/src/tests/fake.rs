//! Nodes that do as they are told: the gateway's protocol on loopback, without a ledger behind it.

use crate::connector::Connector;
use crate::items::page;
use crate::router::{Router, RouterOptions};
use crate::wire::encode;
use crate::wire::proto::gateway_server::{Gateway, GatewayServer};
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::*;
use florin_ledger::amount::Currency;
use florin_ledger::command::{AccountKind, Constraint};
use florin_ledger::command::{Command, Envelope, NewAccount, Once};
use florin_ledger::directory::{self, Directory, Item, Partner, Versioned};
use florin_ledger::effect::{Decision, Effect};
use florin_ledger::id::{GroupId, Id, LedgerId, Mode, NodeId, Position, Timestamp};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

pub(super) const CLUSTER: &str = "test";
pub(super) const GROUP: GroupId = GroupId(1);
pub(super) const PARTNER: Id = Id(77);
pub(super) const LEDGER: LedgerId = LedgerId {
    partner: PARTNER,
    mode: Mode::Live,
};

/// What a node does with a request.
pub(super) enum Act {
    Answer(Outcome),
    /// Says nothing, ever.
    Silence,
    /// Breaks the stream.
    Break,
}

type Script = Box<dyn FnMut(&super::fake::Ask) -> Act + Send>;

/// A request that a node got.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub(super) node: u64,
    pub(super) group: u32,
    pub(super) what: request::What,
}

/// A node that does as it is told.
#[derive(Clone)]
pub(super) struct Fake {
    pub(super) node: u64,
    pub(super) address: String,
    script: Arc<Mutex<Script>>,
    /// Every request that any node of the cluster got.
    pub(super) got: Arc<Mutex<Vec<Ask>>>,
    /// How many frames they came in.
    pub(super) frames: Arc<Mutex<usize>>,
    /// What its replica of the directory holds; `None` ends whoever follows it.
    pub(super) directory: watch::Sender<Option<Directory>>,
    /// Whom it says to lead, and in which term.
    pub(super) leads: watch::Sender<Vec<Leader>>,
}

/// Nodes and what keeps them.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Fake>,
    pub(super) router: Router,
    _servers: JoinSet<()>,
}

impl Cluster {
    /// So many nodes in as many regions, all members of [`GROUP`] and of the directory's, and a
    /// router in the region of the last that knows them.
    pub(super) async fn start(count: u64) -> Cluster {
        let mut servers = JoinSet::new();
        let got = Arc::new(Mutex::new(Vec::new()));
        let mut nodes = Vec::new();
        for node in 1..=count {
            nodes.push(Fake::start(node, got.clone(), &mut servers).await);
        }
        let directory = directory_of(&nodes);
        for node in &nodes {
            node.directory.send_replace(Some(directory.clone()));
        }
        let seeds = nodes.iter().map(|node| node.address.clone()).collect();
        let mut options = RouterOptions::new(CLUSTER, seeds, Connector::plain());
        options.attempt_timeout = Duration::from_millis(200);
        options.region = format!("region-{count}");
        let router = Router::connect(options).await;
        let cluster = Cluster {
            nodes,
            router,
            _servers: servers,
        };
        assert!(cluster.router.wait_ready(soon()).await);
        for node in &cluster.nodes {
            cluster.router.wait_node(NodeId(node.node), soon()).await;
        }
        cluster
    }

    /// What node number `node` does with each request from now on.
    pub(super) fn script(&self, node: usize, script: impl FnMut(&Ask) -> Act + Send + 'static) {
        *self.nodes[node - 1].script.lock() = Box::new(script);
    }

    /// The nodes that were asked, in order.
    pub(super) fn asked(&self) -> Vec<u64> {
        self.nodes[0]
            .got
            .lock()
            .iter()
            .map(|ask| ask.node)
            .collect()
    }
}

impl Fake {
    async fn start(node: u64, got: Arc<Mutex<Vec<Ask>>>, servers: &mut JoinSet<()>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Fake {
            node,
            address: listener.local_addr().unwrap().to_string(),
            script: Arc::new(Mutex::new(Box::new(|_| Act::Silence))),
            got,
            frames: Arc::default(),
            directory: watch::Sender::new(None),
            leads: watch::Sender::new(Vec::new()),
        };
        let service = GatewayServer::new(fake.clone());
        let server = tonic::transport::Server::builder();
        servers.spawn(async move {
            server
                .serve_with_incoming(service, TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        fake
    }

    async fn serve(
        self,
        mut requests: Streaming<Requests>,
        replies: mpsc::Sender<Result<Replies, Status>>,
    ) {
        while let Ok(Some(frame)) = requests.message().await {
            *self.frames.lock() += 1;
            for request in frame.items {
                let ask = Ask {
                    node: self.node,
                    group: request.group,
                    what: request.what.unwrap(),
                };
                self.got.lock().push(ask.clone());
                let act = (self.script.lock())(&ask);
                let reply = match act {
                    Act::Answer(outcome) => Reply {
                        id: request.id,
                        outcome: Some(outcome),
                    },
                    Act::Silence => continue,
                    Act::Break => {
                        let _ = replies
                            .send(Err(Status::unavailable("broken on purpose")))
                            .await;
                        return;
                    }
                };
                let _ = replies.send(Ok(Replies { items: vec![reply] })).await;
            }
        }
    }
}

#[tonic::async_trait]
impl Gateway for Fake {
    type ExchangeStream = ReceiverStream<Result<Replies, Status>>;
    type DirectoryStream = ReceiverStream<Result<DirectoryReply, Status>>;
    type LeadersStream = ReceiverStream<Result<LeadersReply, Status>>;

    async fn hello(&self, _: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(HelloReply {
            node: self.node,
            cluster: CLUSTER.to_owned(),
            incarnation: self.node * 10,
            region: format!("region-{}", self.node),
            name: format!("node-{}", self.node),
            address: self.address.clone(),
            version: "0".to_owned(),
            groups: vec![0, 1],
            copies: true,
        }))
    }

    async fn exchange(
        &self,
        request: Request<Streaming<Requests>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let (sender, receiver) = mpsc::channel(1024);
        tokio::spawn(self.clone().serve(request.into_inner(), sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn directory(
        &self,
        request: Request<DirectoryRequest>,
    ) -> Result<Response<Self::DirectoryStream>, Status> {
        let mut directory = self.directory.subscribe();
        let mut since = request.into_inner().since;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let Some(now) = directory.borrow_and_update().clone() else {
                    return;
                };
                let reply = page(now.version, now.since(since), true);
                since = since.max(now.version);
                if sender.send(Ok(reply)).await.is_err() || directory.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn leaders(
        &self,
        _: Request<LeadersRequest>,
    ) -> Result<Response<Self::LeadersStream>, Status> {
        let mut leads = self.leads.subscribe();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let leaders = leads.borrow_and_update().clone();
                if sender.send(Ok(LeadersReply { leaders })).await.is_err()
                    || leads.changed().await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        Err(Status::unimplemented("told nothing"))
    }

    async fn create_group(
        &self,
        _: Request<CreateGroupRequest>,
    ) -> Result<Response<CreateGroupReply>, Status> {
        Err(Status::unimplemented("told nothing"))
    }

    async fn remove_member(
        &self,
        _: Request<RemoveMemberRequest>,
    ) -> Result<Response<RemoveMemberReply>, Status> {
        Err(Status::unimplemented("told nothing"))
    }

    async fn add_member(
        &self,
        _: Request<AddMemberRequest>,
    ) -> Result<Response<AddMemberReply>, Status> {
        Err(Status::unimplemented("told nothing"))
    }

    async fn transfer_leader(
        &self,
        _: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderReply>, Status> {
        Err(Status::unimplemented("told nothing"))
    }
}

fn directory_of(nodes: &[Fake]) -> Directory {
    let mut directory = Directory::default();
    let members: Vec<NodeId> = nodes.iter().map(|fake| NodeId(fake.node)).collect();
    for (version, fake) in (1..).zip(nodes) {
        let value = directory::Node {
            id: NodeId(fake.node),
            name: format!("node-{}", fake.node).into(),
            region: format!("region-{}", fake.node).into(),
            address: fake.address.as_str().into(),
            incarnation: 1,
        };
        directory.put(Item::Node(Versioned { version, value }));
    }
    for (version, id) in [(11, GroupId(0)), (12, GROUP)] {
        let value = directory::Group {
            id,
            members: members.clone(),
            home_region: None,
        };
        directory.put(Item::Group(Versioned { version, value }));
    }
    directory.put(partner(PARTNER, 13));
    directory
}

pub(super) fn partner(id: Id, version: u64) -> Item {
    let value = Partner {
        id,
        name: "Acme".into(),
        home_region: None,
        group: GROUP,
        suspended: false,
        rate_limit: 0,
        created: Timestamp(1),
    };
    Item::Partner(Versioned { version, value })
}

/// Long enough for everything that should happen.
pub(super) fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(10)
}

/// A command, with a key if so asked.
pub(super) fn envelope(key: Option<u8>) -> Envelope {
    Envelope {
        ledger: LEDGER,
        once: key.map(|key| Once {
            key: [key; 16],
            fingerprint: [key; 16],
        }),
        command: Command::CreateAccount(NewAccount {
            currency: Currency::parse("EUR").unwrap(),
            kind: AccountKind::Liability,
            constraint: Constraint::None,
            overdraft_limit: 0,
            reference: None,
            metadata: Vec::new(),
        }),
    }
}

pub(super) fn decided(index: u64) -> Act {
    let decision = Decision {
        position: Position::default(),
        effect: Effect::AccountCreated,
        replayed: false,
    };
    Act::Answer(Outcome::Decided(Decided {
        decision: encode(&decision),
        index,
        time: 5,
    }))
}

pub(super) fn failed(why: Failure, leader: u64) -> Act {
    Act::Answer(Outcome::Failed(Failed {
        why: why.into(),
        leader,
        detail: "because".to_owned(),
    }))
}
