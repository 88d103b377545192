//! One group's replica on this node, and the tasks that belong to it.

use crate::blocking::Blocking;
use crate::elections::Elections;
use crate::host::StartError;
use crate::limits;
use crate::log_store::LogStore;
use crate::machine::{Checkpoint, Machine};
use crate::members;
use crate::network::Network;
use crate::node::Node;
use crate::proposer::{Leading, Proposer, Tools};
use crate::status::Scrubbed;
use crate::transport::link::Target;
use crate::types::{self, StoredMembership, Types};
use crate::unwritten::Share;
use crate::wanted::Wanted;
use florin_failpoints::{failpoint, mutant};
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::log::GroupLog;
use florin_storage::replica::Replica;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, Raft, ServerState, SnapshotPolicy};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// One group's replica.
pub(crate) struct Replicated {
    pub(crate) id: GroupId,
    pub(crate) raft: Raft<Types, Machine>,
    pub(crate) replica: Replica,
    pub(crate) log: GroupLog,
    pub(crate) store: LogStore,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) unwritten: Arc<Share>,
    pub(crate) wanted: Wanted,
    pub(crate) proposer: Arc<Proposer>,
    pub(crate) blocking: Blocking,
    pub(crate) scrubbed: Mutex<Option<Scrubbed>>,
    pub(crate) applied: watch::Receiver<u64>,
    pub(crate) leader: watch::Receiver<Option<NodeId>>,
    /// Held while members are changed here.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// How old a quorum's acknowledgement may be for a read that asks nobody.
    pub(crate) lease: Duration,
}

/// A replica that is opened but takes no part yet.
pub(crate) struct Opened {
    pub(crate) replica: Replica,
    pub(crate) log: GroupLog,
    pub(crate) store: LogStore,
}

impl Opened {
    /// Opens what the node keeps of a group.
    pub(crate) fn open(node: &Node, log: GroupLog) -> Result<Opened, StartError> {
        let group = log.id();
        let broken = |message: String| StartError::Replica { group, message };
        let replica =
            Replica::open(&node.store, group).map_err(|error| broken(error.to_string()))?;
        for notice in replica.notices() {
            tracing::warn!(group = group.0, "{notice}");
        }
        let store = LogStore::new(log.clone()).map_err(|error| broken(error.to_string()))?;
        Ok(Opened {
            replica,
            log,
            store,
        })
    }

    /// What the ledger holds is committed; entries of the log that contradict it never will be.
    /// They are left when a crash comes between the installing of a snapshot and the purge that
    /// follows it, and consensus would not start with them.
    fn log_follows(&self) {
        let Some(applied) = self.replica.applied() else {
            return;
        };
        let held = self.log.position(applied.index);
        let next = self.log.position(applied.index.saturating_add(1));
        if held.is_some_and(|held| held != applied) {
            self.log.purge(applied);
        } else if next.is_some_and(|next| next.term < applied.term) {
            self.log.truncate_after(Some(applied.index));
        }
    }

    /// Takes part.
    pub(crate) async fn start(self, node: &Arc<Node>) -> Result<Arc<Replicated>, StartError> {
        self.log_follows();
        let Opened {
            replica,
            log,
            store,
        } = self;
        let id = replica.group();
        let failed = |message: String| StartError::Group { group: id, message };
        let membership = types::stored_membership(replica.membership())
            .map_err(|error| failed(error.to_string()))?;
        let checkpoint = Checkpoint::found(replica.persisted(), membership);
        let (applied, applied_watch) = watch::channel(replica.applied().map_or(0, |at| at.index));
        let unwritten = Arc::new(node.unwritten.share());
        let machine = Machine {
            replica: replica.clone(),
            log: log.clone(),
            checkpoint: checkpoint.clone(),
            applied,
            blocking: node.options.blocking.clone(),
            unwritten: Arc::clone(&unwritten),
        };
        let wanted = Wanted::default();
        let network = Network::new(
            node,
            replica.clone(),
            log.clone(),
            store.watch_appended(),
            wanted.clone(),
        );
        let mut config = config(node)?;
        // What keeps it from voting for others keeps it from voting for itself.
        config.enable_elect = !node.has_just_started();
        let stands = config.enable_elect;
        let config = Arc::new(config);
        let raft = Raft::new(node.options.node.0, config, network, store.clone(), machine).await;
        let raft = raft.map_err(|error| failed(error.to_string()))?;
        if !stands {
            tokio::spawn(stand_later(Arc::clone(node), raft.clone()));
        }
        let proposer = Proposer::new();
        let (leader, leader_watch) = watch::channel(None);
        tokio::spawn(follow_leader(
            Arc::clone(node),
            id,
            raft.clone(),
            Arc::clone(&proposer),
            leader,
        ));
        let tools = Tools {
            raft: raft.clone(),
            log: Arc::clone(&node.log),
            replica: replica.clone(),
            clocks: Arc::clone(&node.clocks),
        };
        tokio::spawn(Arc::clone(&proposer).run(tools));
        let replicated = Arc::new(Replicated {
            id,
            raft,
            replica,
            log,
            store,
            checkpoint,
            unwritten,
            wanted,
            proposer,
            blocking: node.options.blocking.clone(),
            scrubbed: Mutex::default(),
            applied: applied_watch,
            leader: leader_watch,
            changing: tokio::sync::Mutex::default(),
            lease: Elections::of(&node.options).for_reads(),
        });
        tokio::spawn(members::finish_changes(Arc::clone(&replicated)));
        Ok(replicated)
    }
}

/// Lets a replica stand for election once its promises from before the start have run out.
async fn stand_later(node: Arc<Node>, raft: Raft<Types, Machine>) {
    tokio::select! {
        () = node.may_vote() => raft.runtime_config().elect(true),
        () = node.stopped() => (),
    }
}

/// openraft's settings. Snapshots and purging follow our own schedule; a restarted leader must be
/// elected again; lag alone is no reason for a snapshot.
fn config(node: &Node) -> Result<Config, StartError> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let options = &node.options;
    let config = Config {
        cluster_name: options.cluster.clone(),
        heartbeat_interval: millis(options.heartbeat),
        heartbeat_min_interval: Some(millis(options.heartbeat)),
        election_timeout_min: millis(options.election_timeout.0),
        election_timeout_max: millis(options.election_timeout.1),
        max_payload_entries: limits::APPEND_ENTRIES,
        replication_lag_threshold: limits::LAG_FOR_SNAPSHOT,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        state_machine_channel_size: Some(limits::APPLY_QUEUE),
        install_snapshot_timeout: millis(limits::SNAPSHOT_TIMEOUT),
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        // Entries are sent before the news of a commit that comes at the same moment: one message.
        broadcast_submitted_on_append: Some(true),
        // Peers that turn out not to hold what was counted must not end the leader: it would be
        // seen at once, by nobody's merit.
        allow_log_reversion: mutant!("acknowledge-before-commit").then_some(true),
        ..Config::default()
    };
    // What was configured must make sense; what is told to openraft would not pass as such.
    let mut config = config
        .validate()
        .map_err(|error| StartError::Timing(error.to_string()))?;
    let elections = Elections::of(options);
    config.election_timeout_min = millis(elections.least);
    config.election_timeout_max = millis(elections.lease);
    Ok(config)
}

/// Tells the proposer and everybody who watches who leads, and the node if consensus ends.
async fn follow_leader(
    node: Arc<Node>,
    group: GroupId,
    raft: Raft<Types, Machine>,
    proposer: Arc<Proposer>,
    leader: watch::Sender<Option<NodeId>>,
) {
    let me = node.options.node.0;
    let mut metrics = raft.server_metrics();
    loop {
        let (state, current) = {
            let metrics = metrics.borrow_watched();
            (metrics.state, metrics.current_leader)
        };
        let leads = state == ServerState::Leader;
        if state == ServerState::Leader && *leader.borrow() != Some(NodeId(me)) {
            failpoint!(async "raft.election.won");
        }
        proposer.set_leading(match state {
            ServerState::Leader => Leading::Yes,
            ServerState::Shutdown => Leading::Stopped,
            _ => Leading::No(current.filter(|id| *id != me).map(NodeId)),
        });
        // A node that was elected leads only once it knows so itself.
        let known = current.filter(|id| *id != me || leads).map(NodeId);
        leader.send_if_modified(|old| std::mem::replace(old, known) != known);
        if state == ServerState::Shutdown || metrics.changed().await.is_err() {
            break;
        }
    }
    proposer.set_leading(Leading::Stopped);
    leader.send_if_modified(|old| old.take().is_some());
    if !node.is_stopping() {
        let ended = raft.metrics().borrow_watched().running_state.clone();
        let why = ended.err().map(|why| why.to_string());
        node.report_ended(group, why.unwrap_or_else(|| "its task ended".to_owned()));
    }
}

impl Replicated {
    pub(crate) fn membership(&self) -> Arc<StoredMembership> {
        Arc::clone(
            &self
                .raft
                .server_metrics()
                .borrow_watched()
                .membership_config,
        )
    }

    /// Where the members are.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let membership = self.membership();
        let targets = membership.nodes().map(|(id, peer)| Target {
            node: *id,
            incarnation: peer.incarnation,
            address: peer.address.clone(),
        });
        targets.collect()
    }

    pub(crate) fn leads(&self) -> bool {
        self.raft.server_metrics().borrow_watched().state == ServerState::Leader
    }
}
