//! Moves leaderships to where they should be, and keeps the links that groups need.

use crate::limits;
use crate::node::Node;
use crate::replicated::Replicated;
use florin_ledger::id::NodeId;
use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::{Instant, MissedTickBehavior};

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut ready_since = BTreeMap::new();
    let mut tick = tokio::time::interval(limits::SPREAD_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => (),
            () = node.stopped() => return,
        }
        node.tend_links();
        for group in node.all_groups() {
            let better = better_leader(&node, &group);
            // Once is luck: only who stays ready is given the lead.
            match better {
                None => drop(ready_since.remove(&group.id)),
                Some(to) => {
                    let since = ready_since.entry(group.id).or_insert((to, Instant::now()));
                    if since.0 != to {
                        *since = (to, Instant::now());
                    } else if since.1.elapsed() >= limits::SPREAD_AFTER {
                        ready_since.remove(&group.id);
                        tracing::info!(
                            group = group.id.0,
                            to = to.0,
                            "handing leadership to the preferred node"
                        );
                        drop(group.raft.trigger().transfer_leader(to.0).await);
                    }
                }
            }
        }
    }
}

/// Who should lead in this node's place: the first by preference that is up and caught up.
fn better_leader(node: &Arc<Node>, group: &Replicated) -> Option<NodeId> {
    if !group.leads() {
        return None;
    }
    let mut preference = node.preference(group.id).into_iter();
    let better = preference
        .by_ref()
        .take_while(|preferred| *preferred != node.options.node);
    better
        .into_iter()
        .find(|candidate| is_ready(node, group, *candidate))
}

/// It votes, answers, and holds nearly all of the log.
pub(crate) fn is_ready(node: &Node, group: &Replicated, candidate: NodeId) -> bool {
    let metrics = group.raft.metrics();
    let metrics = metrics.borrow_watched();
    let votes = metrics
        .membership_config
        .voter_ids()
        .any(|id| id == candidate.0);
    let matched = metrics
        .replication
        .as_ref()
        .and_then(|peers| peers.get(&candidate.0).cloned().flatten());
    let matched = matched.map(|log_id| log_id.index);
    let caught_up =
        matched.is_some_and(|at| at + limits::SPREAD_LAG >= metrics.last_log_index.unwrap_or(0));
    let heard = metrics
        .heartbeat
        .as_ref()
        .and_then(|peers| peers.get(&candidate.0).copied().flatten());
    let answers = heard.is_some_and(|at| at.elapsed() < node.options.election_timeout.0);
    votes && caught_up && answers && node.connected(candidate)
}
