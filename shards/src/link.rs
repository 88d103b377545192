//! The way to one node: connected for ever, one session at a time, with a second connection where
//! the network loses packets.

use crate::attempt::{End, Kind};
use crate::connector::Connector;
use crate::leaders::Leaders;
use crate::limits::{CONNECT_TIMEOUT, KEEP_ALIVE, MESSAGE_BYTES, RECONNECT, SECOND_QUEUE, WINDOWS};
use crate::session::Session;
use crate::wire::proto::gateway_client::GatewayClient;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{HelloReply, HelloRequest, LeadersReply, LeadersRequest, Replies};
use arc_swap::ArcSwapOption;
use florin_ledger::id::{GroupId, NodeId};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint, Uri};

/// A client of a node's gateway.
pub(crate) type Client = GatewayClient<Channel>;

/// One node's address, and the connection to it while there is one.
pub(crate) struct Link {
    pub(crate) address: String,
    standing: ArcSwapOption<Standing>,
    /// Why it is not connected.
    trouble: Mutex<String>,
}

/// A connection that stands.
pub(crate) struct Standing {
    /// Who is at its end.
    pub(crate) peer: HelloReply,
    pub(crate) client: Client,
    session: Arc<Session>,
}

impl Standing {
    pub(crate) fn node(&self) -> NodeId {
        NodeId(self.peer.node)
    }
}

impl Link {
    pub(crate) fn new(address: &str) -> Arc<Link> {
        Arc::new(Link {
            address: address.to_owned(),
            standing: ArcSwapOption::empty(),
            trouble: Mutex::new("not connected yet".to_owned()),
        })
    }

    pub(crate) fn standing(&self) -> Option<Arc<Standing>> {
        self.standing.load_full()
    }

    /// The node at its end, while it is connected.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.standing
            .load()
            .as_ref()
            .map(|standing| standing.node())
    }

    pub(crate) fn trouble(&self) -> String {
        self.trouble.lock().clone()
    }

    /// Sends a request and waits for its reply, at most so long.
    pub(crate) async fn call(
        &self,
        group: GroupId,
        what: What,
        kind: Kind,
        patience: Duration,
    ) -> Result<Outcome, End> {
        let session = self
            .standing
            .load()
            .as_ref()
            .map(|standing| standing.session.clone());
        match session {
            Some(session) => session.call(group.0, what, kind, patience).await,
            None => Err(End::Unsent),
        }
    }

    /// Connects, serves the connection until it breaks, and connects again, for ever. `changed`
    /// is called whenever the connection stands or has fallen.
    pub(crate) async fn run(
        self: Arc<Link>,
        connector: Connector,
        cluster: String,
        leaders: Arc<Leaders>,
        changed: impl Fn(),
    ) {
        let mut pause = RECONNECT.0;
        loop {
            match self.connect(&connector, &cluster).await {
                Ok(connection) => {
                    pause = RECONNECT.0;
                    let node = connection.standing.node();
                    tracing::debug!(address = %self.address, node = node.0, "connected");
                    let why = self
                        .serve(connection, &connector, &cluster, &leaders, &changed)
                        .await;
                    tracing::debug!(address = %self.address, node = node.0, %why, "connection lost");
                    *self.trouble.lock() = why;
                }
                Err(why) => {
                    let mut trouble = self.trouble.lock();
                    if *trouble != why {
                        tracing::warn!(address = %self.address, %why, "node cannot be reached");
                    }
                    *trouble = why;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT.1);
        }
    }

    async fn connect(&self, connector: &Connector, cluster: &str) -> Result<Connection, String> {
        let mut client = client(&self.address, connector).await?;
        let peer = hello(&mut client, cluster).await?;
        if peer.cluster != cluster {
            return Err(format!(
                "it belongs to cluster `{}`, not to `{cluster}`",
                peer.cluster
            ));
        }
        let (session, frames) = Session::new();
        let (replies, leaders) = in_time(async {
            let replies = client
                .exchange(session.call_with(frames))
                .await
                .map_err(words)?
                .into_inner();
            let leaders = client
                .leaders(LeadersRequest {})
                .await
                .map_err(words)?
                .into_inner();
            Ok((replies, leaders))
        })
        .await?;
        let standing = Arc::new(Standing {
            peer,
            client,
            session,
        });
        Ok(Connection {
            standing,
            replies,
            leaders,
        })
    }

    /// Serves a connection until it breaks; says why.
    async fn serve(
        &self,
        mut connection: Connection,
        connector: &Connector,
        cluster: &str,
        leaders: &Leaders,
        changed: &impl Fn(),
    ) -> String {
        let _fallen = Fallen {
            link: self,
            session: connection.standing.session.clone(),
            changed,
        };
        self.standing.store(Some(connection.standing.clone()));
        changed();
        let mut second = pin!(self.second(&connection.standing, connector, cluster));
        loop {
            tokio::select! {
                never = &mut second => match never {},
                frame = connection.replies.message() => match frame {
                    Ok(Some(replies)) => connection.standing.session.replies(replies),
                    Ok(None) => return "the node closed the connection".to_owned(),
                    Err(status) => return words(status),
                },
                news = connection.leaders.message() => match news {
                    Ok(Some(news)) => learn(leaders, news),
                    Ok(None) => return "the node closed the connection".to_owned(),
                    Err(status) => return words(status),
                },
            }
        }
    }

    /// Connects once more whenever packets are lost, and serves that connection until it breaks.
    async fn second(
        &self,
        standing: &Standing,
        connector: &Connector,
        cluster: &str,
    ) -> Infallible {
        if !standing.peer.copies {
            // It would do twice what comes twice.
            return std::future::pending().await;
        }
        let session = &standing.session;
        loop {
            session.lossy().await;
            let why = match self.serve_second(standing, connector, cluster).await {
                Ok(()) => "the node closed it".to_owned(),
                Err(why) => why,
            };
            session.set_second(None);
            tracing::debug!(address = %self.address, %why, "no second connection");
            tokio::time::sleep(RECONNECT.1).await;
        }
    }

    async fn serve_second(
        &self,
        standing: &Standing,
        connector: &Connector,
        cluster: &str,
    ) -> Result<(), String> {
        let Standing { peer, session, .. } = standing;
        let mut client = client(&self.address, connector).await?;
        let there = hello(&mut client, cluster).await?;
        let life = |hello: &HelloReply| (hello.cluster.clone(), hello.node, hello.incarnation);
        if life(&there) != life(peer) {
            return Err(format!("node {} is at its end", there.node));
        }
        let (sender, frames) = mpsc::channel(SECOND_QUEUE);
        let frames = session.call_with(ReceiverStream::new(frames));
        let replies = in_time(async { client.exchange(frames).await.map_err(words) }).await?;
        let mut replies = replies.into_inner();
        tracing::debug!(address = %self.address, "a second connection, for packets are lost");
        session.set_second(Some(sender));
        while let Some(frame) = replies.message().await.map_err(words)? {
            session.replies(frame);
        }
        Ok(())
    }
}

struct Connection {
    standing: Arc<Standing>,
    replies: Streaming<Replies>,
    leaders: Streaming<LeadersReply>,
}

/// However serving ends, the link has fallen after it and its callers are told.
struct Fallen<'a, F: Fn()> {
    link: &'a Link,
    session: Arc<Session>,
    changed: &'a F,
}

impl<F: Fn()> Drop for Fallen<'_, F> {
    fn drop(&mut self) {
        self.link.standing.store(None);
        self.session.close();
        (self.changed)();
    }
}

fn learn(leaders: &Leaders, news: LeadersReply) {
    for leader in news.leaders {
        let node = (leader.node != 0).then_some(NodeId(leader.node));
        leaders.learn(GroupId(leader.group), leader.term, node);
    }
}

/// A new connection to a node's gateway.
pub(crate) async fn client(address: &str, connector: &Connector) -> Result<Client, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| format!("`{address}` is not host:port"))?
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .http2_keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .keep_alive_while_idle(true);
    let connector = connector.clone();
    let address = address.to_owned();
    let open = tower::service_fn(move |_: Uri| {
        let (connector, address) = (connector.clone(), address.clone());
        async move { connector.open(address).await.map(TokioIo::new) }
    });
    let channel = in_time(async {
        endpoint
            .connect_with_connector(open)
            .await
            .map_err(|error| reasons(&error))
    })
    .await?;
    Ok(GatewayClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES))
}

/// Asks a node who it is.
pub(crate) async fn hello(client: &mut Client, cluster: &str) -> Result<HelloReply, String> {
    let request = HelloRequest {
        cluster: cluster.to_owned(),
    };
    let reply = in_time(async { client.hello(request).await.map_err(words) }).await?;
    Ok(reply.into_inner())
}

async fn in_time<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match tokio::time::timeout(CONNECT_TIMEOUT, what).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {CONNECT_TIMEOUT:?}")),
    }
}

/// A status in words, for people.
pub(crate) fn words(status: tonic::Status) -> String {
    if status.message().is_empty() {
        status.code().description().to_owned()
    } else {
        status.message().to_owned()
    }
}

/// An error and what is behind it, for people.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut behind = error.source();
    while let Some(error) = behind {
        words = format!("{words}: {error}");
        behind = error.source();
    }
    words
}
