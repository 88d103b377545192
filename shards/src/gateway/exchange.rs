//! One frontend's stream: many requests at a time, replies in the order in which they are ready.
//!
//! Every request that was taken holds a place in the queue of replies, so that whoever answers
//! it never waits, and a stream never has more to answer than its queue has places.

use super::Inner;
use super::copies::{Answer, Copies};
use crate::items::page;
use crate::limits::{FRAME_BYTES, FRAME_ITEMS, PATIENCE_MOST, STREAM_IN_FLIGHT};
use crate::wire::proto::question::Freshness;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{
    Answered, Decided, Failed, Failure, Question, Replies, Reply, Request, Requests,
};
use crate::wire::{decode, encode};
use bytes::Bytes;
use florin_failpoints::failpoint;
use florin_ledger::command::{Command, decode_envelope};
use florin_ledger::id::{DIRECTORY, GroupId, LedgerId};
use florin_ledger::query::{self, Query};
use florin_raft::{Committed, Consistency, Group, ProposeError, ReadError, Turn};
use futures_util::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

/// What is ready to be sent; turned into bytes by the stream's own task, not by whoever answers,
/// unless two streams are to send it.
enum Ready {
    Decided(u64, Result<Committed, ProposeError>),
    Answered(u64, Result<(query::Answer, u64), ReadError>),
    Reply(Reply),
    /// The stream ends here.
    End(Status),
}

/// A place for one reply.
enum Place {
    One(mpsc::OwnedPermit<Ready>),
    /// The request comes over another connection, too.
    Both(Both),
}

/// The place on the connection over which a request came first.
struct Both {
    request: u64,
    answer: Option<Answer>,
    copies: Arc<Copies>,
}

impl Drop for Both {
    fn drop(&mut self) {
        if self.answer.is_some() {
            self.copies.given_up(self.request);
        }
    }
}

impl Place {
    /// For the reply to a request that is to be done; one that was done or is being done already is
    /// answered by the other.
    fn of(
        request: &Request,
        permit: mpsc::OwnedPermit<Ready>,
        copies: &Arc<Copies>,
    ) -> Option<Place> {
        if !request.twice {
            return Some(Place::One(permit));
        }
        let answer = Box::new(move |reply| drop(permit.send(Ready::Reply(reply))));
        let answer = copies.came(request.id, answer)?;
        Some(Place::Both(Both {
            request: request.id,
            answer: Some(answer),
            copies: copies.clone(),
        }))
    }

    fn send(self, ready: Ready) {
        match self {
            Place::One(permit) => drop(permit.send(ready)),
            Place::Both(mut both) => {
                if let (Ok(reply), Some(answer)) = (ready.reply(), both.answer.take()) {
                    both.copies.done(&reply);
                    answer(reply);
                }
            }
        }
    }
}

impl Ready {
    fn reply(self) -> Result<Reply, Status> {
        match self {
            Ready::Decided(id, result) => Ok(decided(id, result)),
            Ready::Answered(id, result) => Ok(answered(id, result)),
            Ready::Reply(reply) => Ok(reply),
            Ready::End(status) => Err(status),
        }
    }
}

/// Replies, those that are ready together in one frame.
pub struct ReplyFrames {
    ready: mpsc::Receiver<Ready>,
    end: Option<Status>,
    turn: Turn,
}

/// Takes requests from now on; the stream of their replies. `session`: which one of its frontend's
/// it is, if that says so.
pub(super) fn start(
    inner: Arc<Inner>,
    session: Option<u64>,
    requests: Streaming<Requests>,
) -> ReplyFrames {
    let copies = session.map_or_else(Arc::default, |session| inner.sessions.join(session));
    let (places, ready) = mpsc::channel(STREAM_IN_FLIGHT);
    tokio::spawn(take(inner, copies, requests, places));
    ReplyFrames {
        ready,
        end: None,
        turn: Turn::default(),
    }
}

async fn take(
    inner: Arc<Inner>,
    copies: Arc<Copies>,
    mut requests: Streaming<Requests>,
    places: mpsc::Sender<Ready>,
) {
    let mut closing = inner.closing.subscribe();
    loop {
        let frame = tokio::select! {
            frame = requests.message() => frame,
            _ = closing.wait_for(|closing| *closing) => return,
        };
        let end = match frame {
            Ok(Some(frame)) => take_frame(&inner, frame, &copies, &places).await.err(),
            Ok(None) => return,
            Err(status) => Some(Status::invalid_argument(format!(
                "malformed frame: {}",
                status.message()
            ))),
        };
        if let Some(status) = end {
            // If nobody listens any more, nobody needs to know.
            let _ = places.send(Ready::End(status)).await;
            return;
        }
    }
}

async fn take_frame(
    inner: &Inner,
    frame: Requests,
    copies: &Arc<Copies>,
    places: &mpsc::Sender<Ready>,
) -> Result<(), Status> {
    failpoint!(async "shards.gateway.receive", Err(Status::unavailable("the frame was lost")));
    for request in frame.items {
        // Without a place, nothing more is read: the frontend's own queue then says "busy".
        let Ok(permit) = places.clone().reserve_owned().await else {
            return Err(Status::cancelled("the frontend has gone"));
        };
        let Some(place) = Place::of(&request, permit, copies) else {
            continue;
        };
        if places.capacity() < FRAME_ITEMS {
            failed(
                place,
                request.id,
                Failure::Busy,
                "too many requests are waiting on this stream",
            );
            continue;
        }
        take_request(inner, request, place)?;
    }
    Ok(())
}

fn take_request(inner: &Inner, request: Request, place: Place) -> Result<(), Status> {
    let Request {
        id,
        group,
        patience_ms,
        what,
        twice: _,
    } = request;
    let Some(what) = what else {
        return Err(Status::invalid_argument(
            "malformed frame: a request that asks nothing",
        ));
    };
    let group = GroupId(group);
    let Some(replica) = inner.host.group(group) else {
        failed(place, id, Failure::Stopped, "no replica of that group here");
        return Ok(());
    };
    let patience = Duration::from_millis(patience_ms.into()).min(PATIENCE_MOST);
    match what {
        What::Submit(envelope) => submit(&replica, id, envelope, patience, place),
        What::Read(question) => read(replica, id, question, patience, place),
        What::Directory(since) if group == DIRECTORY => {
            directory(replica, id, since, patience, place)
        }
        What::Directory(_) => failed(
            place,
            id,
            Failure::Rejected,
            "that group holds no directory",
        ),
    }
    Ok(())
}

/// Checks an envelope before it can reach the log, and proposes it.
fn submit(group: &Group, id: u64, envelope: Bytes, patience: Duration, place: Place) {
    let partner = match decode_envelope(&envelope) {
        Ok(decoded) if belongs(group.id(), &decoded.command) => decoded.ledger.partner,
        Ok(_) => {
            return failed(
                place,
                id,
                Failure::Rejected,
                "the command is not for that group",
            );
        }
        Err(_) => return failed(place, id, Failure::Rejected, "malformed envelope"),
    };
    group.submit(
        partner,
        envelope,
        Instant::now() + patience,
        move |decided| {
            failpoint!("shards.gateway.answer");
            place.send(Ready::Decided(id, decided));
        },
    );
}

/// Whether a frontend may submit such a command to that group.
fn belongs(group: GroupId, command: &Command) -> bool {
    match command {
        Command::Directory(_) => group == DIRECTORY,
        // Time passes by the leader's own hand.
        Command::Tick => false,
        _ => group != DIRECTORY,
    }
}

fn read(group: Group, id: u64, question: Question, patience: Duration, place: Place) {
    let decoded = decode::<(LedgerId, Query)>(&question.query, "question");
    let (Ok((ledger, query)), Some(freshness)) = (decoded, question.freshness) else {
        return failed(place, id, Failure::Rejected, "malformed question");
    };
    let consistency = match freshness {
        Freshness::Linearizable(_) => Consistency::Linearizable,
        Freshness::AtLeast(index) => Consistency::AtLeast(index),
        Freshness::Stale(_) => Consistency::Stale,
    };
    tokio::spawn(async move {
        let answered = group
            .read(consistency, ledger, &query, before(patience))
            .await;
        let answered = answered.map(|(answer, at)| (answer, at.map_or(0, |at| at.index)));
        place.send(Ready::Answered(id, answered));
    });
}

fn directory(group: Group, id: u64, since: u64, patience: Duration, place: Place) {
    tokio::spawn(async move {
        match group
            .fresh(Consistency::Linearizable, before(patience))
            .await
        {
            Ok(_) => {
                let (version, items) = group.replica().directory_since(since);
                let outcome = Outcome::Directory(page(version, items, true));
                place.send(Ready::Reply(Reply {
                    id,
                    outcome: Some(outcome),
                }));
            }
            Err(error) => {
                place.send(Ready::Answered(id, Err(error)));
            }
        }
    });
}

/// A little before patience ends, so that the reason still arrives in time.
fn before(patience: Duration) -> Instant {
    Instant::now() + patience.mul_f64(0.9)
}

fn failed(place: Place, id: u64, why: Failure, detail: &str) {
    place.send(Ready::Reply(failure(id, why, 0, detail)));
}

fn failure(id: u64, why: Failure, leader: u64, detail: &str) -> Reply {
    let failed = Failed {
        why: why.into(),
        leader,
        detail: detail.to_owned(),
    };
    Reply {
        id,
        outcome: Some(Outcome::Failed(failed)),
    }
}

fn decided(id: u64, decided: Result<Committed, ProposeError>) -> Reply {
    let why = match decided {
        Ok(committed) => {
            let decided = Decided {
                decision: encode(&committed.decision),
                index: committed.at.index,
                time: committed.time.0,
            };
            return Reply {
                id,
                outcome: Some(Outcome::Decided(decided)),
            };
        }
        Err(ProposeError::NotLeader { hint }) => {
            return failure(id, Failure::NotLeader, hint.map_or(0, |node| node.0), "");
        }
        Err(ProposeError::Busy) => Failure::Busy,
        Err(ProposeError::DiskFull) => Failure::DiskFull,
        Err(ProposeError::TooLarge) => Failure::TooLarge,
        Err(ProposeError::Unknown) => Failure::Unknown,
        Err(ProposeError::Stopped) => Failure::Stopped,
    };
    failure(id, why, 0, "")
}

fn answered(id: u64, answered: Result<(query::Answer, u64), ReadError>) -> Reply {
    match answered {
        Ok((answer, index)) => Reply {
            id,
            outcome: Some(Outcome::Answered(Answered {
                answer: encode(&answer),
                index,
            })),
        },
        Err(ReadError::NotLeader { hint }) => {
            failure(id, Failure::NotLeader, hint.map_or(0, |node| node.0), "")
        }
        Err(ReadError::TimedOut) => failure(id, Failure::NotFresh, 0, ""),
        Err(ReadError::Stopped) => failure(id, Failure::Stopped, 0, ""),
    }
}

/// About how many bytes a reply takes in a frame.
fn weight(reply: &Reply) -> usize {
    32 + match &reply.outcome {
        Some(Outcome::Decided(decided)) => decided.decision.len(),
        Some(Outcome::Answered(answered)) => answered.answer.len(),
        Some(Outcome::Directory(reply)) => reply.items.iter().map(Bytes::len).sum(),
        Some(Outcome::Failed(_)) | None => 0,
    }
}

impl Stream for ReplyFrames {
    type Item = Result<Replies, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(status) = self.end.take() {
            self.ready.close();
            return Poll::Ready(Some(Err(status)));
        }
        let waiting = self.ready.len();
        if (1..FRAME_ITEMS).contains(&waiting) && self.turn.give(context) {
            return Poll::Pending;
        }
        self.turn.take();
        let mut items = Vec::new();
        let mut bytes = 0;
        while items.len() < FRAME_ITEMS && bytes < FRAME_BYTES {
            let next = match self.ready.poll_recv(context) {
                Poll::Pending if !items.is_empty() => break,
                next => ready!(next),
            };
            let reply = match next.map(Ready::reply) {
                Some(Ok(reply)) => reply,
                Some(Err(status)) if items.is_empty() => {
                    return Poll::Ready(Some(Err(status)));
                }
                Some(Err(status)) => {
                    self.end = Some(status);
                    break;
                }
                None if items.is_empty() => return Poll::Ready(None),
                None => break,
            };
            bytes += weight(&reply);
            items.push(reply);
        }
        Poll::Ready(Some(Ok(Replies { items })))
    }
}
