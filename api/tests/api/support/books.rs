//! The cluster of the tests: two groups' ledgers in memory, decided by the ledger's own rules.

use super::START;
use florin_api::Backend;
use florin_api::backend::Pending;
use florin_ledger::apply::apply_batch;
use florin_ledger::command::{BatchBuilder, Command, Envelope, Once, encode_envelope};
use florin_ledger::directory::{Directory, DirectoryCommand, Group, Item};
use florin_ledger::effect::{Decision, Effect, Refusal};
use florin_ledger::id::{DIRECTORY, GroupId, Id, LedgerId, Mode, NodeId, Timestamp};
use florin_ledger::memory::MemoryStore;
use florin_ledger::query::{self, Query};
use florin_ledger::state::{GroupSettings, State};
use florin_shards::{
    Consistency, DirectoryError, GroupStatus, NodeStatus, Read, ReadError, Role, SubmitError,
    Submitted,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

const MONEY: GroupId = GroupId(1);

pub(crate) struct Books {
    money: Mutex<Machine>,
    directory: Mutex<Machine>,
    clock: AtomicU64,
    /// What the next command meets instead of the ledger.
    pub(crate) failure: Mutex<Option<SubmitError>>,
    /// What the last question wanted.
    pub(crate) asked: Mutex<Option<Consistency>>,
    /// The directory's leader cannot be reached.
    pub(crate) headless: Mutex<bool>,
    /// The next submission panics.
    pub(crate) defect: Mutex<bool>,
}

struct Machine {
    state: State,
    store: MemoryStore,
    index: u64,
}

impl Machine {
    fn new(group: GroupId) -> Machine {
        Machine {
            state: State::new(group, GroupSettings::default()),
            store: MemoryStore::forgetful(),
            index: 0,
        }
    }

    fn apply(&mut self, envelope: &Envelope, time: Timestamp) -> (Decision, Timestamp) {
        let mut batch = BatchBuilder::new();
        batch.push(&encode_envelope(envelope)).expect("it fits");
        self.index += 1;
        let mut applied = apply_batch(&mut self.state, &mut self.store, &batch.finish(time));
        (applied.decisions.pop().expect("a decision"), applied.time)
    }
}

impl Books {
    pub(crate) fn new() -> Books {
        let books = Books {
            money: Mutex::new(Machine::new(MONEY)),
            directory: Mutex::new(Machine::new(DIRECTORY)),
            clock: AtomicU64::new(START.0),
            failure: Mutex::new(None),
            asked: Mutex::new(None),
            headless: Mutex::new(false),
            defect: Mutex::new(false),
        };
        let group = Group {
            id: MONEY,
            members: vec![NodeId(1)],
            home_region: None,
        };
        books
            .direct(DirectoryCommand::PutGroup(group), None)
            .expect("a group");
        books
    }

    /// The clock moves by a millisecond whenever it is read.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1_000, Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub(crate) fn key(
        &self,
        partner: Id,
        secret: &str,
        mode: Mode,
        scopes: &[&str],
        networks: &[&str],
    ) -> Id {
        let command = DirectoryCommand::CreateKey {
            hash: *blake3::hash(secret.as_bytes()).as_bytes(),
            partner,
            mode,
            scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
            api_version: "2026-11-01".into(),
            networks: networks.iter().map(|network| (*network).into()).collect(),
        };
        match self.direct(command, None) {
            Ok(Item::Key(key)) => key.value.id,
            other => panic!("no key was made: {other:?}"),
        }
    }

    pub(crate) fn direct(
        &self,
        command: DirectoryCommand,
        once: Option<Once>,
    ) -> Result<Item, DirectoryError> {
        let envelope = Envelope {
            ledger: LedgerId {
                partner: Id(0),
                mode: Mode::Live,
            },
            once,
            command: Command::Directory(command),
        };
        let (decision, _) = self.directory.lock().apply(&envelope, self.now());
        match decision.effect {
            Effect::Directory(effect) => Ok(effect.item),
            Effect::Refused(Refusal::Directory(refusal)) => Err(DirectoryError::Refused(refusal)),
            Effect::Refused(Refusal::KeyReused) => Err(DirectoryError::KeyReused),
            other => panic!("the directory answered {other:?}"),
        }
    }
}

impl Backend for Books {
    fn directory(&self) -> Arc<Directory> {
        Arc::new(self.directory.lock().state.directory().clone())
    }

    fn refresh(&self, _deadline: Instant) -> Pending<'_, Result<Arc<Directory>, ReadError>> {
        Box::pin(async {
            if *self.headless.lock() {
                return Err(ReadError::NoLeader);
            }
            Ok(self.directory())
        })
    }

    fn submit<'a>(
        &'a self,
        envelope: &'a Envelope,
        _deadline: Instant,
    ) -> Pending<'a, Result<Submitted, SubmitError>> {
        Box::pin(async {
            assert!(
                !std::mem::take(&mut *self.defect.lock()),
                "a defect, as asked for"
            );
            if let Some(failure) = self.failure.lock().take() {
                return Err(failure);
            }
            let mut money = self.money.lock();
            let (decision, time) = money.apply(envelope, self.now());
            Ok(Submitted {
                decision,
                group: MONEY,
                index: money.index,
                time,
            })
        })
    }

    fn submit_directory(
        &self,
        command: DirectoryCommand,
        once: Option<Once>,
        _deadline: Instant,
    ) -> Pending<'_, Result<Item, DirectoryError>> {
        Box::pin(async move { self.direct(command, once) })
    }

    fn read(
        &self,
        ledger: LedgerId,
        query: Query,
        consistency: Consistency,
        _deadline: Instant,
    ) -> Pending<'_, Result<Read, ReadError>> {
        Box::pin(async move {
            *self.asked.lock() = Some(consistency);
            let money = self.money.lock();
            if matches!(consistency, Consistency::AtLeast { index, .. } if index > money.index) {
                return Err(ReadError::NotFreshYet);
            }
            Ok(Read {
                answer: query::answer(&money.state, &money.store, ledger, &query),
                group: MONEY,
                index: money.index,
                node: NodeId(1),
            })
        })
    }

    fn status(&self, hashes: bool) -> Pending<'_, Vec<NodeStatus>> {
        Box::pin(async move {
            let index = self.money.lock().index;
            vec![NodeStatus {
                node: Some(NodeId(1)),
                name: "one".to_owned(),
                region: "here".to_owned(),
                address: "127.0.0.1:1".to_owned(),
                incarnation: 1,
                error: None,
                version: "0".to_owned(),
                groups: vec![GroupStatus {
                    group: MONEY,
                    role: Role::Leader,
                    term: 1,
                    leader: Some(NodeId(1)),
                    last_log: Some(index),
                    committed: Some(index),
                    applied: Some(index),
                    persisted: None,
                    members: vec![NodeId(1)],
                    lag: Vec::new(),
                    time: START,
                    state_hash: hashes.then_some([7; 32]),
                    chain_hash: None,
                }],
            }]
        })
    }
}
