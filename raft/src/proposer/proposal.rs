//! One batch, from its making to its answer.

use super::{Proposer, Request};
use crate::group::{Committed, ProposeError};
use crate::types::{self, Applied, Payload, Respond, Types};
use florin_failpoints::failpoint;
use florin_ledger::command::BatchBuilder;
use florin_ledger::id::{NodeId, Timestamp};
use openraft::errors::ClientWriteError;
use openraft::raft::{ClientWriteResponse, ClientWriteResult};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Instant;

/// The requests of a batch, in its order; those that were answered are gone.
pub(super) struct Batch {
    requests: Mutex<Vec<Option<Request>>>,
    commands: usize,
    bytes: usize,
}

/// Encodes requests into one batch. Those that no batch can hold are given back.
pub(super) fn build(
    requests: Vec<Request>,
    time: Timestamp,
) -> (Option<Payload>, Batch, Vec<Request>) {
    let mut builder = BatchBuilder::new();
    let mut kept = Vec::with_capacity(requests.len());
    let mut misfits = Vec::new();
    for request in requests {
        match builder.push(&request.envelope) {
            Ok(()) => kept.push(Some(request)),
            Err(_) => misfits.push(request),
        }
    }
    let payload = (!kept.is_empty()).then(|| Payload::new(builder.finish(time)));
    let bytes = payload.as_ref().map_or(0, Payload::len);
    let batch = Batch {
        commands: kept.len(),
        requests: Mutex::new(kept),
        bytes,
    };
    (payload, batch, misfits)
}

impl Batch {
    pub(super) fn commands(&self) -> usize {
        self.commands
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes those whose time is over.
    pub(super) fn take_late(&self, now: Instant) -> Vec<Request> {
        let mut requests = self.requests.lock();
        let late = requests
            .iter_mut()
            .filter(|slot| slot.as_ref().is_some_and(|request| request.deadline <= now));
        late.filter_map(Option::take).collect()
    }

    fn take_all(&self) -> Vec<Option<Request>> {
        std::mem::take(&mut self.requests.lock())
    }
}

/// A batch that consensus has, or will have in a moment. Dropped unanswered, it answers "unknown".
pub(super) struct Proposal {
    proposer: Arc<Proposer>,
    number: u64,
    batch: Arc<Batch>,
    began: tokio::time::Instant,
}

impl Proposal {
    pub(super) fn new(
        proposer: Arc<Proposer>,
        number: u64,
        batch: Arc<Batch>,
        began: tokio::time::Instant,
    ) -> Proposal {
        Proposal {
            proposer,
            number,
            batch,
            began,
        }
    }

    pub(super) fn responder(self) -> Respond<ClientWriteResult<Types>> {
        Respond::new(move |result| self.answer(result))
    }

    fn answer(self, result: ClientWriteResult<Types>) {
        match result {
            Ok(response) => self.decided(response),
            // Said before anything was appended: surely not applied.
            Err(ClientWriteError::ForwardToLeader(forward)) => {
                let hint = forward.leader_id.map(NodeId);
                self.failed(&ProposeError::NotLeader { hint });
            }
            // Among these is an entry that was appended and then lost its place here: another
            // leader may still hold it.
            Err(_) => self.failed(&ProposeError::Unknown),
        }
    }

    fn decided(&self, response: ClientWriteResponse<Types>) {
        let at = types::to_position(&response.log_id);
        let Applied { decisions, time } = response.data;
        failpoint!("raft.answer.begin");
        let requests = self.batch.take_all();
        assert_eq!(
            decisions.len(),
            requests.len(),
            "one decision for each command of a batch"
        );
        for (request, decision) in requests.into_iter().zip(decisions) {
            if let Some(request) = request {
                (request.done)(Ok(Committed { decision, at, time }));
            }
        }
        failpoint!("raft.answer.end");
    }

    fn failed(&self, error: &ProposeError) {
        for request in self.batch.take_all().into_iter().flatten() {
            (request.done)(Err(error.clone()));
        }
    }
}

impl Drop for Proposal {
    fn drop(&mut self) {
        self.failed(&ProposeError::Unknown);
        self.proposer.end(self.number, self.began.elapsed());
    }
}
