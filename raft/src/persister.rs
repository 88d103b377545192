//! Writes ledgers behind the log: often enough that little is replayed after a restart, and with
//! a checkpoint now and then, after which the log may forget.

use crate::limits;
use crate::node::Node;
use crate::replicated::Replicated;
use crate::types;
use florin_failpoints::failpoint;
use florin_ledger::id::GroupId;
use florin_storage::LogPosition;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::time::{Duration, Instant, MissedTickBehavior};

/// When a group was last written, and how far its last checkpoints went.
struct Schedule {
    persisted: Instant,
    checkpointed: Instant,
    bytes_at_checkpoint: u64,
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
            let new = schedules.len() as u32;
            let interval = node.options.checkpoint_interval;
            let schedule = schedules
                .entry(group.id)
                .or_insert_with(|| first(&group, new, interval));
            tend(&node, &group, schedule).await;
        }
    }
}

/// Groups take turns, so that their checkpoints do not fall on one moment.
fn first(group: &Replicated, place: u32, interval: Duration) -> Schedule {
    let now = Instant::now();
    let ahead = interval * (place % 8) / 8;
    Schedule {
        persisted: now,
        checkpointed: now.checked_sub(ahead).unwrap_or(now),
        bytes_at_checkpoint: group.store.appended_bytes(),
        history: VecDeque::new(),
    }
}

async fn tend(node: &Arc<Node>, group: &Arc<Replicated>, schedule: &mut Schedule) {
    let grown = group.store.appended_bytes() - schedule.bytes_at_checkpoint;
    let due = schedule.checkpointed.elapsed() >= node.options.checkpoint_interval;
    if due || grown >= node.options.checkpoint_log_bytes {
        schedule.checkpointed = Instant::now();
        schedule.persisted = schedule.checkpointed;
        schedule.bytes_at_checkpoint = group.store.appended_bytes();
        checkpoint(group).await;
        schedule.history.push_back(group.checkpoint.sure());
        if schedule.history.len() > node.options.keep_checkpoints {
            purge(group, schedule.history.pop_front().flatten()).await;
        }
        return;
    }
    let unwritten = group.replica.unwritten_bytes();
    let old = schedule.persisted.elapsed() >= limits::PERSIST_INTERVAL;
    if unwritten >= limits::PERSIST_BYTES || (old && unwritten > 0) {
        schedule.persisted = Instant::now();
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
