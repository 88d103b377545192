//! Makes a replica whole again before it takes part in consensus.
//!
//! Two things can be put right without any doubt about what the replica promised, because its vote
//! and the positions of all its entries are known: entries whose bytes are damaged, and a ledger
//! that is older than the log's beginning. What cannot be known again makes the log faulty, and
//! the node comes back as another incarnation (docs/adr/0006-repair.md).
//!
//! An entry is asked of any peer's log: the same position is the same entry everywhere, committed or
//! not, and its checksum is known here. Peers answer while they wait to be whole themselves, so
//! replicas with different damage heal each other. What no log holds any more is in the ledgers.

use crate::host::StartError;
use crate::limits;
use crate::node::Node;
use crate::replicated::Opened;
use crate::snapshot;
use crate::transport::dial::dial;
use crate::transport::identity;
use crate::transport::link::Target;
use crate::transport::proto::{EntriesReply, EntriesRequest, Entry};
use crate::transport::wire;
use crate::types;
use florin_storage::LogPosition;
use florin_storage::log::{GroupLog, LogEntry};
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Opened {
    /// Consensus cannot start from what is here.
    pub(crate) fn needs_repair(&self) -> bool {
        self.lacks_state() || !self.log.damaged().is_empty()
    }

    /// The log no longer holds what the ledger lacks.
    fn lacks_state(&self) -> bool {
        self.log.state().purged > self.replica.applied()
    }

    /// For people: what is wrong.
    pub(crate) fn ailment(&self) -> String {
        match self.log.damaged().as_slice() {
            [] => {
                "its ledger is older than the log's beginning and is fetched from a peer".to_owned()
            }
            [first, ..] if self.lacks_state() => {
                format!("its ledger is lost and its log damaged from entry {first} on")
            }
            [first, rest @ ..] => {
                let more = rest.len();
                format!(
                    "its log is damaged at entry {first} and {more} more, which are asked of the peers"
                )
            }
        }
    }

    /// Returns once the replica is whole, however long its peers are away.
    pub(crate) async fn repair(&self, node: &Arc<Node>) -> Result<(), StartError> {
        let group = self.replica.group();
        self.drop_what_the_ledger_holds(node).await;
        let mut peers = self.store.peers();
        peers.remove(&node.options.node.0);
        let targets: Vec<Target> = peers
            .into_iter()
            .map(|(id, peer)| Target {
                node: id,
                incarnation: peer.incarnation,
                address: peer.address,
            })
            .collect();
        while self.needs_repair() {
            if targets.is_empty() {
                let message = format!("{}, and no other node has it", self.ailment());
                return Err(StartError::Group { group, message });
            }
            for target in &targets {
                self.mend_from(node, target).await;
            }
            for target in &targets {
                self.fetch_from(node, target).await;
            }
            if !self.needs_repair() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(limits::REFILL_PAUSE) => (),
                () = node.stopped() => {
                    return Err(StartError::Group { group, message: "the node is shutting down".to_owned() });
                }
            }
        }
        tracing::info!(group = group.0, "the replica is whole again");
        Ok(())
    }

    /// Entries whose effects the ledger holds durably are not needed any more.
    async fn drop_what_the_ledger_holds(&self, node: &Arc<Node>) {
        let damaged = self.log.damaged();
        let (Some(first), Some(durable)) = (damaged.first(), self.log.durable()) else {
            return;
        };
        let replica = self.replica.clone();
        let taken = node
            .options
            .blocking
            .run(move || replica.checkpoint(durable))
            .await;
        match taken {
            Ok(Ok(Some(position))) if position.index >= first.index => {
                tracing::info!(
                    group = self.replica.group().0,
                    index = position.index,
                    "the ledger holds what is damaged in the log: it is dropped"
                );
                self.log.purge(position);
            }
            Ok(Ok(_)) => (),
            Ok(Err(error)) => tracing::warn!(%error, "no checkpoint before the repair"),
            Err(_) => debug_assert!(node.is_stopping(), "the checkpoint panicked"),
        }
    }

    /// Puts right what this peer's log holds.
    async fn mend_from(&self, node: &Arc<Node>, target: &Target) {
        let group = self.replica.group().0;
        loop {
            let damaged = self.log.damaged();
            if damaged.is_empty() {
                return;
            }
            let got = match ask(node, group, target, &damaged).await {
                Ok(got) => got,
                Err(why) => {
                    return tracing::info!(
                        group,
                        peer = target.node,
                        why,
                        "no entries from this peer"
                    );
                }
            };
            let mut mended = 0;
            for entry in got {
                match mend(&self.log, entry).await {
                    Ok(()) => mended += 1,
                    Err(error) => {
                        tracing::warn!(group, peer = target.node, %error, "a useless entry")
                    }
                }
            }
            if mended == 0 {
                return;
            }
            tracing::info!(group, peer = target.node, mended, "mended the log");
        }
    }

    /// Fetches the ledger, if nothing else helps.
    async fn fetch_from(&self, node: &Arc<Node>, target: &Target) {
        if !self.needs_repair() {
            return;
        }
        let group = self.replica.group().0;
        let index = |at: Option<&LogPosition>| at.map_or(0, |at| at.index);
        let purged = self.log.state().purged;
        let at_least = index(purged.as_ref()).max(index(self.log.damaged().last()));
        match snapshot::fetch(node, &self.replica, target, at_least).await {
            Ok(position) => {
                let (peer, index) = (target.node, position.index);
                tracing::info!(group, peer, index, "fetched the ledger");
                self.log.purge(position);
            }
            Err(why) => tracing::info!(group, peer = target.node, why, "no ledger from this peer"),
        }
    }
}

async fn ask(
    node: &Arc<Node>,
    group: u32,
    target: &Target,
    damaged: &[LogPosition],
) -> Result<Vec<LogEntry>, String> {
    let asked = async {
        let mut client = dial(node, &target.address).await?;
        let wanted = damaged.iter().take(limits::REPAIR_ENTRIES);
        let request = EntriesRequest {
            hello: Some(identity::hello(node, target.node, target.incarnation)),
            group,
            wanted: wanted
                .map(|at| wire::log_id(&types::to_log_id(*at)))
                .collect(),
        };
        let reply = client.entries(request).await;
        reply.map_err(|status| status.message().to_owned())
    };
    let reply = tokio::time::timeout(limits::REPAIR_TIMEOUT, asked).await;
    let reply = reply.map_err(|_| "no answer in time".to_owned())??;
    let entry = |entry: Entry| LogEntry {
        position: LogPosition {
            term: entry.term,
            index: entry.index,
        },
        payload: entry.payload,
    };
    Ok(reply.into_inner().entries.into_iter().map(entry).collect())
}

async fn mend(log: &GroupLog, entry: LogEntry) -> io::Result<()> {
    let (done, mended) = oneshot::channel();
    log.mend(entry, Box::new(move |result| drop(done.send(result))));
    mended
        .await
        .map_err(|_| io::Error::other("the log closed before the entry was mended"))?
}

/// What this node's log holds of the entries that a peer asks for, as much as one message should.
/// Its own replica may not take part yet.
pub(crate) fn serve(log: &GroupLog, wanted: &[LogPosition]) -> EntriesReply {
    let mut entries = Vec::new();
    let mut bytes = 0;
    for position in wanted.iter().take(limits::REPAIR_ENTRIES) {
        if log.position(position.index) != Some(*position) {
            continue;
        }
        // What is damaged here as well, somebody else may have.
        let read = log.read(position.index..position.index + 1, usize::MAX);
        let held = read.unwrap_or_default().into_iter();
        for entry in held.filter(|entry| entry.position == *position) {
            bytes += entry.payload.len();
            entries.push(Entry {
                term: entry.position.term,
                index: entry.position.index,
                payload: entry.payload,
            });
        }
        if bytes >= limits::APPEND_BYTES {
            break;
        }
    }
    EntriesReply { entries }
}
