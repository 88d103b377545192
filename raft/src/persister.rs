//! Writes ledgers behind the log: often enough that little is replayed after a restart, and with
//! a checkpoint now and then, after which the log may forget.

use crate::limits;
use crate::node::Node;
use crate::options::HostOptions;
use crate::progress::while_going;
use crate::replicated::Replicated;
use crate::types;
use florin_failpoints::failpoint;
use florin_ledger::id::{GroupId, NodeId, Timestamp};
use florin_storage::LogPosition;
use florin_storage::log::GroupLog;
use florin_storage::replica::{PersistError, Replica};
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use tokio::time::{Duration, Instant, MissedTickBehavior};

/// Into so many turns an interval is divided.
const TURNS: u32 = 8;

/// A longer interval is as good as none.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// When a group is to be written, and how far its last checkpoints went.
struct Schedule {
    turn: u32,
    persisted: Instant,
    checkpoint_due: Instant,
    /// So many unwritten bytes are written before their time.
    persist_bytes: usize,
    /// When so many bytes were ever appended, a checkpoint is due before its time.
    checkpoint_at: u64,
    failing: Failing,
    history: VecDeque<Option<LogPosition>>,
}

/// Since when the store could not be written.
#[derive(Default)]
struct Failing(Option<Instant>);

impl Failing {
    /// Notes how an attempt ended. Answers whether none has succeeded for too long.
    fn note(&mut self, written: bool, now: Instant) -> bool {
        if written {
            self.0 = None;
            return false;
        }
        now.duration_since(*self.0.get_or_insert(now)) >= limits::PERSIST_STALL
    }
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
            let schedule = schedules
                .entry(group.id)
                .or_insert_with(|| Schedule::first(&group, &node.options));
            tend(&node, &group, schedule).await;
        }
    }
}

/// Which eighth of an interval is the turn of a group on a node. Not all groups of a node write
/// at one moment, and not all replicas of a group, whose logs grow alike: of three, two are free to
/// carry payments, as a rule.
fn turn(node: NodeId, group: GroupId) -> u32 {
    // Nodes are numbered in a row, mostly: neighbours are three eighths apart.
    let turn = node.0.wrapping_mul(3).wrapping_add(u64::from(group.0));
    (turn % u64::from(TURNS)) as u32
}

/// How long until the next turn, about an interval from now. Turns are told by the wall clock, so
/// that nodes that started at different times agree on them; a clock that is wrong or jumps
/// makes an interval half as long or half as long again, not more.
fn until(turn: u32, interval: Duration, now: Timestamp) -> Duration {
    let interval = interval.clamp(Duration::from_micros(1), A_YEAR).as_micros() as u64;
    let begins = interval / u64::from(TURNS) * u64::from(turn);
    let now = now.0 % interval;
    let wait = if now < begins {
        begins - now
    } else {
        begins + (interval - now)
    };
    let wait = if wait < interval / 2 {
        wait + interval
    } else {
        wait
    };
    Duration::from_micros(wait)
}

/// The part of so many bytes after which a turn comes first.
fn part(turn: u32, bytes: u64) -> u64 {
    bytes / u64::from(TURNS) * u64::from(TURNS - turn)
}

impl Schedule {
    fn first(group: &Replicated, options: &HostOptions) -> Schedule {
        let turn = turn(options.node, group.id);
        let mut schedule = Schedule {
            turn,
            persisted: Instant::now(),
            checkpoint_due: Instant::now(),
            persist_bytes: 0,
            checkpoint_at: group.store.appended_bytes() + part(turn, options.checkpoint_log_bytes),
            failing: Failing::default(),
            history: VecDeque::new(),
        };
        schedule.checkpoint_is_done(options);
        schedule
    }

    /// Both begin anew with a checkpoint, and what is persisted by bytes keeps its distance.
    fn checkpoint_is_done(&mut self, options: &HostOptions) {
        let now = Instant::now();
        self.checkpoint_due =
            now + until(self.turn, options.checkpoint_interval, (options.clock)());
        self.persisted = now;
        self.persist_bytes = part(self.turn, limits::PERSIST_BYTES as u64) as usize;
    }

    /// sled that has failed once may fail for ever, until it is opened again.
    fn ended(&mut self, group: &Replicated, written: bool) {
        if self.failing.note(written, Instant::now()) {
            end(group, "has failed");
        }
    }
}

async fn tend(node: &Arc<Node>, group: &Arc<Replicated>, schedule: &mut Schedule) {
    write_in_time(node, group, schedule).await;
    group.unwritten.set(group.replica.unwritten_bytes());
}

async fn write_in_time(node: &Arc<Node>, group: &Arc<Replicated>, schedule: &mut Schedule) {
    let appended = group.store.appended_bytes();
    if schedule.checkpoint_due <= Instant::now() || appended >= schedule.checkpoint_at {
        schedule.checkpoint_at = appended.saturating_add(node.options.checkpoint_log_bytes);
        schedule.checkpoint_is_done(&node.options);
        let written = checkpoint(group).await;
        schedule.ended(group, written);
        schedule.history.push_back(group.checkpoint.sure());
        if schedule.history.len() > node.options.keep_checkpoints {
            purge(group, schedule.history.pop_front().flatten()).await;
        }
        return;
    }
    let unwritten = group.replica.unwritten_bytes();
    group.unwritten.set(unwritten);
    let many = unwritten >= schedule.persist_bytes || group.unwritten.presses();
    let old = schedule.persisted.elapsed() >= limits::PERSIST_INTERVAL;
    if many || (old && unwritten > 0) {
        schedule.persisted = Instant::now();
        schedule.persist_bytes = limits::PERSIST_BYTES;
        let written = persist(group).await;
        schedule.ended(group, written);
    }
}

/// Waits for the store, and says so once if it takes no step for too long.
async fn unless_it_hangs<T>(group: &Replicated, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let steps = || group.replica.persist_steps();
    match while_going(work.as_mut(), limits::PERSIST_STALL, steps).await {
        Some(done) => done,
        None => {
            end(group, "hangs");
            work.await
        }
    }
}

fn end(group: &Replicated, how: &str) {
    let (id, seconds) = (group.id.0, limits::PERSIST_STALL.as_secs());
    let why = format!("writing the ledger of group {id} {how} for {seconds} s");
    group.replica.fatal(&why);
}

/// A full disk is not the store's fault, and passes.
fn is_fault(error: &PersistError) -> bool {
    !matches!(error, PersistError::DiskFull(_))
}

/// Writes what is unwritten, if the log holds all of it durably. Blocking.
pub(crate) fn write(replica: &Replica, log: &GroupLog) -> Result<(), PersistError> {
    match log.durable() {
        Some(durable) => replica.persist(durable),
        None => Ok(()),
    }
}

/// As [`write`], at once. Blocking.
pub(crate) fn make_room(replica: &Replica, log: &GroupLog) -> Result<(), PersistError> {
    match log.durable() {
        Some(durable) => replica.make_room(durable),
        None => Ok(()),
    }
}

/// Writes what is unwritten; false if the store failed.
async fn persist(group: &Arc<Replicated>) -> bool {
    let (replica, log, id) = (group.replica.clone(), group.log.clone(), group.id);
    let began = Instant::now();
    let persisted = group.blocking.run(move || write(&replica, &log));
    let persisted = unless_it_hangs(group, persisted).await;
    metrics::histogram!("florin_raft_persist_seconds").record(began.elapsed());
    match persisted {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(group = id.0, %error, "could not persist; trying again");
            !is_fault(&error)
        }
        Err(error) => {
            tracing::error!(group = id.0, %error, "persisting failed");
            false
        }
    }
}

/// Takes a checkpoint if there is something new, and tells consensus that it may name it. False if
/// the store failed.
pub(crate) async fn checkpoint(group: &Arc<Replicated>) -> bool {
    let Some(durable) = group.log.durable() else {
        return true;
    };
    if group.replica.applied() == group.checkpoint.sure() {
        return true;
    }
    let before = group.replica.membership();
    let (replica, id) = (group.replica.clone(), group.id);
    let began = Instant::now();
    let taken = group.blocking.run(move || replica.checkpoint(durable));
    let taken = unless_it_hangs(group, taken).await;
    metrics::histogram!("florin_raft_checkpoint_seconds").record(began.elapsed());
    let position = match taken {
        Ok(Ok(position)) => position,
        Ok(Err(error)) => {
            tracing::error!(group = id.0, %error, "no checkpoint; trying again");
            return !is_fault(&error);
        }
        Err(error) => {
            tracing::error!(group = id.0, %error, "the checkpoint failed");
            return false;
        }
    };
    let Some(position) = position else {
        return true;
    };
    failpoint!(async "raft.checkpoint.taken");
    for kept in [before, group.replica.membership()] {
        // The later one counts unless it is newer than the checkpoint.
        if let Ok(membership) = types::stored_membership(kept) {
            group.checkpoint.taken(position, membership);
        }
    }
    // If consensus has ended, nobody needs to know.
    drop(group.raft.trigger().snapshot().await);
    true
}

async fn purge(group: &Arc<Replicated>, upto: Option<LogPosition>) {
    let Some(upto) = upto else { return };
    let appended = group.store.appended_bytes();
    let wanted = group.wanted.after(Instant::now(), appended);
    let upto = wanted.map_or(upto.index, |after| after.min(upto.index));
    if Some(upto) > group.log.state().purged.map(|purged| purged.index) {
        drop(group.raft.trigger().purge_log(upto).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_all_along_is_told_of() {
        let began = Instant::now();
        let after = |part: u32| began + limits::PERSIST_STALL * part / 4;
        let mut failing = Failing::default();
        // Quarters of the time, whether it was written, and whether that is too long a failure.
        for (at, written, too_long) in [
            (0, false, false),
            (3, false, false),
            (4, false, true),
            (5, true, false),
            (6, false, false),
            (9, false, false),
            (10, false, true),
        ] {
            assert_eq!(failing.note(written, after(at)), too_long, "at {at}");
        }
    }

    #[test]
    fn replicas_take_turns_and_groups_too() {
        let of = |nodes: [u64; 5], group| nodes.map(|node| turn(NodeId(node), GroupId(group)));
        assert_eq!(of([1, 2, 3, 4, 5], 0), [3, 6, 1, 4, 7]);
        for group in 0..20 {
            let mut turns = of([11, 12, 13, 14, 15], group);
            turns.sort_unstable();
            assert!(turns.is_sorted_by(|a, b| a < b), "{turns:?}");
            let (one, next) = (GroupId(group), GroupId(group + 1));
            assert_ne!(turn(NodeId(7), one), turn(NodeId(7), next));
        }
        assert!(turn(NodeId(u64::MAX), GroupId(u32::MAX)) < TURNS);
    }

    #[test]
    fn a_turn_comes_at_its_eighth_of_every_interval() {
        let (second, interval) = (1_000_000, Duration::from_secs(8));
        // Turn, seconds by the wall clock, seconds until it comes.
        for (turn, now, then) in [
            (0, 0, 8),
            (3, 0, 11),
            (4, 0, 4),
            (3, 3, 8),
            (3, 4, 7),
            (3, 7, 4),
            (3, 8, 11),
            (3, 800_000_003, 8),
        ] {
            let until = until(turn, interval, Timestamp(now * second));
            assert_eq!(until.as_secs(), then, "turn {turn} at {now}");
        }
        for now in [0, 1, 7, u64::MAX] {
            let now = Timestamp(now);
            assert!(until(7, Duration::ZERO, now) <= Duration::from_micros(2));
            until(7, Duration::MAX, now);
        }
    }

    #[test]
    fn whoever_is_earlier_in_its_turn_writes_after_fewer_bytes() {
        assert_eq!([0, 3, 7].map(|turn| part(turn, 800)), [800, 500, 100]);
        assert_eq!(part(7, 7), 0);
    }
}
