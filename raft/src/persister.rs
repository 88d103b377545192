//! Writes ledgers behind the log: often enough that little is replayed after a restart, and with
//! a checkpoint now and then, after which the log may forget.

use crate::limits;
use crate::node::Node;
use crate::options::HostOptions;
use crate::replicated::Replicated;
use crate::types;
use florin_failpoints::failpoint;
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::LogPosition;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::time::{Instant, MissedTickBehavior};

/// Into so many turns an interval is divided.
const TURNS: u64 = 8;

/// When a group was last written, and how far its last checkpoints went.
struct Schedule {
    persisted: Instant,
    checkpointed: Instant,
    /// So many unwritten bytes are written before their time.
    persist_bytes: usize,
    /// When so many bytes were ever appended, a checkpoint is due before its time.
    checkpoint_at: u64,
    history: VecDeque<Option<LogPosition>>,
}

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut schedules = BTreeMap::<GroupId, Schedule>::new();
    let mut tick = tokio::time::interval(limits::PERSIST_TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => (),
            () = node.stopped() => return,
        }
        for group in node.all_groups() {
            let new = schedules.len() as u64;
            let schedule = schedules
                .entry(group.id)
                .or_insert_with(|| first(&group, turn(node.options.node, new), &node.options));
            tend(&node, &group, schedule).await;
        }
    }
}

/// Which eighth of an interval is the turn of a node's n-th group. Not all groups of a node write
/// at one moment, and not all replicas of a group: of three, whose logs grow alike, two are always
/// free to carry payments.
fn turn(node: NodeId, place: u64) -> u32 {
    // Nodes are numbered in a row, mostly: neighbours are three eighths apart.
    (node.0.wrapping_mul(3).wrapping_add(place) % TURNS) as u32
}

fn first(group: &Replicated, turn: u32, options: &HostOptions) -> Schedule {
    let now = Instant::now();
    let ahead = options.checkpoint_interval * turn / TURNS as u32;
    // What was ahead of the first is kept up: each comes as many bytes after the one before.
    let left = TURNS - u64::from(turn);
    let bytes = options.checkpoint_log_bytes / TURNS * left;
    Schedule {
        persisted: now,
        checkpointed: now.checked_sub(ahead).unwrap_or(now),
        persist_bytes: limits::PERSIST_BYTES / TURNS as usize * left as usize,
        checkpoint_at: group.store.appended_bytes() + bytes,
        history: VecDeque::new(),
    }
}

async fn tend(node: &Arc<Node>, group: &Arc<Replicated>, schedule: &mut Schedule) {
    let appended = group.store.appended_bytes();
    let due = schedule.checkpointed.elapsed() >= node.options.checkpoint_interval;
    if due || appended >= schedule.checkpoint_at {
        schedule.checkpointed = Instant::now();
        schedule.checkpoint_at = appended + node.options.checkpoint_log_bytes;
        schedule.persisted = schedule.checkpointed;
        schedule.persist_bytes = limits::PERSIST_BYTES;
        checkpoint(group).await;
        schedule.history.push_back(group.checkpoint.sure());
        if schedule.history.len() > node.options.keep_checkpoints {
            purge(group, schedule.history.pop_front().flatten()).await;
        }
        return;
    }
    let unwritten = group.replica.unwritten_bytes();
    let old = schedule.persisted.elapsed() >= limits::PERSIST_INTERVAL;
    if unwritten >= schedule.persist_bytes || (old && unwritten > 0) {
        schedule.persisted = Instant::now();
        schedule.persist_bytes = limits::PERSIST_BYTES;
        persist(group).await;
    }
}

async fn persist(group: &Arc<Replicated>) {
    let Some(durable) = group.log.durable() else {
        return;
    };
    let (replica, id) = (group.replica.clone(), group.id);
    let began = Instant::now();
    let persisted = group.blocking.run(move || replica.persist(durable)).await;
    metrics::histogram!("florin_raft_persist_seconds").record(began.elapsed());
    match persisted {
        Ok(Ok(())) => (),
        Ok(Err(error)) => tracing::error!(group = id.0, %error, "could not persist; trying again"),
        Err(error) => tracing::error!(group = id.0, %error, "persisting failed"),
    }
}

/// Takes a checkpoint if there is something new, and tells consensus that it may name it.
pub(crate) async fn checkpoint(group: &Arc<Replicated>) {
    let Some(durable) = group.log.durable() else {
        return;
    };
    if group.replica.applied() == group.checkpoint.sure() {
        return;
    }
    let before = group.replica.membership();
    let (replica, id) = (group.replica.clone(), group.id);
    let began = Instant::now();
    let taken = group
        .blocking
        .run(move || replica.checkpoint(durable))
        .await;
    metrics::histogram!("florin_raft_checkpoint_seconds").record(began.elapsed());
    let position = match taken {
        Ok(Ok(position)) => position,
        Ok(Err(error)) => {
            return tracing::error!(group = id.0, %error, "no checkpoint; trying again");
        }
        Err(error) => return tracing::error!(group = id.0, %error, "the checkpoint failed"),
    };
    let Some(position) = position else { return };
    failpoint!(async "raft.checkpoint.taken");
    for kept in [before, group.replica.membership()] {
        // The later one counts unless it is newer than the checkpoint.
        if let Ok(membership) = types::stored_membership(kept) {
            group.checkpoint.taken(position, membership);
        }
    }
    // If consensus has ended, nobody needs to know.
    drop(group.raft.trigger().snapshot().await);
}

async fn purge(group: &Arc<Replicated>, upto: Option<LogPosition>) {
    let Some(upto) = upto else { return };
    if Some(upto.index) > group.log.state().purged.map(|purged| purged.index) {
        drop(group.raft.trigger().purge_log(upto.index).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_take_turns_and_groups_too() {
        let of_three = [1, 2, 3].map(|node| turn(NodeId(node), 0));
        assert_eq!(of_three, [3, 6, 1]);
        for place in 0..20 {
            let mut turns = [11, 12, 13, 14, 15].map(|node| turn(NodeId(node), place));
            turns.sort_unstable();
            assert!(turns.is_sorted_by(|a, b| a < b), "{turns:?}");
            assert_ne!(turn(NodeId(7), place), turn(NodeId(7), place + 1));
        }
        assert!(turn(NodeId(u64::MAX), u64::MAX) < TURNS as u32);
    }
}
