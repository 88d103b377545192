//! Whole ledgers on their way between nodes: each on a connection of its own, in chunks, under
//! a rate that all snapshots of the node share. Nothing is prepared ahead: the sender reads its
//! replica while it sends, so what arrives is newer than the checkpoint that consensus named.

use crate::blocking::Blocking;
use crate::limits;
use crate::machine::SnapshotData;
use crate::node::Node;
use crate::persister;
use crate::progress::while_going;
use crate::replicated::Replicated;
use crate::transport::dial::dial;
use crate::transport::identity;
use crate::transport::link::Target;
use crate::transport::proto::{FetchRequest, Hello, SnapshotHeader, SnapshotPart};
use crate::transport::wire;
use crate::types::{self, RaftVote};
use bytes::Bytes;
use florin_failpoints::failpoint;
use florin_storage::LogPosition;
use florin_storage::log::GroupLog;
use florin_storage::replica::{Replica, SnapshotReader, SnapshotWriter};
use futures_util::stream::{self, Stream, StreamExt};
use openraft::{Snapshot, SnapshotMeta};
use parking_lot::Mutex;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tonic::{Status, Streaming};

/// Lets bytes pass at no more than a rate, over all who share it.
pub(crate) struct Rate {
    bytes_per_second: u64,
    free_at: Mutex<Instant>,
}

impl Rate {
    pub(crate) fn new(bytes_per_second: u64) -> Rate {
        Rate {
            bytes_per_second: bytes_per_second.max(1),
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Takes room for so many bytes; they may go after this long.
    fn take(&self, bytes: usize, now: Instant) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let mut free_at = self.free_at.lock();
        let begin = (*free_at).max(now);
        *free_at = begin + cost;
        begin - now
    }
}

/// A snapshot that is being read.
pub(crate) struct Opened {
    pub(crate) position: LogPosition,
    membership: Option<(Option<LogPosition>, Bytes)>,
    chunks: mpsc::Receiver<Result<Bytes, String>>,
}

/// Begins to read a replica, as it is now.
pub(crate) async fn open(
    node: &Arc<Node>,
    replica: &Replica,
    log: &GroupLog,
) -> Result<Opened, String> {
    let (replica, log) = (replica.clone(), log.clone());
    let begun = node.options.blocking.run(move || begin(&replica, &log));
    let reader = begun.await.map_err(|error| error.to_string())??;
    let (position, membership) = (reader.position(), reader.membership());
    let (sender, chunks) = mpsc::channel(limits::SNAPSHOT_CHUNKS);
    tokio::spawn(read(Arc::clone(node), reader, sender));
    Ok(Opened {
        position,
        membership,
        chunks,
    })
}

fn begin(replica: &Replica, log: &GroupLog) -> Result<SnapshotReader, String> {
    // The fresher it is, the less of the log has to follow. If nothing can be written now, what
    // was written before will do.
    if let Err(error) = persister::write(replica, log) {
        tracing::warn!(group = replica.group().0, %error, "could not persist before a snapshot");
    }
    replica.snapshot().map_err(|error| error.to_string())
}

type Chunk = Result<Bytes, String>;

/// The next chunks. Nothing is persisted here until the mutable part has been read, so all of that,
/// if memory allows, is read before any of it leaves: a peer that is slow to take it holds nobody up.
fn next_chunks(reader: &mut SnapshotReader) -> Vec<Chunk> {
    let (mut chunks, mut bytes) = (Vec::new(), 0);
    loop {
        let Some(chunk) = reader.next() else {
            return chunks;
        };
        bytes += chunk.as_ref().map_or(0, Bytes::len);
        chunks.push(chunk.map_err(|error| error.to_string()));
        if !reader.holds_still() || bytes >= limits::SNAPSHOT_AHEAD_BYTES {
            return chunks;
        }
    }
}

/// Reads on and on, and lets it leave no faster than the rate allows.
async fn read(node: Arc<Node>, mut reader: SnapshotReader, sender: mpsc::Sender<Chunk>) {
    loop {
        let next = node
            .options
            .blocking
            .run(move || (next_chunks(&mut reader), reader));
        let chunks = match next.await {
            Ok((chunks, rest)) => {
                reader = rest;
                chunks
            }
            Err(error) => return drop(sender.send(Err(error.to_string())).await),
        };
        if chunks.is_empty() {
            return;
        }
        for chunk in chunks {
            if let Ok(bytes) = &chunk {
                tokio::time::sleep(node.snapshot_rate.take(bytes.len(), Instant::now())).await;
            }
            let failed = chunk.is_err();
            if sender.send(chunk).await.is_err() || failed {
                return give_up(&node.options.blocking, reader).await;
            }
        }
    }
}

/// Drops a reader or a writer where it may block: it waits for whoever writes the ledger.
async fn give_up<T: Send + 'static>(blocking: &Blocking, half_done: T) {
    // If the thread fails, the process is ending.
    let _given_up = blocking.run(move || drop(half_done)).await;
}

enum Next {
    Header(Box<SnapshotHeader>, mpsc::Receiver<Result<Bytes, String>>),
    Chunks(mpsc::Receiver<Result<Bytes, String>>),
    End,
}

impl Opened {
    /// As it travels: a header, chunks, and a last part without which it counts as cut off.
    pub(crate) fn parts(
        self,
        group: u32,
        hello: Hello,
        vote: Option<&RaftVote>,
    ) -> impl Stream<Item = Result<SnapshotPart, Status>> + Send + 'static {
        let (membership_at, membership) = self.membership.unwrap_or_default();
        let header = SnapshotHeader {
            hello: Some(hello),
            group,
            vote: vote.map(wire::vote),
            position: Some(wire::log_id(&types::to_log_id(self.position))),
            membership,
            membership_at: membership_at.map(|at| wire::log_id(&types::to_log_id(at))),
        };
        stream::unfold(
            Next::Header(Box::new(header), self.chunks),
            |next| async move {
                match next {
                    Next::Header(header, chunks) => {
                        let part = SnapshotPart {
                            header: Some(*header),
                            ..SnapshotPart::default()
                        };
                        Some((Ok(part), Next::Chunks(chunks)))
                    }
                    Next::Chunks(mut chunks) => match chunks.recv().await {
                        Some(Ok(chunk)) => {
                            let part = SnapshotPart {
                                chunk,
                                ..SnapshotPart::default()
                            };
                            Some((Ok(part), Next::Chunks(chunks)))
                        }
                        Some(Err(why)) => Some((Err(Status::aborted(why)), Next::End)),
                        None => Some((
                            Ok(SnapshotPart {
                                last: true,
                                ..SnapshotPart::default()
                            }),
                            Next::End,
                        )),
                    },
                    Next::End => None,
                }
            },
        )
    }
}

/// Sends a replica to a follower, and answers with the follower's vote.
pub(crate) async fn send(
    node: &Arc<Node>,
    replica: &Replica,
    log: &GroupLog,
    target: &Target,
    vote: &RaftVote,
) -> Result<RaftVote, String> {
    failpoint!(async "raft.snapshot.send", Err("the snapshot was not sent".to_owned()));
    let group = replica.group().0;
    let mut client = dial(node, &target.address).await?;
    let opened = open(node, replica, log).await?;
    if opened.position.term > vote.leader_id.term {
        return Err("the ledger is of a later term than the leader who would send it".to_owned());
    }
    tracing::info!(
        group,
        peer = target.node,
        index = opened.position.index,
        "sending a snapshot"
    );
    let hello = identity::hello(node, target.node, target.incarnation);
    let (broken, why_broken) = oneshot::channel();
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let parts = until_error(opened.parts(group, hello, Some(vote)), broken);
    let parts = parts.inspect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let pushing = pin!(client.push(parts));
    let steps = || taken.load(Ordering::Relaxed);
    let reply = match while_going(pushing, limits::SNAPSHOT_TIMEOUT, steps).await {
        None => return Err("the peer stopped taking the snapshot".to_owned()),
        Some(Err(status)) => {
            let mut why_broken = why_broken;
            return Err(why_broken
                .try_recv()
                .unwrap_or_else(|_| status.message().to_owned()));
        }
        Some(Ok(reply)) => reply.into_inner(),
    };
    failpoint!(async "raft.snapshot.sent");
    tracing::info!(group, peer = target.node, "a snapshot was received");
    wire::read_vote(reply.vote).map_err(|bad| bad.to_string())
}

/// A request stream cannot carry an error: it is cut off instead, and the reason kept here.
fn until_error(
    parts: impl Stream<Item = Result<SnapshotPart, Status>> + Send + 'static,
    broken: oneshot::Sender<String>,
) -> impl Stream<Item = SnapshotPart> + Send + 'static {
    let state = (Box::pin(parts), Some(broken));
    stream::unfold(state, |(mut parts, mut broken)| async move {
        match parts.next().await? {
            Ok(part) => Some((part, (parts, broken))),
            Err(status) => {
                if let Some(broken) = broken.take() {
                    drop(broken.send(status.message().to_owned()));
                }
                None
            }
        }
    })
}

/// The next part of a snapshot; a sender that stalls is given up.
pub(crate) async fn next_part(
    parts: &mut Streaming<SnapshotPart>,
) -> Result<Option<SnapshotPart>, Status> {
    match tokio::time::timeout(limits::SNAPSHOT_STALL, parts.message()).await {
        Ok(part) => part,
        Err(_) => Err(Status::deadline_exceeded("the snapshot stalled")),
    }
}

/// Receives a snapshot from a leader and switches to it. The leader's vote is checked before
/// anything is written, and again by consensus before anything is replaced.
pub(crate) async fn receive(
    group: &Arc<Replicated>,
    vote: RaftVote,
    header: SnapshotHeader,
    parts: Streaming<SnapshotPart>,
) -> Result<RaftVote, Status> {
    let ours = group.raft.with_raft_state(|state| *state.vote_ref()).await;
    let ours = ours.map_err(|error| Status::unavailable(error.to_string()))?;
    if ours > vote {
        return Ok(ours);
    }
    let meta = read_meta(&header)?;
    // Consensus takes a leader's snapshot to be of its own term or an earlier one.
    if meta
        .last_log_id
        .is_some_and(|at| types::to_position(&at).term > vote.leader_id.term)
    {
        return Err(Status::invalid_argument(
            "the snapshot is of a later term than the leader who sends it",
        ));
    }
    failpoint!(async "raft.snapshot.receive", Err(Status::unavailable("no snapshot now")));
    let written = write(&group.blocking, &group.replica, parts).await?;
    let written = check(&group.blocking, written, &meta).await?;
    let snapshot = Snapshot {
        meta,
        snapshot: SnapshotData::Received(Box::new(written)),
    };
    failpoint!(async "raft.snapshot.received");
    let response = group.raft.install_full_snapshot(vote, snapshot).await;
    let response = response.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(response.vote)
}

/// Checks what was received before consensus hears of it: a snapshot that turned out bad while
/// it is installed would end the group's replica, and here it is only refused.
async fn check(
    blocking: &Blocking,
    mut writer: SnapshotWriter,
    meta: &openraft::alias::SnapshotMetaOf<types::Types>,
) -> Result<SnapshotWriter, Status> {
    let checked = blocking.run(move || {
        let found = writer.check();
        found.map(|found| (writer, found))
    });
    let checked = checked
        .await
        .map_err(|error| Status::internal(error.to_string()))?;
    let (writer, found) = checked.map_err(|error| Status::invalid_argument(error.to_string()))?;
    let membership = types::stored_membership(found.membership);
    let membership = membership.map_err(|error| Status::invalid_argument(error.to_string()))?;
    let announced = Some(types::to_log_id(found.position)) == meta.last_log_id
        && membership == meta.last_membership;
    if !announced {
        let why = "the snapshot is not the one that was announced";
        return Err(Status::invalid_argument(why));
    }
    Ok(writer)
}

fn read_meta(
    header: &SnapshotHeader,
) -> Result<openraft::alias::SnapshotMetaOf<types::Types>, Status> {
    let position = header
        .position
        .ok_or_else(|| Status::invalid_argument("the snapshot has no position"))?;
    let at = header
        .membership_at
        .map(|at| types::to_position(&wire::read_log_id(at)));
    let kept = (!header.membership.is_empty()).then(|| (at, header.membership.clone()));
    let last_membership = types::stored_membership(kept);
    let last_membership =
        last_membership.map_err(|error| Status::invalid_argument(error.to_string()))?;
    Ok(SnapshotMeta {
        last_log_id: Some(wire::read_log_id(position)),
        last_membership,
    })
}

/// Writes chunks beside what the replica holds, where it may block.
async fn write(
    blocking: &Blocking,
    replica: &Replica,
    mut parts: Streaming<SnapshotPart>,
) -> Result<SnapshotWriter, Status> {
    let replica = replica.clone();
    let opened = blocking.run(move || replica.install()).await;
    let opened = opened.map_err(|error| Status::internal(error.to_string()))?;
    let mut writer = opened.map_err(|error| Status::unavailable(error.to_string()))?;
    loop {
        let next = next_part(&mut parts).await.transpose();
        let part = match next.unwrap_or_else(|| Err(Status::aborted("the snapshot was cut off"))) {
            Ok(part) => part,
            Err(status) => {
                give_up(blocking, writer).await;
                return Err(status);
            }
        };
        failpoint!(async "raft.snapshot.part", Err(Status::aborted("a part was lost")));
        if part.last {
            return Ok(writer);
        }
        let written = blocking.run(move || writer.chunk(part.chunk).map(|()| writer));
        let written = written
            .await
            .map_err(|error| Status::internal(error.to_string()))?;
        writer = written.map_err(|error| Status::invalid_argument(error.to_string()))?;
    }
}

/// Fetches a snapshot from a peer and switches to it, for a replica whose consensus has not
/// started. Answers where it stands.
pub(crate) async fn fetch(
    node: &Arc<Node>,
    replica: &Replica,
    target: &Target,
    at_least: u64,
) -> Result<LogPosition, String> {
    failpoint!(async "raft.snapshot.fetch", Err("the ledger was not fetched".to_owned()));
    let mut client = dial(node, &target.address).await?;
    let hello = identity::hello(node, target.node, target.incarnation);
    let request = FetchRequest {
        hello: Some(hello),
        group: replica.group().0,
        at_least,
    };
    let reply = client.fetch(request).await.map_err(|status| {
        identity::learn_from_refusal(node, target.node, &status);
        status.message().to_owned()
    })?;
    let mut parts = reply.into_inner();
    let text = |status: Status| status.message().to_owned();
    let header = next_part(&mut parts)
        .await
        .map_err(text)?
        .and_then(|part| part.header);
    let header = header.ok_or("the peer sent no header")?;
    read_meta(&header).map_err(text)?;
    let blocking = &node.options.blocking;
    let writer = write(blocking, replica, parts).await.map_err(text)?;
    let installed = blocking.run(move || writer.finish()).await;
    let installed = installed
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    Ok(installed.position)
}

#[cfg(test)]
mod tests;
