//! What all parts of a run write down and look at: the clients' history, the stage of the run,
//! what was asked under which key, and what broke.

use crate::system;
use florin_chaos::history::{
    Account, Answer, Books, Fault, Healed, History, Leader, Operation, Replica, Request,
};
use florin_ledger::command::Envelope;
use florin_ledger::id::{GroupId, Id, LedgerId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What the clients do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The cluster is being formed and accounts opened.
    Forming,
    /// Sessions ask.
    Asking,
    /// Sessions finish what they are at; the books are read back then.
    Ending,
    /// Everything is said.
    Done,
}

/// A partner with its accounts.
#[derive(Clone, Debug)]
pub(crate) struct Partner {
    pub(crate) ledger: LedgerId,
    pub(crate) group: GroupId,
    pub(crate) bank: Id,
    pub(crate) shop: Id,
    pub(crate) wallets: Vec<Id>,
}

/// A request that was answered for good, to be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    pub(crate) key: String,
    pub(crate) envelope: Envelope,
    pub(crate) request: Request,
    pub(crate) group: GroupId,
}

/// What is known of one run. Clones are the same.
#[derive(Clone)]
pub(crate) struct Record {
    inner: Arc<Mutex<Inner>>,
    stage: watch::Sender<Stage>,
}

#[derive(Default)]
struct Inner {
    accounts: Vec<Account>,
    operations: Vec<Operation>,
    faults: Vec<Fault>,
    leaders: Vec<Leader>,
    healed: Vec<Healed>,
    replicas: Vec<Replica>,
    books: Option<Books>,
    partners: Vec<Partner>,
    old: Vec<Old>,
    /// When the newest acknowledged payment of each group was asked for.
    newest: BTreeMap<Option<u64>, u64>,
    acknowledged: u64,
    sessions_ended: u64,
    broken: Vec<String>,
}

impl Record {
    pub(crate) fn new() -> Record {
        Record {
            inner: Arc::default(),
            stage: watch::Sender::new(Stage::Forming),
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        tracing::info!(?stage, "the run goes on");
        self.stage.send_replace(stage);
    }

    pub(crate) fn watch_stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(crate) fn account(&self, account: Account) {
        self.inner.lock().accounts.push(account);
    }

    pub(crate) fn partner(&self, partner: Partner) {
        self.inner.lock().partners.push(partner);
    }

    pub(crate) fn partners(&self) -> Vec<Partner> {
        self.inner.lock().partners.clone()
    }

    /// Writes down what was asked and is answered now.
    pub(crate) fn operation(&self, mut operation: Operation) {
        operation.returned = system::micros();
        tracing::info!(operation = %operation, said = operation.said.as_deref(), "answered");
        let mut inner = self.inner.lock();
        if matches!(operation.answer, Answer::Acknowledged { .. }) {
            inner.acknowledged += 1;
            let newest = inner.newest.entry(operation.group).or_default();
            *newest = operation.invoked.max(*newest);
        }
        inner.operations.push(operation);
    }

    /// When the newest acknowledged payment of a group was asked for.
    pub(crate) fn newest(&self, group: GroupId) -> u64 {
        self.inner
            .lock()
            .newest
            .get(&Some(group.0.into()))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.inner.lock().acknowledged
    }

    pub(crate) fn remember(&self, old: Old) {
        self.inner.lock().old.push(old);
    }

    /// One that was answered for good, chosen by `choice`.
    pub(crate) fn old(&self, choice: u64) -> Option<Old> {
        let inner = self.inner.lock();
        let at = choice.checked_rem(inner.old.len() as u64)?;
        inner.old.get(usize::try_from(at).ok()?).cloned()
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.inner.lock().faults.push(fault);
    }

    pub(crate) fn leader(&self, leader: Leader) {
        self.inner.lock().leaders.push(leader);
    }

    pub(crate) fn healed(&self, healed: Healed) {
        self.inner.lock().healed.push(healed);
    }

    pub(crate) fn replica(&self, replica: Replica) {
        self.inner.lock().replicas.push(replica);
    }

    pub(crate) fn session_ended(&self) {
        self.inner.lock().sessions_ended += 1;
    }

    pub(crate) fn sessions_ended(&self) -> u64 {
        self.inner.lock().sessions_ended
    }

    pub(crate) fn books(&self, books: Books) {
        self.inner.lock().books = Some(books);
    }

    /// Something must not be as it is. The run goes on, and fails.
    pub(crate) fn broken(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::error!(what, "broken");
        let mut inner = self.inner.lock();
        if inner.broken.len() < 50 {
            inner
                .broken
                .push(format!("{:>10} us: {what}", system::micros()));
        }
    }

    pub(crate) fn all_broken(&self) -> Vec<String> {
        self.inner.lock().broken.clone()
    }

    /// The whole run as its clients saw it.
    pub(crate) fn history(&self, about: &str) -> History {
        let inner = self.inner.lock();
        let mut operations = inner.operations.clone();
        operations.sort_by_key(|operation| operation.returned);
        History {
            about: about.to_owned(),
            accounts: inner.accounts.clone(),
            operations,
            faults: inner.faults.clone(),
            leaders: inner.leaders.clone(),
            healed: inner.healed.clone(),
            replicas: inner.replicas.clone(),
            books: inner.books.clone(),
            ..History::default()
        }
    }
}
