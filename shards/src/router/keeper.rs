//! The router's own tasks: links to all nodes, the directory followed, questions to its leader.

use super::ask::Ask;
use super::{Links, Shared};
use crate::attempt::{GiveUp, Kind};
use crate::error::ReadError;
use crate::limits::{
    CONNECT_TIMEOUT, DIRECTORY_SILENCE, RECONNECT, REFRESH_INTERVAL, REFRESH_WAITING, RETRY_AFTER,
};
use crate::link::{Link, Standing, words};
use crate::wire::decode;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{DirectoryReply, DirectoryRequest};
use florin_failpoints::failpoint;
use florin_ledger::id::DIRECTORY;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

type Refreshed = Result<(), ReadError>;

/// The tasks; they end when it is dropped.
pub(super) struct Keeper {
    tasks: Mutex<JoinSet<()>>,
    refreshes: mpsc::Sender<oneshot::Sender<Refreshed>>,
}

impl Keeper {
    pub(super) fn start(shared: Arc<Shared>) -> Keeper {
        let (refreshes, asked) = mpsc::channel(REFRESH_WAITING);
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_links(shared.clone()));
        tasks.spawn(follow(shared.clone()));
        tasks.spawn(answer_refreshes(shared, asked));
        Keeper {
            tasks: Mutex::new(tasks),
            refreshes,
        }
    }

    /// Waits for a question to the directory's leader that begins after this call.
    pub(super) async fn refresh(&self, deadline: Instant) -> Refreshed {
        let (sender, receiver) = oneshot::channel();
        self.refreshes
            .try_send(sender)
            .map_err(|_| ReadError::Busy {
                retry_after: RETRY_AFTER,
            })?;
        match timeout_at(deadline, receiver).await {
            Ok(Ok(refreshed)) => refreshed,
            Ok(Err(_)) | Err(_) => Err(ReadError::NoLeader),
        }
    }

    pub(super) async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
    }
}

/// Keeps a link to every seed and to every node of the directory.
async fn keep_links(shared: Arc<Shared>) {
    let mut changes = shared.changes.subscribe();
    let mut running: BTreeMap<String, AbortHandle> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let mut wanted: BTreeSet<String> = shared.options.seeds.iter().cloned().collect();
        let directory = shared.directory.load_full();
        wanted.extend(
            directory
                .nodes
                .values()
                .map(|node| node.value.address.to_string()),
        );
        while tasks.try_join_next().is_some() {}
        if !running.keys().eq(wanted.iter()) {
            let mut links = shared.links.load().by_address().clone();
            running.retain(|address, task| {
                let keep = wanted.contains(address);
                if !keep {
                    task.abort();
                    links.remove(address);
                }
                keep
            });
            for address in wanted {
                links.entry(address.clone()).or_insert_with(|| {
                    let link = Link::new(&address);
                    running.insert(
                        address,
                        tasks.spawn(keep_link(shared.clone(), link.clone())),
                    );
                    link
                });
            }
            {
                let _one_at_a_time = shared.replacing.lock();
                shared.links.store(Arc::new(Links::new(links, &directory)));
            }
            // A link that came up before it was listed is seen now.
            shared.relink();
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn keep_link(shared: Arc<Shared>, link: Arc<Link>) {
    let options = &shared.options;
    let (connector, cluster) = (options.connector.clone(), options.cluster.clone());
    link.run(connector, cluster, shared.leaders.clone(), || {
        shared.relink()
    })
    .await;
}

/// Follows the directory of one node as long as it keeps up, then of another.
async fn follow(shared: Arc<Shared>) {
    let mut changes = shared.changes.subscribe();
    let mut turn = 0;
    let mut pause = RECONNECT.0;
    loop {
        let nodes = shared.links.load().nodes();
        let node = nodes.get(turn % nodes.len().max(1)).copied();
        turn = turn.wrapping_add(1);
        let standing = node
            .and_then(|node| shared.links.load().of(node))
            .and_then(|link| link.standing());
        let Some(standing) = standing else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        let version = shared.directory.load().version;
        let why = follow_one(&shared, &standing).await;
        tracing::debug!(node = standing.peer.node, %why, "directory is followed elsewhere");
        pause = if shared.directory.load().version > version {
            RECONNECT.0
        } else {
            (pause * 2).min(RECONNECT.1)
        };
        tokio::time::sleep(pause).await;
    }
}

/// Follows one node's directory; says why it ended.
async fn follow_one(shared: &Shared, standing: &Standing) -> String {
    let since = shared.directory.load().version;
    let mut client = standing.client.clone();
    let mut replies = match timeout(
        CONNECT_TIMEOUT,
        client.directory(DirectoryRequest { since }),
    )
    .await
    {
        Ok(Ok(replies)) => replies.into_inner(),
        Ok(Err(status)) => return words(status),
        Err(_) => return "no answer".to_owned(),
    };
    let mut current = Instant::now();
    loop {
        match timeout(DIRECTORY_SILENCE, replies.message()).await {
            Ok(Ok(Some(reply))) => {
                if reply.current {
                    current = Instant::now();
                }
                if let Err(why) = take(shared, reply) {
                    return why;
                }
            }
            Ok(Ok(None)) => return "the node closed the stream".to_owned(),
            Ok(Err(status)) => return words(status),
            Err(_) => return "the node is silent".to_owned(),
        }
        if current.elapsed() > DIRECTORY_SILENCE && shared.links.load().nodes().len() > 1 {
            return "the node's replica has no leader".to_owned();
        }
    }
}

fn take(shared: &Shared, reply: DirectoryReply) -> Result<(), String> {
    let items: Result<Vec<_>, _> = reply
        .items
        .iter()
        .map(|item| decode(item, "item"))
        .collect();
    shared.take(reply.version, items.map_err(|error| error.to_string())?);
    Ok(())
}

/// Asks the directory's leader for whoever waits; all of them together, and not too often.
async fn answer_refreshes(
    shared: Arc<Shared>,
    mut asked: mpsc::Receiver<oneshot::Sender<Refreshed>>,
) {
    let mut waiting = Vec::new();
    while asked.recv_many(&mut waiting, REFRESH_WAITING).await > 0 {
        let refreshed = catch_up(&shared).await;
        for caller in waiting.drain(..) {
            // A caller that has gone needs no answer.
            let _ = caller.send(refreshed.clone());
        }
        tokio::time::sleep(REFRESH_INTERVAL).await;
    }
}

/// Makes the copy at least as new as the directory was when this began.
async fn catch_up(shared: &Shared) -> Refreshed {
    failpoint!(async "shards.directory.read");
    let deadline = Instant::now() + shared.options.attempt_timeout * 3;
    loop {
        let since = shared.directory.load().version;
        let what = What::Directory(since);
        let ask = Ask {
            group: DIRECTORY,
            what,
            kind: Kind::Question,
            any_replica: false,
        };
        let (_, outcome) = shared.ask(ask, deadline).await?;
        let Outcome::Directory(reply) = outcome else {
            return Err(GiveUp::Rejected("the node answered another question".to_owned()).into());
        };
        let more = reply.more;
        take(shared, reply).map_err(ReadError::Rejected)?;
        if !more {
            return Ok(());
        }
    }
}
