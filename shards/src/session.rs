//! One session with a node: requests that wait together leave in one frame, and each reply finds its
//! caller by number. Where the network loses packets, what may be repeated goes over a second
//! connection as well, and the first reply counts.

use crate::attempt::{End, Kind};
use crate::limits::{FRAME_BYTES, FRAME_ITEMS, STREAM_BYTES, STREAM_QUEUE, TWICE_MOST};
use crate::wire::SESSION;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{Replies, Request, Requests};
use florin_raft::{Loss, Turn};
use futures_util::Stream;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// The callers' side of a session.
pub(crate) struct Session {
    /// No other session of any frontend has it, as good as surely.
    number: u64,
    queue: mpsc::Sender<Request>,
    queued_bytes: AtomicUsize,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
    loss: Loss,
    /// Told when packets are lost.
    lossy: Notify,
    /// The second connection, while there is one.
    second: Mutex<Option<mpsc::Sender<Requests>>>,
}

/// Who waits for a reply; the lock is held for moments only, never across an await.
struct Waiting {
    /// The first connection stands.
    open: bool,
    callers: HashMap<u64, Caller>,
}

struct Caller {
    reply: oneshot::Sender<Result<Outcome, End>>,
    /// When the request left this process, if it may have.
    sent: Option<Instant>,
}

impl Caller {
    /// How it ends if there will be no reply.
    fn end(&self) -> End {
        if self.sent.is_some() {
            End::Lost
        } else {
            End::Unsent
        }
    }
}

/// The first connection's side: frames of what waits. A stream that ends with the session.
pub(crate) struct Frames {
    queue: mpsc::Receiver<Request>,
    session: Arc<Session>,
    turn: Turn,
}

impl Session {
    pub(crate) fn new() -> (Arc<Session>, Frames) {
        let (sender, receiver) = mpsc::channel(STREAM_QUEUE);
        let session = Arc::new(Session {
            number: RandomState::new().build_hasher().finish(),
            queue: sender,
            queued_bytes: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            waiting: Mutex::new(Waiting {
                open: true,
                callers: HashMap::new(),
            }),
            loss: Loss::default(),
            lossy: Notify::new(),
            second: Mutex::new(None),
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
        kind: Kind,
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
                    sent: None,
                },
            );
        }
        let place = Place { session: self, id };
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        self.enqueue(Request {
            id,
            group,
            patience_ms,
            // The directory is large, and asked for seldom.
            twice: kind != Kind::Unkeyed && !matches!(what, What::Directory(_)),
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
        let mut sent = None;
        let mut waiting = self.waiting.lock();
        for reply in replies.items {
            let Some(outcome) = reply.outcome else {
                continue;
            };
            if let Some(caller) = waiting.callers.remove(&reply.id) {
                // Of one kind, for questions may be answered sooner.
                if matches!(outcome, Outcome::Decided(_)) {
                    sent = sent.or(caller.sent);
                }
                // A caller that has just gone needs no reply.
                let _ = caller.reply.send(Ok(outcome));
            }
        }
        drop(waiting);
        if sent.is_some_and(|sent| self.loss.came(sent.elapsed())) {
            self.lossy.notify_one();
        }
    }

    /// Waits until packets are lost.
    pub(crate) async fn lossy(&self) {
        self.lossy.notified().await;
    }

    /// From now on there is a second connection, or none any more: frames for it come from the
    /// stream.
    pub(crate) fn set_second(&self, frames: Option<mpsc::Sender<Requests>>) {
        *self.second.lock() = frames;
    }

    /// A frame as it leaves over the first connection. What may be repeated leaves over the second
    /// one as well, if packets are lost and the node is not busy with more than that.
    fn frame(&self, mut items: Vec<Request>, under_way: usize) -> Requests {
        let lossy = under_way <= TWICE_MOST && self.loss.lossy();
        let second = lossy.then(|| self.second.lock().clone()).flatten();
        let place = second.as_ref().and_then(|second| second.try_reserve().ok());
        for request in &mut items {
            request.twice &= place.is_some();
        }
        let copies: Vec<Request> = items.iter().filter(|one| one.twice).cloned().collect();
        if let (Some(place), false) = (place, copies.is_empty()) {
            metrics::counter!("florin_router_requests_twice_total").increment(copies.len() as u64);
            place.send(Requests { items: copies });
        }
        Requests { items }
    }

    /// A call of one of its connections, as it is to be opened.
    pub(crate) fn call_with<T>(&self, frames: T) -> tonic::Request<T> {
        let mut call = tonic::Request::new(frames);
        call.metadata_mut().insert(SESSION, self.number.into());
        call
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
            let now = Instant::now();
            let under_way = {
                // From here on they count as sent; whoever has gone before does not go along.
                let mut waiting = self.session.waiting.lock();
                items.retain(|request| match waiting.callers.get_mut(&request.id) {
                    Some(caller) => {
                        caller.sent = Some(now);
                        true
                    }
                    None => false,
                });
                waiting.callers.len()
            };
            if !items.is_empty() {
                return Poll::Ready(Some(self.session.frame(items, under_way)));
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
            (0..64).map(|byte| session.call(1, submit(byte), Kind::Keyed, PATIENCE)),
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
        let first = session.call(1, submit(1), Kind::Keyed, PATIENCE);
        tokio::pin!(first);
        assert!(first.as_mut().now_or_never().is_none());
        assert_eq!(frames.next().await.unwrap().items.len(), 1);
        let second = session.call(1, submit(2), Kind::Keyed, PATIENCE);
        tokio::pin!(second);
        assert!(second.as_mut().now_or_never().is_none());
        session.close();
        assert_eq!(first.await, Err(End::Lost));
        assert_eq!(second.await, Err(End::Unsent));
        assert_eq!(
            session.call(1, submit(3), Kind::Keyed, PATIENCE).await,
            Err(End::Unsent)
        );
    }

    #[tokio::test]
    async fn patience_ends_truthfully() {
        let (session, mut frames) = Session::new();
        assert_eq!(
            session
                .call(1, submit(1), Kind::Keyed, Duration::from_millis(20))
                .await,
            Err(End::Unsent)
        );
        // What was given up before it left never leaves.
        assert!(frames.next().now_or_never().is_none());
        let call = session.call(1, submit(2), Kind::Keyed, Duration::from_millis(20));
        let (end, frame) = tokio::join!(call, frames.next());
        assert_eq!(end, Err(End::Lost));
        assert_eq!(frame.unwrap().items.len(), 1);
        assert!(session.waiting.lock().callers.is_empty());
    }

    #[tokio::test]
    async fn a_full_queue_is_busy() {
        let (session, _frames) = Session::new();
        let calls = futures_util::future::join_all(
            (0..STREAM_QUEUE).map(|_| session.call(1, submit(0), Kind::Keyed, PATIENCE)),
        );
        tokio::pin!(calls);
        assert!(calls.as_mut().now_or_never().is_none());
        assert_eq!(
            session.call(1, submit(0), Kind::Keyed, PATIENCE).await,
            Err(End::Busy)
        );
    }

    #[tokio::test]
    async fn large_requests_do_not_share_a_frame_without_bound() {
        let (session, mut frames) = Session::new();
        let large = || What::Submit(Bytes::from(vec![0; FRAME_BYTES]));
        let calls = futures_util::future::join_all(
            (0..3).map(|_| session.call(1, large(), Kind::Keyed, PATIENCE)),
        );
        tokio::pin!(calls);
        assert!(calls.as_mut().now_or_never().is_none());
        for _ in 0..3 {
            assert_eq!(frames.next().await.unwrap().items.len(), 1);
        }
        let many = futures_util::future::join_all(
            (0..STREAM_BYTES / FRAME_BYTES)
                .map(|_| session.call(1, large(), Kind::Keyed, PATIENCE)),
        );
        tokio::pin!(many);
        assert!(many.as_mut().now_or_never().is_none());
        assert_eq!(
            session.call(1, large(), Kind::Keyed, PATIENCE).await,
            Err(End::Busy)
        );
    }

    #[tokio::test]
    async fn what_may_be_repeated_goes_twice_where_packets_are_lost() {
        let (session, mut frames) = Session::new();
        let (sender, mut second) = mpsc::channel(2);
        session.set_second(Some(sender));
        let calls = futures_util::future::join_all([
            session.call(1, submit(1), Kind::Keyed, PATIENCE),
            session.call(1, submit(2), Kind::Unkeyed, PATIENCE),
        ]);
        tokio::pin!(calls);
        assert!(calls.as_mut().now_or_never().is_none());
        let frame = frames.next().await.unwrap();
        assert!(frame.items.iter().all(|request| !request.twice));
        assert!(second.try_recv().is_err());
        // Packets are lost.
        let uneven = [100, 400].map(Duration::from_millis);
        while !uneven.map(|after| session.loss.came(after))[1] {}
        let calls = futures_util::future::join_all([
            session.call(1, submit(3), Kind::Keyed, PATIENCE),
            session.call(1, submit(4), Kind::Unkeyed, PATIENCE),
            session.call(1, submit(5), Kind::Question, PATIENCE),
        ]);
        tokio::pin!(calls);
        assert!(calls.as_mut().now_or_never().is_none());
        let frame = frames.next().await.unwrap();
        let twice: Vec<bool> = frame.items.iter().map(|request| request.twice).collect();
        assert_eq!(twice, [true, false, true]);
        let copy = second.try_recv().unwrap();
        assert_eq!(copy.items, [frame.items[0].clone(), frame.items[2].clone()]);
        // The first reply counts, over whichever connection it comes.
        for (first, request) in [(true, &copy.items[0]), (false, &copy.items[0])] {
            let answered = Answered {
                answer: Bytes::new(),
                index: u64::from(first),
            };
            let items = vec![Reply {
                id: request.id,
                outcome: Some(Outcome::Answered(answered)),
            }];
            session.replies(Replies { items });
        }
        session.close();
        let [first, second, third] = calls.await.try_into().unwrap();
        assert!(matches!(
            first,
            Ok(Outcome::Answered(Answered { index: 1, .. }))
        ));
        assert_eq!([second, third], [Err(End::Lost), Err(End::Lost)]);
    }
}
