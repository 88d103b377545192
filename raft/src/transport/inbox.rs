//! What one peer's stream asks of the groups here. Appends of a session go to their group in
//! order; everything else is answered by a task of its own.

use super::outbox::Outbox;
use super::proto::message::Body;
use super::proto::{Append, Ballot, Handover, Message};
use super::wire::{self, BadMessage};
use crate::limits;
use crate::node::Node;
use crate::replicated::Replicated;
use crate::types::Types;
use florin_failpoints::failpoint;
use florin_ledger::id::GroupId;
use futures_util::stream::{self, StreamExt};
use openraft::raft::AppendEntriesRequest;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// One peer's stream, as it is read.
pub(crate) struct Inbox {
    node: Arc<Node>,
    outbox: Outbox,
    sessions: HashMap<u64, mpsc::Sender<AppendEntriesRequest<Types>>>,
    calls: Arc<Semaphore>,
}

impl Inbox {
    pub(crate) fn new(node: Arc<Node>, outbox: Outbox) -> Inbox {
        let calls = Arc::new(Semaphore::new(limits::CALLS_PER_STREAM));
        Inbox {
            node,
            outbox,
            sessions: HashMap::new(),
            calls,
        }
    }

    /// Takes one message. An error ends the stream.
    pub(crate) fn take(&mut self, mut message: Message) -> Result<(), BadMessage> {
        let body = message.body.take().ok_or(BadMessage("empty"))?;
        if let Body::End(_) = body {
            self.sessions.remove(&message.call);
            return Ok(());
        }
        let Some(group) = self.node.group(GroupId(message.group)) else {
            self.refuse(&message, "no replica of that group is here");
            return Ok(());
        };
        match body {
            Body::Append(append) => self.append(&message, &group, append),
            Body::Heartbeat(append) => self.heartbeat(message, group, append),
            Body::Vote(ballot) => self.vote(message, group, ballot, false),
            Body::PreVote(ballot) => self.vote(message, group, ballot, true),
            Body::TransferLeader(handover) => self.transfer_leader(message, group, handover),
            _ => Err(BadMessage("an answer where a question belongs")),
        }
    }

    fn append(
        &mut self,
        message: &Message,
        group: &Arc<Replicated>,
        append: Append,
    ) -> Result<(), BadMessage> {
        failpoint!(
            "raft.receive.append",
            Err(BadMessage("an append that was lost"))
        );
        let request = wire::read_append(append)?;
        // A full disk must not become a failed write, which would end the replica: what cannot be
        // kept is not taken, and the leader tries again.
        if !request.entries.is_empty()
            && let Err(full) = self.node.log.writable()
        {
            self.sessions.remove(&message.call);
            self.refuse(message, &full.to_string());
            return Ok(());
        }
        if message.sequence == 0 {
            let (requests, receiver) = mpsc::channel(limits::INBOX_PER_SESSION);
            self.sessions.retain(|_, session| !session.is_closed());
            self.sessions.insert(message.call, requests);
            tokio::spawn(session(
                group.clone(),
                receiver,
                message.group,
                message.call,
                self.outbox.clone(),
            ));
        }
        // A session that ended by an error is followed by what was already on the way.
        let Some(requests) = self.sessions.get(&message.call) else {
            return Ok(());
        };
        match requests.try_send(request) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.sessions.remove(&message.call);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => Err(BadMessage("more appends than agreed")),
        }
    }

    fn heartbeat(
        &self,
        message: Message,
        group: Arc<Replicated>,
        append: Append,
    ) -> Result<(), BadMessage> {
        failpoint!(
            "raft.receive.heartbeat",
            Err(BadMessage("a heartbeat that was lost"))
        );
        let request = wire::read_append(append)?;
        if !request.entries.is_empty() {
            return Err(BadMessage("entries in a heartbeat"));
        }
        self.answer(message, async move {
            let previous = request.prev_log_id;
            let response = group
                .raft
                .append_entries(request)
                .await
                .map_err(|error| error.to_string())?;
            if response.is_conflict() && previous.is_none() {
                return Err("conflict at the beginning".to_owned());
            }
            let result = response.into_stream_result(previous, previous);
            Ok(Body::AppendReply(wire::append_reply(&result)))
        });
        Ok(())
    }

    /// No double vote: this node may have promised its support to a leader before it restarted,
    /// and promises of time are not kept on disk. Until they have run out, it grants nothing.
    fn vote(
        &self,
        message: Message,
        group: Arc<Replicated>,
        ballot: Ballot,
        pre: bool,
    ) -> Result<(), BadMessage> {
        failpoint!(
            "raft.receive.ballot",
            Err(BadMessage("a ballot that was lost"))
        );
        let request = wire::read_ballot(ballot)?;
        if self.node.has_just_started() {
            self.refuse(
                &message,
                "this node has just started and grants no votes yet",
            );
            return Ok(());
        }
        self.answer(message, async move {
            let response = if pre {
                group.raft.pre_vote(request).await
            } else {
                group.raft.vote(request).await
            };
            let response = response.map_err(|error| error.to_string())?;
            Ok(Body::VoteReply(wire::ballot_reply(&response)))
        });
        Ok(())
    }

    fn transfer_leader(
        &self,
        message: Message,
        group: Arc<Replicated>,
        handover: Handover,
    ) -> Result<(), BadMessage> {
        failpoint!(
            "raft.receive.handover",
            Err(BadMessage("a handover that was lost"))
        );
        let request = wire::read_handover(handover)?;
        self.answer(message, async move {
            let response = group
                .raft
                .handle_transfer_leader(request)
                .await
                .map_err(|error| error.to_string())?;
            Ok(Body::TransferLeaderReply(wire::handover_reply(&response)))
        });
        Ok(())
    }

    fn answer(
        &self,
        message: Message,
        work: impl Future<Output = Result<Body, String>> + Send + 'static,
    ) {
        let Ok(permit) = Arc::clone(&self.calls).try_acquire_owned() else {
            self.refuse(&message, "too many calls at once");
            return;
        };
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            let body = work.await.unwrap_or_else(Body::Refused);
            // If it cannot be said, the stream is gone or full, and the peer's deadline speaks.
            let reply = Message {
                body: Some(body),
                ..message
            };
            let _ = outbox.push(reply);
            drop(permit);
        });
    }

    fn refuse(&self, message: &Message, why: &str) {
        let refusal = Message {
            group: message.group,
            call: message.call,
            sequence: message.sequence,
            body: Some(Body::Refused(why.to_owned())),
        };
        let _ = self.outbox.push(refusal);
    }
}

/// Hands the appends of one session to their group, and its answers back, both in order.
async fn session(
    replicated: Arc<Replicated>,
    requests: mpsc::Receiver<AppendEntriesRequest<Types>>,
    group: u32,
    call: u64,
    outbox: Outbox,
) {
    let requests = stream::unfold(requests, |mut requests| async move {
        requests.recv().await.map(|request| (request, requests))
    });
    let mut results = std::pin::pin!(replicated.raft.stream_append(Box::pin(requests)));
    let mut sequence = 0;
    while let Some(result) = results.next().await {
        let (body, over) = match &result {
            Ok(result) => (
                Body::AppendReply(wire::append_reply(result)),
                result.is_err(),
            ),
            Err(fatal) => (Body::Refused(fatal.to_string()), true),
        };
        let message = Message {
            group,
            call,
            sequence,
            body: Some(body),
        };
        if outbox.push_when_room(message).await.is_err() || over {
            return;
        }
        sequence += 1;
    }
}
