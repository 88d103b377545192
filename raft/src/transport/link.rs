//! The dialling side of the stream to one peer: it connects, keeps what was asked until the
//! answer comes, and begins again when the connection is lost. A dead peer blocks nobody.

use super::dial::dial;
use super::identity;
use super::outbox::{Outbox, Rejected};
use super::proto::message::Body;
use super::proto::{Frame, Message};
use crate::clocks::Clocks;
use crate::limits;
use crate::node::Node;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::Streaming;

/// Whom a link reaches: a node, which life of it, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) node: u64,
    pub(crate) incarnation: u64,
    pub(crate) address: String,
}

/// Why a message did not go out or got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("node {0} is not connected")]
    Down(u64),
    #[error("too many messages are waiting for node {0}")]
    Full(u64),
    #[error("the connection to node {0} was lost")]
    Lost(u64),
    #[error("node {0} did not answer in time")]
    TimedOut(u64),
    #[error("node {0} refused: {1}")]
    Refused(u64, String),
    #[error("node {0} sent a malformed answer")]
    Malformed(u64),
}

enum Waiter {
    Once(oneshot::Sender<Body>),
    Session(mpsc::UnboundedSender<(u64, Body)>),
}

/// The stream to one peer, for all groups.
pub(crate) struct Link {
    target: Target,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// While connected.
    outbox: Option<Outbox>,
    next_call: u64,
    waiting: HashMap<u64, Waiter>,
}

impl Link {
    /// Starts dialling, and goes on until the link is dropped.
    pub(crate) fn start(node: &Arc<Node>, target: Target) -> Arc<Link> {
        let link = Arc::new(Link {
            target,
            state: Mutex::new(State::default()),
        });
        tokio::spawn(run(
            Arc::downgrade(node),
            Arc::downgrade(&link),
            link.target.clone(),
        ));
        link
    }

    pub(crate) fn connected(&self) -> bool {
        self.state.lock().outbox.is_some()
    }

    /// Asks and waits for the answer. A lingering question may wait a little for company.
    pub(crate) async fn call(
        self: &Arc<Self>,
        group: u32,
        body: Body,
        linger: bool,
        within: Duration,
    ) -> Result<Body, LinkError> {
        let (answer, answered) = oneshot::channel();
        let (outbox, waiting) = self.wait_for(Waiter::Once(answer))?;
        let message = Message {
            group,
            call: waiting.call,
            sequence: 0,
            body: Some(body),
        };
        let sent = if linger {
            outbox.linger(message)
        } else {
            outbox.push(message)
        };
        sent.map_err(|rejected| self.rejected(rejected))?;
        match tokio::time::timeout(within, answered).await {
            Err(_) => Err(LinkError::TimedOut(self.target.node)),
            Ok(Err(_)) => Err(LinkError::Lost(self.target.node)),
            Ok(Ok(Body::Refused(why))) => Err(LinkError::Refused(self.target.node, why)),
            Ok(Ok(body)) => Ok(body),
        }
    }

    /// Opens a sequence of appends of one group.
    pub(crate) fn session(self: &Arc<Self>, group: u32) -> Result<Session, LinkError> {
        let (answers, answered) = mpsc::unbounded_channel();
        let (outbox, waiting) = self.wait_for(Waiter::Session(answers))?;
        Ok(Session {
            group,
            next: 0,
            outbox,
            waiting,
            answered,
        })
    }

    fn wait_for(self: &Arc<Self>, waiter: Waiter) -> Result<(Outbox, Waiting), LinkError> {
        let mut state = self.state.lock();
        let outbox = state
            .outbox
            .clone()
            .ok_or(LinkError::Down(self.target.node))?;
        state.next_call += 1;
        let call = state.next_call;
        state.waiting.insert(call, waiter);
        Ok((
            outbox,
            Waiting {
                link: Arc::clone(self),
                call,
            },
        ))
    }

    fn rejected(&self, rejected: Rejected) -> LinkError {
        match rejected {
            Rejected::Full => LinkError::Full(self.target.node),
            Rejected::Closed => LinkError::Lost(self.target.node),
        }
    }

    fn deliver(&self, message: Message) {
        let Some(body) = message.body else { return };
        let mut state = self.state.lock();
        match state.waiting.get(&message.call) {
            Some(Waiter::Session(answers)) => drop(answers.send((message.sequence, body))),
            Some(Waiter::Once(_)) => {
                if let Some(Waiter::Once(answer)) = state.waiting.remove(&message.call) {
                    drop(answer.send(body));
                }
            }
            // Whoever asked has given up.
            None => (),
        }
    }

    fn connect(&self, outbox: Outbox) {
        self.state.lock().outbox = Some(outbox);
    }

    fn disconnect(&self) {
        let mut state = self.state.lock();
        if let Some(outbox) = state.outbox.take() {
            outbox.close();
        }
        state.waiting.clear();
    }

    fn waits(&self) -> bool {
        !self.state.lock().waiting.is_empty()
    }
}

/// Forgets the question when whoever asked goes away.
struct Waiting {
    link: Arc<Link>,
    call: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.link.state.lock().waiting.remove(&self.call);
    }
}

/// A sequence of appends, answered in order.
pub(crate) struct Session {
    group: u32,
    next: u64,
    outbox: Outbox,
    waiting: Waiting,
    answered: mpsc::UnboundedReceiver<(u64, Body)>,
}

impl Session {
    /// Sends the next append, waiting for room.
    pub(crate) async fn send(&mut self, body: Body) -> Result<(), LinkError> {
        let message = Message {
            group: self.group,
            call: self.waiting.call,
            sequence: self.next,
            body: Some(body),
        };
        self.next += 1;
        let sent = self.outbox.push_when_room(message).await;
        sent.map_err(|rejected| self.waiting.link.rejected(rejected))
    }

    /// The next answer. May be dropped and asked again without losing one.
    pub(crate) async fn answer(&mut self) -> Result<Body, LinkError> {
        let node = self.waiting.link.target.node;
        match self.answered.recv().await {
            None => Err(LinkError::Lost(node)),
            Some((_, Body::Refused(why))) => Err(LinkError::Refused(node, why)),
            Some((_, body)) => Ok(body),
        }
    }

    pub(crate) fn node(&self) -> u64 {
        self.waiting.link.target.node
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let end = Message {
            group: self.group,
            call: self.waiting.call,
            sequence: self.next,
            body: Some(Body::End(true)),
        };
        // If it cannot be said, the stream is gone or full, and the peer's side ends with it.
        let _ = self.outbox.push(end);
    }
}

async fn run(node: Weak<Node>, link: Weak<Link>, target: Target) {
    let mut pause = limits::RECONNECT.0;
    let mut said = String::new();
    loop {
        let (Some(node), Some(_)) = (node.upgrade(), link.upgrade()) else {
            return;
        };
        let stall = node.options.election_timeout.1;
        let clocks = Arc::clone(&node.clocks);
        let opened = open(&node, &target).await;
        drop(node);
        match opened {
            Ok((outbox, frames)) => {
                tracing::debug!(
                    peer = target.node,
                    address = target.address,
                    "connected to a peer"
                );
                said.clear();
                pause = limits::RECONNECT.0;
                if let Some(link) = link.upgrade() {
                    link.connect(outbox);
                }
                let why = read(&clocks, &link, frames, stall).await;
                if let Some(link) = link.upgrade() {
                    link.disconnect();
                }
                tracing::info!(peer = target.node, why, "the connection to a peer ended");
            }
            Err(why) => {
                // Said once, not at every attempt.
                if why != said {
                    tracing::info!(
                        peer = target.node,
                        address = target.address,
                        why,
                        "cannot reach a peer"
                    );
                    said = why;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(limits::RECONNECT.1);
    }
}

async fn open(node: &Arc<Node>, target: &Target) -> Result<(Outbox, Streaming<Frame>), String> {
    let attempt = async {
        let mut client = dial(node, &target.address).await?;
        let outbox = Outbox::new(identity::hello(node, target.node, target.incarnation));
        let reply = client.link(outbox.frames(node)).await.map_err(|status| {
            identity::learn_from_refusal(node, target.node, &status);
            status.message().to_owned()
        })?;
        let mut frames = reply.into_inner();
        let first = frames
            .message()
            .await
            .map_err(|status| status.message().to_owned())?;
        let hello = first
            .and_then(|frame| frame.hello)
            .ok_or("the peer did not introduce itself")?;
        let expected = (
            node.options.cluster.as_str(),
            target.node,
            target.incarnation,
        );
        if (
            hello.cluster.as_str(),
            hello.from_node,
            hello.from_incarnation,
        ) != expected
        {
            return Err(format!(
                "node {} of {:?} answered",
                hello.from_node, hello.cluster
            ));
        }
        Ok((outbox, frames))
    };
    match tokio::time::timeout(limits::CONNECT_TIMEOUT, attempt).await {
        Ok(opened) => opened,
        Err(_) => Err("no connection in time".to_owned()),
    }
}

/// Delivers answers until the connection ends, or is silent although answers are due: a peer
/// that vanished without a word, or a network that swallows packets.
async fn read(
    clocks: &Clocks,
    link: &Weak<Link>,
    mut frames: Streaming<Frame>,
    stall: Duration,
) -> String {
    let mut heard = Instant::now();
    loop {
        let deadline = heard + stall;
        let frame = tokio::time::timeout_at(deadline, frames.message()).await;
        let Some(link) = link.upgrade() else {
            return "it is no longer needed".to_owned();
        };
        match frame {
            Ok(Ok(Some(frame))) => {
                heard = Instant::now();
                clocks.hear(link.target.node, frame.clock);
                frame
                    .messages
                    .into_iter()
                    .for_each(|message| link.deliver(message));
            }
            Ok(Ok(None)) => return "the peer closed it".to_owned(),
            Ok(Err(status)) => return status.message().to_owned(),
            Err(_) if link.waits() => return "the peer was silent for too long".to_owned(),
            Err(_) => heard = Instant::now(),
        }
    }
}
