//! Gathers requests into batches and hands these to consensus.
//!
//! A request that finds nothing under way goes at once. While a batch is under way others gather,
//! until it is answered, enough have come, or a moment has passed: on a fast network that makes
//! few and large batches, on a slow one it keeps several under way (`pace`). Every request is answered
//! exactly once, and an answer other than "unknown" is true.

mod pace;
mod proposal;
mod queue;

use crate::clocks::Clocks;
use crate::group::{Committed, ProposeError};
use crate::limits;
use crate::machine::Machine;
use crate::types::Types;
use bytes::Bytes;
use florin_failpoints::failpoint;
use florin_ledger::command::{Command, Envelope, encode_envelope};
use florin_ledger::id::{Id, LedgerId, Mode, NodeId, Timestamp};
use florin_storage::log::Log;
use florin_storage::replica::Replica;
use openraft::Raft;
use openraft::async_runtime::watch::WatchReceiver;
use pace::{Go, Pace};
use parking_lot::Mutex;
use proposal::{Batch, Proposal};
use queue::FairQueue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Called once with the answer.
pub(crate) type Done = Box<dyn FnOnce(Result<Committed, ProposeError>) + Send>;

/// A request on its way.
pub(crate) struct Request {
    envelope: Bytes,
    deadline: std::time::Instant,
    done: Done,
}

/// Whether this replica takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leading {
    Yes,
    No(Option<NodeId>),
    Stopped,
}

/// The requests of one group.
pub(crate) struct Proposer {
    state: Mutex<State>,
    wake: Notify,
}

struct State {
    leading: Leading,
    /// Since when it has been leading like that.
    since: Instant,
    queue: FairQueue<Request>,
    /// Proposed and not answered, by number.
    under_way: BTreeMap<u64, Arc<Batch>>,
    next: u64,
    pace: Pace,
}

/// What a proposer works with.
pub(crate) struct Tools {
    pub(crate) raft: Raft<Types, Machine>,
    pub(crate) log: Arc<Log>,
    pub(crate) replica: Replica,
    pub(crate) clocks: Arc<Clocks>,
}

impl Tools {
    /// The time for a batch. If nobody knows it, zero: the group's own time goes on by a tick.
    fn time(&self) -> Timestamp {
        let membership = Arc::clone(
            &self
                .raft
                .server_metrics()
                .borrow_watched()
                .membership_config,
        );
        self.clocks
            .stamp(membership.voter_ids())
            .unwrap_or_default()
    }
}

/// What there is to do now.
enum Work {
    Propose(Vec<Request>),
    /// Look again at this time at the latest.
    Wait(Option<Instant>),
    Stop,
}

impl Proposer {
    pub(crate) fn new() -> Arc<Proposer> {
        Arc::new(Proposer {
            state: Mutex::new(State {
                leading: Leading::No(None),
                since: Instant::now(),
                queue: FairQueue::new(),
                under_way: BTreeMap::new(),
                next: 0,
                pace: Pace::default(),
            }),
            wake: Notify::new(),
        })
    }

    /// Takes a request, or answers at once.
    pub(crate) fn submit(
        &self,
        partner: Id,
        envelope: Bytes,
        deadline: std::time::Instant,
        done: Done,
    ) {
        if envelope.len() > limits::COMMAND_BYTES {
            return done(Err(ProposeError::TooLarge));
        }
        let bytes = envelope.len();
        let request = Request {
            envelope,
            deadline,
            done,
        };
        let rejected = {
            let mut state = self.state.lock();
            match state.leading {
                Leading::Yes => match state.queue.push(partner, bytes, request) {
                    Ok(()) => None,
                    Err(request) => Some((request, ProposeError::Busy)),
                },
                Leading::No(hint) => Some((request, ProposeError::NotLeader { hint })),
                Leading::Stopped => Some((request, ProposeError::Stopped)),
            }
        };
        match rejected {
            None => self.wake.notify_one(),
            Some((request, error)) => (request.done)(Err(error)),
        }
    }

    /// Requests that wait to be proposed.
    pub(crate) fn queued(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// For how long this replica has led, if it leads.
    pub(crate) fn led_for(&self) -> Option<Duration> {
        let state = self.state.lock();
        (state.leading == Leading::Yes).then(|| state.since.elapsed())
    }

    /// Says whether this replica leads. What was not proposed by then surely was not applied.
    pub(crate) fn set_leading(&self, leading: Leading) {
        let (orphans, error) = {
            let mut state = self.state.lock();
            if state.leading == Leading::Stopped {
                return;
            }
            if state.leading != leading {
                state.since = Instant::now();
            }
            state.leading = leading;
            match leading {
                Leading::Yes => (Vec::new(), ProposeError::Stopped),
                Leading::No(hint) => (
                    state.queue.remove_where(|_| true),
                    ProposeError::NotLeader { hint },
                ),
                Leading::Stopped => (state.queue.remove_where(|_| true), ProposeError::Stopped),
            }
        };
        answer_all(orphans, &error);
        self.wake.notify_one();
    }

    /// Proposes until told to stop.
    pub(crate) async fn run(self: Arc<Proposer>, tools: Tools) {
        let mut sweep = tokio::time::interval(limits::SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let woken = self.wake.notified();
            match self.work() {
                Work::Stop => return,
                Work::Propose(requests) => self.propose(&tools, requests).await,
                Work::Wait(until) => {
                    let timer = async {
                        match until {
                            Some(until) => tokio::time::sleep_until(until).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        () = woken => (),
                        () = timer => (),
                        _ = sweep.tick() => {
                            self.sweep();
                            self.tick_if_due(&tools).await;
                        }
                    }
                }
            }
        }
    }

    fn work(&self) -> Work {
        let mut state = self.state.lock();
        match state.leading {
            Leading::Stopped => return Work::Stop,
            Leading::No(_) => return Work::Wait(None),
            Leading::Yes if state.queue.is_empty() => return Work::Wait(None),
            Leading::Yes => (),
        }
        let (waiting, full) = (state.queue.len(), state.queue.fills_a_batch());
        match state.pace.go(waiting, full, Instant::now()) {
            Go::Now => Work::Propose(state.queue.batch()),
            Go::At(until) => Work::Wait(Some(until)),
            Go::AfterAnswer => Work::Wait(None),
        }
    }

    async fn propose(self: &Arc<Proposer>, tools: &Tools, requests: Vec<Request>) {
        failpoint!(async "raft.propose.gather");
        if tools.log.writable().is_err() {
            return answer_all(requests, &ProposeError::DiskFull);
        }
        let now = std::time::Instant::now();
        let (late, requests): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .partition(|request| request.deadline <= now);
        answer_all(late, &ProposeError::Busy);
        let (payload, batch, misfits) = proposal::build(requests, tools.time());
        answer_all(misfits, &ProposeError::TooLarge);
        let Some(payload) = payload else { return };
        metrics::counter!("florin_raft_batches_total").increment(1);
        metrics::histogram!("florin_raft_batch_commands").record(batch.commands() as f64);
        let proposal = self.begin(batch);
        failpoint!(async "raft.propose.hand");
        // If consensus has ended, the proposal is dropped, and that answers.
        drop(
            tools
                .raft
                .client_write_ff(payload, Some(proposal.responder()))
                .await,
        );
    }

    fn begin(self: &Arc<Proposer>, batch: Batch) -> Proposal {
        let batch = Arc::new(batch);
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        let now = Instant::now();
        state.pace.began(batch.commands(), batch.bytes(), now);
        state.under_way.insert(number, Arc::clone(&batch));
        Proposal::new(Arc::clone(self), number, batch, now)
    }

    fn end(&self, number: u64, took: Duration) {
        {
            let mut state = self.state.lock();
            if let Some(batch) = state.under_way.remove(&number) {
                state.pace.ended(batch.commands(), batch.bytes(), took);
            }
        }
        self.wake.notify_one();
    }

    /// Answers requests whose time is over: those that were proposed may yet be applied.
    fn sweep(&self) {
        let now = std::time::Instant::now();
        let (late, under_way) = {
            let mut state = self.state.lock();
            let late = state.queue.remove_where(|request| request.deadline <= now);
            (late, state.under_way.values().cloned().collect::<Vec<_>>())
        };
        answer_all(late, &ProposeError::Busy);
        for batch in under_way {
            answer_all(batch.take_late(now), &ProposeError::Unknown);
        }
        metrics::gauge!("florin_raft_queue").set(self.queued() as f64);
    }

    /// Lets time pass in the ledger when something is due and nobody else's request does so.
    async fn tick_if_due(self: &Arc<Proposer>, tools: &Tools) {
        let idle = {
            let state = self.state.lock();
            state.leading == Leading::Yes && state.under_way.is_empty()
        };
        let due = idle
            && tools
                .replica
                .next_expiry()
                .is_some_and(|at| at <= tools.time());
        if due {
            let nobody = LedgerId {
                partner: Id::default(),
                mode: Mode::Live,
            };
            let tick = Envelope {
                ledger: nobody,
                once: None,
                command: Command::Tick,
            };
            let request = Request {
                envelope: Bytes::from(encode_envelope(&tick)),
                deadline: std::time::Instant::now() + limits::TICK_DEADLINE,
                done: Box::new(|_| ()),
            };
            self.propose(tools, vec![request]).await;
        }
    }
}

fn answer_all(requests: Vec<Request>, error: &ProposeError) {
    for request in requests {
        (request.done)(Err(error.clone()));
    }
}
