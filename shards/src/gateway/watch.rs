//! What frontends follow: the directory's changes, and who leads.

use super::Inner;
use crate::items::page;
use crate::limits::{DIRECTORY_HEARTBEAT, GROUPS_INTERVAL};
use crate::wire::proto::{DirectoryReply, Leader, LeadersReply};
use florin_failpoints::failpoint;
use florin_ledger::id::{DIRECTORY, GroupId, NodeId};
use florin_raft::Group;
use futures_util::future::select_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Messages that wait for a slow follower; more are not made until it takes some.
const WAITING: usize = 2;

/// The directory from a version on, then its changes, and a word now and then between them.
pub(super) fn directory(
    inner: &Arc<Inner>,
    since: u64,
) -> Result<ReceiverStream<Result<DirectoryReply, Status>>, Status> {
    let group = inner
        .host
        .group(DIRECTORY)
        .ok_or_else(|| Status::failed_precondition("no replica of the directory here"))?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let closing = inner.closing.subscribe();
    tokio::spawn(until_closed(
        closing,
        sender.clone(),
        send_directory(group, since, sender),
    ));
    Ok(ReceiverStream::new(receiver))
}

async fn send_directory(
    group: Group,
    mut since: u64,
    followers: mpsc::Sender<Result<DirectoryReply, Status>>,
) {
    let mut applied = group.watch_applied();
    let mut due = true;
    loop {
        applied.borrow_and_update();
        loop {
            failpoint!(async "shards.directory.send");
            let (version, items) = group.replica().directory_since(since);
            let reply = page(version, items, group.leader().is_some());
            let more = reply.more;
            if !due && reply.items.is_empty() && reply.version <= since {
                break;
            }
            due = false;
            since = since.max(reply.version);
            if followers.send(Ok(reply)).await.is_err() {
                return;
            }
            if !more {
                break;
            }
        }
        match tokio::time::timeout(DIRECTORY_HEARTBEAT, applied.changed()).await {
            Ok(Ok(())) => {}
            // The replica has stopped: the stream ends, and its follower goes elsewhere.
            Ok(Err(_)) => return,
            Err(_) => due = true,
        }
    }
}

/// The leaders of this node's groups, all at first, then those that change.
pub(super) fn leaders(inner: Arc<Inner>) -> ReceiverStream<Result<LeadersReply, Status>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let closing = inner.closing.subscribe();
    tokio::spawn(until_closed(
        closing,
        sender.clone(),
        send_leaders(inner, sender),
    ));
    ReceiverStream::new(receiver)
}

async fn send_leaders(inner: Arc<Inner>, followers: mpsc::Sender<Result<LeadersReply, Status>>) {
    let mut watched = BTreeMap::new();
    let mut told: BTreeMap<u32, Leader> = BTreeMap::new();
    loop {
        let groups: Vec<Group> = inner
            .host
            .groups()
            .into_iter()
            .filter_map(|id| inner.host.group(id))
            .collect();
        watched.retain(|_, leader: &mut watch::Receiver<_>| leader.has_changed().is_ok());
        for group in &groups {
            watched
                .entry(group.id())
                .or_insert_with(|| group.watch_leader())
                .mark_unchanged();
        }
        // A leader is one of its term, and the two may become known one after the other: what is
        // compared is what was told, so that neither news is lost.
        let mut leaders: Vec<Leader> = groups.iter().map(leader_of).collect();
        leaders.retain(|leader| told.get(&leader.group) != Some(leader));
        told.extend(leaders.iter().map(|leader| (leader.group, *leader)));
        if !leaders.is_empty() && followers.send(Ok(LeadersReply { leaders })).await.is_err() {
            return;
        }
        next_change(&mut watched, GROUPS_INTERVAL).await;
    }
}

fn leader_of(group: &Group) -> Leader {
    let status = group.status();
    Leader {
        group: status.group.0,
        node: status.leader.map_or(0, |node| node.0),
        term: status.term,
    }
}

/// Waits until one of them changes, at most so long: then there may be new groups.
async fn next_change(
    watched: &mut BTreeMap<GroupId, watch::Receiver<Option<NodeId>>>,
    most: Duration,
) {
    // A group whose consensus has ended stays, and has no news: to wait for it would not be to wait.
    let mut living: Vec<_> = watched
        .values_mut()
        .filter(|leader| leader.has_changed().is_ok())
        .collect();
    let changes: Vec<_> = living
        .iter_mut()
        .map(|leader| Box::pin(leader.changed()))
        .collect();
    if changes.is_empty() {
        return tokio::time::sleep(most).await;
    }
    // Timing out is no failure here, and a receiver whose group has gone is dropped by the caller.
    let changed = tokio::time::timeout(most, select_all(changes)).await;
    let at = changed.ok().map(|(_, at, _)| at);
    // Waiting for a change has marked it as seen, and it has not been sent yet.
    if let Some(leader) = at.and_then(|at| living.get_mut(at)) {
        leader.mark_changed();
    }
}

/// Runs a sender until the node stops or its follower has gone.
async fn until_closed<T>(
    mut closing: watch::Receiver<bool>,
    follower: mpsc::Sender<T>,
    send: impl Future<Output = ()>,
) {
    tokio::select! {
        () = send => {}
        () = follower.closed() => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn groups_that_have_ended_keep_nobody_awake() {
        let most = Duration::from_millis(20);
        let (ended, of_ended) = watch::channel(None);
        let (living, of_living) = watch::channel(None);
        let mut watched = BTreeMap::from([(GroupId(1), of_ended), (GroupId(2), of_living)]);
        drop(ended);
        for _ in 0..2 {
            let began = tokio::time::Instant::now();
            next_change(&mut watched, most).await;
            assert!(began.elapsed() >= most);
            watched.remove(&GroupId(2));
        }
        let of_living = living.subscribe();
        watched.insert(GroupId(2), of_living);
        living.send_replace(Some(NodeId(3)));
        next_change(&mut watched, Duration::MAX).await;
        assert!(watched[&GroupId(2)].has_changed().unwrap());
    }
}
