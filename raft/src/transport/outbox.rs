//! Messages that wait for one stream. What waits together travels in one frame; heartbeats may
//! wait a little for company.

use super::proto::{Frame, Hello, Message};
use crate::limits;
use crate::node::Node;
use crate::turn::Turn;
use futures_util::stream::{Stream, StreamExt};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use prost::Message as _;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// There is no room, or the stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    Full,
    Closed,
}

/// The queue of one stream. Clones share it.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    reader: AtomicWaker,
    room: Notify,
}

#[derive(Default)]
struct Queue {
    hello: Option<Hello>,
    messages: VecDeque<Message>,
    /// Heartbeats, and when the first of them must go.
    lingering: Vec<Message>,
    linger_until: Option<Instant>,
    closed: bool,
}

impl Outbox {
    /// A queue whose first frame holds `hello`.
    pub(crate) fn new(hello: Hello) -> Outbox {
        let queue = Queue {
            hello: Some(hello),
            ..Queue::default()
        };
        Outbox(Arc::new(Shared {
            queue: Mutex::new(queue),
            reader: AtomicWaker::new(),
            room: Notify::new(),
        }))
    }

    /// Sends a message as soon as possible, unless there is no room.
    pub(crate) fn push(&self, message: Message) -> Result<(), Rejected> {
        {
            let mut queue = self.0.queue.lock();
            if queue.closed {
                return Err(Rejected::Closed);
            }
            if queue.messages.len() >= limits::PEER_QUEUE {
                return Err(Rejected::Full);
            }
            queue.messages.push_back(message);
        }
        self.0.reader.wake();
        Ok(())
    }

    /// Sends a message with the next frame, or on its own after a little while.
    pub(crate) fn linger(&self, message: Message) -> Result<(), Rejected> {
        {
            let mut queue = self.0.queue.lock();
            if queue.closed {
                return Err(Rejected::Closed);
            }
            if queue.lingering.len() >= limits::PEER_QUEUE {
                return Err(Rejected::Full);
            }
            queue.lingering.push(message);
            if queue.linger_until.is_some() {
                return Ok(());
            }
            queue.linger_until = Some(Instant::now() + limits::HEARTBEAT_LINGER);
        }
        self.0.reader.wake();
        Ok(())
    }

    /// Waits for room, then sends.
    pub(crate) async fn push_when_room(&self, message: Message) -> Result<(), Rejected> {
        loop {
            let room = self.0.room.notified();
            tokio::pin!(room);
            // Registered before the look, or the room that appears between would be missed.
            room.as_mut().enable();
            {
                let mut queue = self.0.queue.lock();
                if queue.closed {
                    return Err(Rejected::Closed);
                }
                if queue.messages.len() < limits::PEER_QUEUE {
                    queue.messages.push_back(message);
                    drop(queue);
                    self.0.reader.wake();
                    return Ok(());
                }
            }
            room.await;
        }
    }

    /// Ends the stream; what still waits is dropped.
    pub(crate) fn close(&self) {
        {
            let mut queue = self.0.queue.lock();
            queue.closed = true;
            queue.messages.clear();
            queue.lingering.clear();
        }
        self.0.reader.wake();
        self.0.room.notify_waiters();
    }

    /// The frames, for tonic to send; each shows this node's clock.
    pub(crate) fn frames(&self, node: &Arc<Node>) -> impl Stream<Item = Frame> + Send + 'static {
        let node = Arc::downgrade(node);
        self.unstamped().map(move |frame| Frame {
            clock: node.upgrade().map_or(0, |node| node.clocks.show()),
            ..frame
        })
    }

    fn unstamped(&self) -> Frames {
        Frames {
            outbox: self.clone(),
            timer: None,
            turn: Turn::default(),
        }
    }

    /// There are messages, but not so many that a frame would be full.
    fn has_some(&self) -> bool {
        let waiting = self.0.queue.lock().messages.len();
        (1..limits::FRAME_MESSAGES).contains(&waiting)
    }

    fn take(&self) -> Taken {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return Taken::End;
        }
        let hello = queue.hello.take();
        let due = queue
            .linger_until
            .is_some_and(|until| until <= Instant::now());
        if hello.is_none() && queue.messages.is_empty() && !due {
            return Taken::Nothing(queue.linger_until);
        }
        queue.linger_until = None;
        let mut messages = std::mem::take(&mut queue.lingering);
        let was_full = queue.messages.len() >= limits::PEER_QUEUE;
        let mut bytes = 0;
        while bytes < limits::FRAME_BYTES
            && let Some(message) = queue.messages.pop_front()
        {
            bytes += message.encoded_len();
            messages.push(message);
        }
        drop(queue);
        if was_full {
            self.0.room.notify_waiters();
        }
        metrics::histogram!("florin_raft_frame_messages").record(messages.len() as f64);
        Taken::Frame(Frame {
            hello,
            messages,
            clock: 0,
        })
    }
}

enum Taken {
    Frame(Frame),
    Nothing(Option<Instant>),
    End,
}

/// The reading end. tonic polls it whenever the connection can take more, so no task stands
/// between a message and the wire.
pub(crate) struct Frames {
    outbox: Outbox,
    timer: Option<Pin<Box<Sleep>>>,
    turn: Turn,
}

impl Frames {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.outbox.0.reader.register(cx.waker());
        if self.outbox.has_some() && self.turn.give(cx) {
            return Poll::Pending;
        }
        loop {
            match self.outbox.take() {
                Taken::End => return Poll::Ready(None),
                Taken::Frame(frame) => {
                    self.timer = None;
                    self.turn.take();
                    return Poll::Ready(Some(frame));
                }
                Taken::Nothing(None) => return Poll::Pending,
                Taken::Nothing(Some(until)) => {
                    let timer = self
                        .timer
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                    if timer.deadline() != until {
                        timer.as_mut().reset(until);
                    }
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        self.poll_frame(cx)
    }
}

impl Drop for Frames {
    /// Nobody reads any more: the connection is gone.
    fn drop(&mut self) {
        self.outbox.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn message(group: u32) -> Message {
        Message {
            group,
            ..Message::default()
        }
    }

    fn groups(frame: &Frame) -> Vec<u32> {
        frame.messages.iter().map(|message| message.group).collect()
    }

    #[tokio::test]
    async fn what_waits_together_travels_together() {
        let outbox = Outbox::new(Hello::default());
        let mut frames = outbox.unstamped();
        outbox.push(message(1)).unwrap();
        outbox.push(message(2)).unwrap();
        let frame = frames.next().await.unwrap();
        assert!(frame.hello.is_some());
        assert_eq!(groups(&frame), [1, 2]);
        assert!(frames.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn heartbeats_wait_for_company_but_not_for_long() {
        let outbox = Outbox::new(Hello::default());
        let mut frames = outbox.unstamped();
        frames.next().await.unwrap();
        let began = Instant::now();
        outbox.linger(message(1)).unwrap();
        outbox.linger(message(2)).unwrap();
        assert_eq!(groups(&frames.next().await.unwrap()), [1, 2]);
        assert!(began.elapsed() >= limits::HEARTBEAT_LINGER);
        outbox.linger(message(3)).unwrap();
        outbox.push(message(4)).unwrap();
        // The first look gives way, the second takes both.
        assert!(frames.next().now_or_never().is_none());
        let frame = frames.next().now_or_never().flatten().unwrap();
        assert_eq!(groups(&frame), [3, 4]);
    }

    #[tokio::test]
    async fn a_full_queue_rejects_and_recovers() {
        let outbox = Outbox::new(Hello::default());
        let mut frames = outbox.unstamped();
        for group in 0..limits::PEER_QUEUE as u32 {
            outbox.push(message(group)).unwrap();
        }
        assert_eq!(outbox.push(message(0)), Err(Rejected::Full));
        let waiting = outbox.push_when_room(message(7));
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        frames.next().await.unwrap();
        assert_eq!(waiting.await, Ok(()));
        drop(frames);
        assert_eq!(outbox.push(message(0)), Err(Rejected::Closed));
    }
}
