//! One standing connection to a node: requests that wait together leave in one frame, and each
//! reply finds its caller by number.

use crate::attempt::End;
use crate::limits::{FRAME_BYTES, FRAME_ITEMS, STREAM_BYTES, STREAM_QUEUE};
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{Replies, Request, Requests};
use florin_raft::Turn;
use futures_util::Stream;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The callers' side of a connection.
pub(crate) struct Session {
    queue: mpsc::Sender<Request>,
    queued_bytes: AtomicUsize,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
}

/// Who waits for a reply; the lock is held for moments only, never across an await.
struct Waiting {
    /// The connection stands.
    open: bool,
    callers: HashMap<u64, Caller>,
}

struct Caller {
    reply: oneshot::Sender<Result<Outcome, End>>,
    /// The request left this process, or may have.
    sent: bool,
}

impl Caller {
    /// How it ends if there will be no reply.
    fn end(&self) -> End {
        if self.sent { End::Lost } else { End::Unsent }
    }
}

/// The connection's side: frames of what waits. A stream that ends with the session.
pub(crate) struct Frames {
    queue: mpsc::Receiver<Request>,
    session: Arc<Session>,
    turn: Turn,
}

impl Session {
    pub(crate) fn new() -> (Arc<Session>, Frames) {
        let (sender, receiver) = mpsc::channel(STREAM_QUEUE);
        let session = Arc::new(Session {
            queue: sender,
            queued_bytes: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            waiting: Mutex::new(Waiting {
                open: true,
                callers: HashMap::new(),
            }),
        });
        let frames = Frames {
            queue: receiver,
            session: session.clone(),
            turn: Turn::default(),
        };
        (session, frames)
    }

    /// Sends a request and waits for its reply, at most so long. A caller that goes away before
    /// is forgotten; if its request has not left by then, it never will.
    pub(crate) async fn call(
        &self,
        group: u32,
        what: What,
        patience: Duration,
    ) -> Result<Outcome, End> {
        let (sender, mut receiver) = oneshot::channel();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut waiting = self.waiting.lock();
            if !waiting.open {
                return Err(End::Unsent);
            }
            waiting.callers.insert(
                id,
                Caller {
                    reply: sender,
                    sent: false,
                },
            );
        }
        let place = Place { session: self, id };
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        self.enqueue(Request {
            id,
            group,
            patience_ms,
            what: Some(what),
        })?;
        match tokio::time::timeout(patience, &mut receiver).await {
            Ok(reply) => reply.unwrap_or(Err(End::Lost)),
            Err(_) => match place.leave() {
                Some(caller) => Err(caller.end()),
                // The reply came at the same moment.
                None => receiver.try_recv().unwrap_or(Err(End::Lost)),
            },
        }
    }

    fn enqueue(&self, request: Request) -> Result<(), End> {
        let bytes = weight(&request);
        if self.queued_bytes.load(Ordering::Relaxed) + bytes > STREAM_BYTES {
            return Err(End::Busy);
        }
        self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.queue.try_send(request).map_err(|error| {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(_) => End::Busy,
                mpsc::error::TrySendError::Closed(_) => End::Unsent,
            }
        })
    }

    /// Hands replies to their callers; those that nobody waits for any more are dropped.
    pub(crate) fn replies(&self, replies: Replies) {
        let mut waiting = self.waiting.lock();
        for reply in replies.items {
            let Some(outcome) = reply.outcome else {
                continue;
            };
            if let Some(caller) = waiting.callers.remove(&reply.id) {
                // A caller that has just gone needs no reply.
                let _ = caller.reply.send(Ok(outcome));
            }
        }
    }

    /// The connection is gone: whoever waits is told, truthfully.
    pub(crate) fn close(&self) {
        let callers = {
            let mut waiting = self.waiting.lock();
            waiting.open = false;
            std::mem::take(&mut waiting.callers)
        };
        for caller in callers.into_values() {
            let end = caller.end();
            let _ = caller.reply.send(Err(end));
        }
    }
}

/// A caller's place among those that wait; given up when dropped.
struct Place<'a> {
    session: &'a Session,
    id: u64,
}

impl Place<'_> {
    fn leave(&self) -> Option<Caller> {
        self.session.waiting.lock().callers.remove(&self.id)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// About how many bytes a request takes in a frame.
fn weight(request: &Request) -> usize {
    32 + match &request.what {
        Some(What::Submit(envelope)) => envelope.len(),
        Some(What::Read(question)) => question.query.len(),
        Some(What::Directory(_)) | None => 0,
    }
}

impl Stream for Frames {
    type Item = Requests;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Requests>> {
        let waiting = self.queue.len();
        if (1..FRAME_ITEMS).contains(&waiting) && self.turn.give(context) {
            return Poll::Pending;
        }
        self.turn.take();
        loop {
            let mut items = Vec::new();
            let mut bytes = 0;
            let mut ended = false;
            while items.len() < FRAME_ITEMS && bytes < FRAME_BYTES {
                match self.queue.poll_recv(context) {
                    Poll::Ready(Some(request)) => {
                        bytes += weight(&request);
                        items.push(request);
                    }
                    Poll::Ready(None) => {
                        ended = true;
                        break;
                    }
                    Poll::Pending if items.is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            self.session
                .queued_bytes
                .fetch_sub(bytes, Ordering::Relaxed);
            {
                // From here on they count as sent; whoever has gone before does not go along.
                let mut waiting = self.session.waiting.lock();
                items.retain(|request| match waiting.callers.get_mut(&request.id) {
                    Some(caller) => {
                        caller.sent = true;
                        true
                    }
                    None => false,
                });
            }
            if !items.is_empty() {
                return Poll::Ready(Some(Requests { items }));
            }
            if ended {
                return Poll::Ready(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proto::{Answered, Reply};
    use bytes::Bytes;
    use futures_util::{FutureExt, StreamExt};

    const PATIENCE: Duration = Duration::from_secs(60);

    fn submit(byte: u8) -> What {
        What::Submit(Bytes::from(vec![byte; 10]))
    }

    #[tokio::test]
    async fn what_waits_together_leaves_together() {
        let (session, mut frames) = Session::new();
        let calls = futures_util::future::join_all(
            (0..64).map(|byte| session.call(1, submit(byte), PATIENCE)),
        );
        tokio::pin!(calls);
        assert!(calls.as_mut().now_or_never().is_none());
        let frame = frames.next().await.unwrap();
        assert_eq!(frame.items.len(), 64);
        assert!(frames.next().now_or_never().is_none());
        let items = frame
            .items
            .iter()
            .rev()
            .map(|request| Reply {
                id: request.id,
                outcome: Some(Outcome::Answered(Answered {
                    answer: Bytes::new(),
                    index: request.id,
                })),
            })
            .collect();
        session.replies(Replies { items });
        let replies = calls.await;
        for (at, reply) in replies.into_iter().enumerate() {
            assert!(
                matches!(reply, Ok(Outcome::Answered(Answered { index, .. })) if index == at as u64 + 1)
            );
        }
    }

    #[tokio::test]
    async fn a_lost_connection_tells_what_was_sent() {
        let (session, mut frames) = Session::new();
        let first = session.call(1, submit(1), PATIENCE);
        tokio::pin!(first);
        assert!(first.as_mut().now_or_never().is_none());
        assert_eq!(frames.next().await.unwrap().items.len(), 1);
        let second = session.call(1, submit(2), PATIENCE);
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        session.close();
        assert_eq!(first.await, Err(End::Lost));
        assert_eq!(second.await, Err(End::Unsent));
        assert_eq!(session.call(1, submit(3), PATIENCE).await, Err(End::Unsent));
    }

    #[tokio::test]
    async fn patience_ends_truthfully() {
        let (session, mut frames) = Session::new();
        assert_eq!(
            session.call(1, submit(1), Duration::from_millis(20)).await,
            Err(End::Unsent)
        );
        // What was given up before it left never leaves.
        assert!(frames.next().now_or_never().is_none());
        let call = session.call(1, submit(2), Duration::from_millis(20));
        let (end, frame) = tokio::join!(call, frames.next());
        assert_eq!(end, Err(End::Lost));
        assert_eq!(frame.unwrap().items.len(), 1);
        assert!(session.waiting.lock().callers.is_empty());
    }

    #[tokio::test]
    async fn a_full_queue_is_busy() {
        let (session, _frames) = Session::new();
        let calls = futures_util::future::join_all(
            (0..STREAM_QUEUE).map(|_| session.call(1, submit(0), PATIENCE)),
        );
        tokio::pin!(calls);
        assert!(calls.as_mut().now_or_never().is_none());
        assert_eq!(session.call(1, submit(0), PATIENCE).await, Err(End::Busy));
    }

    #[tokio::test]
    async fn large_requests_do_not_share_a_frame_without_bound() {
        let (session, mut frames) = Session::new();
        let large = || What::Submit(Bytes::from(vec![0; FRAME_BYTES]));
        let calls =
            futures_util::future::join_all((0..3).map(|_| session.call(1, large(), PATIENCE)));
        tokio::pin!(calls);
        assert!(calls.as_mut().now_or_never().is_none());
        for _ in 0..3 {
            assert_eq!(frames.next().await.unwrap().items.len(), 1);
        }
        let many = futures_util::future::join_all(
            (0..STREAM_BYTES / FRAME_BYTES).map(|_| session.call(1, large(), PATIENCE)),
        );
        tokio::pin!(many);
        assert!(many.as_mut().now_or_never().is_none());
        assert_eq!(session.call(1, large(), PATIENCE).await, Err(End::Busy));
    }
}
