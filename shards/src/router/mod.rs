//! The frontend's side: a copy of the directory, and the way to the leaders.

mod ask;
mod copy;
mod keeper;
mod links;
#[cfg(feature = "faults")]
mod mistake;
mod options;
mod statuses;

pub use self::options::RouterOptions;

use self::ask::Ask;
use self::keeper::Keeper;
use self::links::Links;
use crate::attempt::Kind;
use crate::error::{DirectoryError, ReadError, SubmitError, Unplaced};
use crate::leaders::Leaders;
use crate::limits;
use crate::link::{Client, words};
use crate::status::NodeStatus;
use crate::wire::proto::question::Freshness;
use crate::wire::proto::reply::Outcome;
use crate::wire::proto::request::What;
use crate::wire::proto::{Question, TransferLeaderRequest};
use crate::wire::{DIRECTORY_LEDGER, decode, encode};
use arc_swap::ArcSwap;
use bytes::Bytes;
use florin_ledger::command::{Command, Envelope, Once, encode_envelope};
use florin_ledger::directory::{Directory, DirectoryCommand, Item};
use florin_ledger::effect::{Decision, Effect, Refusal};
use florin_ledger::id::{DIRECTORY, GroupId, LedgerId, NodeId, Timestamp};
use florin_ledger::query::{Answer, Query};
use parking_lot::Mutex;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Submits commands to the leaders of their groups and asks replicas questions. Cheap to clone;
/// the connections close with the last clone.
#[derive(Clone)]
pub struct Router {
    shared: Arc<Shared>,
    keeper: Arc<Keeper>,
}

/// A decided command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// What was decided, then or now.
    pub decision: Decision,
    /// The group that decided.
    pub group: GroupId,
    /// Log index of the decision (of the replay's own entry, for a replay): with `group` it is the consistency token.
    pub index: u64,
    /// The group's time of the batch.
    pub time: Timestamp,
}

/// How fresh an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// It reflects every write that was answered before it was asked.
    Linearizable,
    /// It reflects the write with this token, whichever replica answers.
    AtLeast {
        /// The token's group.
        group: GroupId,
        /// The token's index.
        index: u64,
    },
    /// Whatever a replica knows; goes on without a quorum.
    Stale,
}

/// An answered question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What the books say.
    pub answer: Answer,
    /// The group that answered.
    pub group: GroupId,
    /// Log index that the answer reflects.
    pub index: u64,
    /// The replica that answered.
    pub node: NodeId,
}

/// What the router's callers and its keeper share.
struct Shared {
    options: RouterOptions,
    directory: ArcSwap<Directory>,
    leaders: Arc<Leaders>,
    links: ArcSwap<Links>,
    /// Held while the directory or the links are replaced.
    replacing: Mutex<()>,
    /// Counts changes of the directory and of the links.
    changes: watch::Sender<u64>,
    /// Pauses that were made, so that no two are alike.
    pauses: AtomicU64,
    #[cfg(feature = "faults")]
    answers: mistake::Answers,
}

impl Router {
    /// Starts to follow the cluster; returns at once and connects for ever. Must be called within a tokio runtime.
    pub async fn connect(options: RouterOptions) -> Router {
        let shared = Arc::new(Shared {
            options,
            directory: ArcSwap::default(),
            leaders: Arc::new(Leaders::new()),
            links: ArcSwap::default(),
            replacing: Mutex::new(()),
            changes: watch::Sender::new(0),
            pauses: AtomicU64::new(0),
            #[cfg(feature = "faults")]
            answers: mistake::Answers::default(),
        });
        let keeper = Arc::new(Keeper::start(shared.clone()));
        Router { shared, keeper }
    }

    /// The newest copy of the directory. Empty (version 0) until the first one came.
    pub fn directory(&self) -> Arc<Directory> {
        self.shared.directory.load_full()
    }

    /// Whether a directory with groups was received and a node is connected.
    pub fn ready(&self) -> bool {
        !self.shared.directory.load().groups.is_empty()
            && !self.shared.links.load().nodes().is_empty()
    }

    /// Waits until [`Router::ready`], at most until the deadline; says whether it is.
    pub async fn wait_ready(&self, deadline: Instant) -> bool {
        self.wait(deadline, |_| self.ready()).await
    }

    /// Waits until the directory's copy is as wanted, at most until the deadline; says whether it is.
    pub async fn wait_directory(
        &self,
        deadline: Instant,
        wanted: impl Fn(&Directory) -> bool,
    ) -> bool {
        self.wait(deadline, wanted).await
    }

    async fn wait(&self, deadline: Instant, wanted: impl Fn(&Directory) -> bool) -> bool {
        let mut changes = self.shared.changes.subscribe();
        loop {
            if wanted(&self.shared.directory.load()) {
                return true;
            }
            if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
    }

    /// Asks the directory's leader for what this copy does not have yet: for a key or partner
    /// that is unknown here and may just have been made. Calls made together share one question,
    /// and questions are spaced, so that unknown keys cannot flood the directory.
    pub async fn refresh(&self, deadline: Instant) -> Result<Arc<Directory>, ReadError> {
        self.keeper.refresh(deadline).await?;
        Ok(self.directory())
    }

    /// Submits a command to the leader of its partner's group, and again, by the same key, until
    /// it is answered or the deadline has come. Without a key ([`Envelope::once`]) it is never
    /// sent again after an attempt that may have been applied.
    pub async fn submit(
        &self,
        envelope: &Envelope,
        deadline: Instant,
    ) -> Result<Submitted, SubmitError> {
        let group = self.group_of(envelope.ledger)?;
        #[cfg(feature = "faults")]
        if let Some(first) = self.shared.answers.first(envelope) {
            return Ok(first);
        }
        let submitted = self.submit_to(group, envelope, deadline).await?;
        #[cfg(feature = "faults")]
        self.shared.answers.keep(envelope, &submitted);
        Ok(submitted)
    }

    /// Submits a change of the directory. Without a key the router makes one of its own, so
    /// that its retries have one effect; this router's copy shows the change on return.
    pub async fn submit_directory(
        &self,
        command: DirectoryCommand,
        once: Option<Once>,
        deadline: Instant,
    ) -> Result<Item, DirectoryError> {
        let envelope = Envelope {
            ledger: DIRECTORY_LEDGER,
            once: Some(once.unwrap_or_else(random_once)),
            command: Command::Directory(command),
        };
        let submitted = self.submit_to(DIRECTORY, &envelope, deadline).await?;
        match submitted.decision.effect {
            Effect::Directory(effect) => {
                self.shared.put(effect.item.clone());
                Ok(effect.item)
            }
            Effect::Refused(Refusal::Directory(refusal)) => Err(DirectoryError::Refused(refusal)),
            Effect::Refused(Refusal::KeyReused) => Err(DirectoryError::KeyReused),
            other => Err(SubmitError::Rejected(format!("the directory answered {other:?}")).into()),
        }
    }

    async fn submit_to(
        &self,
        group: GroupId,
        envelope: &Envelope,
        deadline: Instant,
    ) -> Result<Submitted, SubmitError> {
        let bytes = Bytes::from(encode_envelope(envelope));
        if bytes.len() > limits::ENVELOPE_BYTES {
            return Err(SubmitError::TooLarge);
        }
        let kind = if envelope.once.is_some() {
            Kind::Keyed
        } else {
            Kind::Unkeyed
        };
        let ask = Ask {
            group,
            what: What::Submit(bytes),
            kind,
            any_replica: false,
        };
        match self.shared.ask(ask, deadline).await? {
            (_, Outcome::Decided(decided)) => {
                // It was applied, only the answer is unreadable.
                let decision = decode(&decided.decision, "decision")
                    .map_err(|_| SubmitError::OutcomeUnknown)?;
                Ok(Submitted {
                    decision,
                    group,
                    index: decided.index,
                    time: Timestamp(decided.time),
                })
            }
            _ => Err(SubmitError::OutcomeUnknown),
        }
    }

    /// Asks the group that holds the ledger.
    pub async fn read(
        &self,
        ledger: LedgerId,
        query: Query,
        consistency: Consistency,
        deadline: Instant,
    ) -> Result<Read, ReadError> {
        let group = self.group_of(ledger)?;
        let freshness = match consistency {
            Consistency::Linearizable => Freshness::Linearizable(true),
            Consistency::AtLeast { group: other, .. } if other != group => {
                return Err(ReadError::TokenOfOtherGroup(other));
            }
            Consistency::AtLeast { index, .. } => Freshness::AtLeast(index),
            Consistency::Stale => Freshness::Stale(true),
        };
        let question = Question {
            query: encode(&(ledger, query)),
            freshness: Some(freshness),
        };
        let any_replica = consistency != Consistency::Linearizable;
        let ask = Ask {
            group,
            what: What::Read(question),
            kind: Kind::Question,
            any_replica,
        };
        match self.shared.ask(ask, deadline).await? {
            (node, Outcome::Answered(answered)) => {
                let answer = decode(&answered.answer, "answer")
                    .map_err(|error| ReadError::Rejected(error.to_string()))?;
                Ok(Read {
                    answer,
                    group,
                    index: answered.index,
                    node,
                })
            }
            _ => Err(ReadError::Rejected(
                "the node answered another question".to_owned(),
            )),
        }
    }

    fn group_of(&self, ledger: LedgerId) -> Result<GroupId, Unplaced> {
        let directory = self.shared.directory.load();
        match directory.partners.get(&ledger.partner) {
            Some(partner) => Ok(partner.value.group),
            None if directory.groups.is_empty() => Err(Unplaced::NotReady),
            None => Err(Unplaced::PartnerUnknown),
        }
    }

    /// Asks all nodes of the directory, and the seeds before there is one, how they are.
    pub async fn status(&self) -> Vec<NodeStatus> {
        self.shared.status(false).await
    }

    /// As [`Router::status`], with the hashes of every replica's state: costs the nodes a pass over their accounts.
    pub async fn status_with_hashes(&self) -> Vec<NodeStatus> {
        self.shared.status(true).await
    }

    /// Asks the leader of a group to hand over to another member. Needs an operator's certificate.
    pub async fn transfer_leader(
        &self,
        group: GroupId,
        to: NodeId,
        deadline: Instant,
    ) -> Result<(), SubmitError> {
        let mut client = self.leader_client(group).ok_or(SubmitError::NoLeader)?;
        let request = TransferLeaderRequest {
            group: group.0,
            to: to.0,
        };
        match timeout_at(deadline, client.transfer_leader(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(SubmitError::Rejected(words(status))),
            Err(_) => Err(SubmitError::OutcomeUnknown),
        }
    }

    /// The leader of a group as far as this router knows.
    pub fn leader(&self, group: GroupId) -> Option<NodeId> {
        self.shared.leaders.of(group)
    }

    /// A client of the node that leads the group, as far as this router knows.
    pub(crate) fn leader_client(&self, group: GroupId) -> Option<Client> {
        let link = self.shared.links.load().of(self.leader(group)?)?;
        Some(link.standing()?.client.clone())
    }

    /// Waits until a node is connected, at most until the deadline; says whether it is.
    pub async fn wait_node(&self, node: NodeId, deadline: Instant) -> bool {
        self.wait(deadline, |_| self.shared.links.load().is_up(node))
            .await
    }

    /// Waits until some node says who leads the group, at most until the deadline.
    pub async fn wait_leader(&self, group: GroupId, deadline: Instant) -> Option<NodeId> {
        let mut changes = self.shared.leaders.changes();
        loop {
            if let Some(leader) = self.leader(group) {
                return Some(leader);
            }
            if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                return None;
            }
        }
    }

    /// Closes the connections; what is in flight ends as it stands.
    pub async fn shutdown(&self) {
        self.keeper.stop().await;
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("cluster", &self.shared.options.cluster)
            .finish_non_exhaustive()
    }
}

/// A key that nobody else has: the standard library seeds its hashers at random.
fn random_once() -> Once {
    let random = || RandomState::new().build_hasher().finish().to_le_bytes();
    let mut key = [0; 16];
    for (byte, value) in key.iter_mut().zip(random().into_iter().chain(random())) {
        *byte = value;
    }
    Once {
        key,
        fingerprint: key,
    }
}
