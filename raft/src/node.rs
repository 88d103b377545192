//! What all groups of this node share.

use crate::clocks::Clocks;
use crate::host::FormerSelf;
use crate::limits;
use crate::options::HostOptions;
use crate::replicated::Replicated;
use crate::snapshot::Rate;
use crate::transport::link::{Link, Target};
use crate::unwritten::Unwritten;
use florin_failpoints::mutant;
use florin_ledger::id::{GroupId, NodeId};
use florin_storage::log::Log;
use florin_storage::replica::Store;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// The node: its log, its store, its groups and its links.
pub(crate) struct Node {
    pub(crate) options: HostOptions,
    pub(crate) log: Arc<Log>,
    pub(crate) store: Store,
    pub(crate) snapshot_rate: Rate,
    pub(crate) clocks: Arc<Clocks>,
    pub(crate) unwritten: Arc<Unwritten>,
    /// Walks along lists that may begin now.
    pub(crate) walks: Arc<Semaphore>,
    started: Instant,
    groups: RwLock<BTreeMap<GroupId, Arc<Replicated>>>,
    links: Mutex<BTreeMap<Target, Arc<Link>>>,
    preferences: Mutex<BTreeMap<GroupId, Vec<NodeId>>>,
    former_self: watch::Sender<Option<FormerSelf>>,
    ended: Mutex<BTreeMap<GroupId, String>>,
    ailing: Mutex<BTreeMap<GroupId, String>>,
    stopping: watch::Sender<bool>,
}

impl Node {
    pub(crate) fn new(options: HostOptions, log: Log, store: Store) -> Arc<Node> {
        Arc::new(Node {
            snapshot_rate: Rate::new(options.snapshot_bytes_per_second),
            clocks: Arc::new(Clocks::new(options.node, Arc::clone(&options.clock))),
            unwritten: Arc::default(),
            walks: Arc::new(Semaphore::new(limits::WALKS)),
            options,
            log: Arc::new(log),
            store,
            started: Instant::now(),
            groups: RwLock::default(),
            links: Mutex::default(),
            preferences: Mutex::default(),
            former_self: watch::Sender::new(None),
            ended: Mutex::default(),
            ailing: Mutex::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// Promises to leaders from before the start may still hold.
    pub(crate) fn has_just_started(&self) -> bool {
        mutant!("lease-kept-across-restart" => return false);
        self.started.elapsed() < self.options.election_timeout.1
    }

    /// Returns once it may vote, for others and for itself.
    pub(crate) async fn may_vote(&self) {
        tokio::time::sleep_until(self.started + self.options.election_timeout.1).await;
    }

    pub(crate) fn group(&self, group: GroupId) -> Option<Arc<Replicated>> {
        self.groups.read().get(&group).cloned()
    }

    pub(crate) fn all_groups(&self) -> Vec<Arc<Replicated>> {
        self.groups.read().values().cloned().collect()
    }

    pub(crate) fn add_group(&self, group: Arc<Replicated>) {
        self.groups.write().insert(group.id, group);
    }

    pub(crate) fn clear_groups(&self) {
        self.groups.write().clear();
    }

    pub(crate) fn preference(&self, group: GroupId) -> Vec<NodeId> {
        self.preferences
            .lock()
            .get(&group)
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) fn set_preference(&self, group: GroupId, preferred: Vec<NodeId>) {
        self.preferences.lock().insert(group, preferred);
    }

    /// The link to a peer; begun if there is none.
    pub(crate) fn link(self: &Arc<Self>, target: &Target) -> Arc<Link> {
        let mut links = self.links.lock();
        if let Some(link) = links.get(target) {
            return Arc::clone(link);
        }
        let link = Link::start(self, target.clone());
        links.insert(target.clone(), Arc::clone(&link));
        link
    }

    /// Keeps links to all members of all groups, so that they are there when they are needed,
    /// and ends the others.
    pub(crate) fn tend_links(self: &Arc<Self>) {
        let mut needed = BTreeSet::new();
        for group in self.all_groups() {
            needed.extend(
                group
                    .targets()
                    .into_iter()
                    .filter(|target| target.node != self.options.node.0),
            );
        }
        for target in &needed {
            self.link(target);
        }
        self.links
            .lock()
            .retain(|target, _| needed.contains(target));
    }

    pub(crate) fn connected(&self, node: NodeId) -> bool {
        self.links
            .lock()
            .iter()
            .any(|(target, link)| target.node == node.0 && link.connected())
    }

    /// The incarnations under which the groups here know a node; `None` if they do not know it.
    pub(crate) fn incarnations_of(&self, node: u64) -> Option<BTreeSet<u64>> {
        let mut known = BTreeSet::new();
        for group in self.all_groups() {
            let targets = group.targets();
            known.extend(
                targets
                    .into_iter()
                    .filter(|target| target.node == node)
                    .map(|target| target.incarnation),
            );
        }
        (!known.is_empty()).then_some(known)
    }

    pub(crate) fn report_former_self(&self, former: FormerSelf) {
        self.former_self.send_if_modified(|known| {
            let news = known.is_none();
            if news {
                tracing::error!(
                    by = former.by.0,
                    known = former.known,
                    ours = former.ours,
                    "a peer knows this node under another incarnation: the data folder is not the one it had"
                );
                *known = Some(former);
            }
            news
        });
    }

    pub(crate) fn former_self(&self) -> watch::Receiver<Option<FormerSelf>> {
        self.former_self.subscribe()
    }

    /// Notes that a group does not run here although it should, for people and for readiness.
    pub(crate) fn report_ended(&self, group: GroupId, why: String) {
        tracing::error!(group = group.0, why, "the group does not run on this node");
        self.ended.lock().insert(group, why);
    }

    /// The groups that do not run here although they should, and why.
    pub(crate) fn ended(&self) -> BTreeMap<GroupId, String> {
        self.ended.lock().clone()
    }

    /// Notes that a group is being repaired.
    pub(crate) fn report_ailing(&self, group: GroupId, why: String) {
        tracing::warn!(
            group = group.0,
            why,
            "the replica takes no part until it is whole"
        );
        self.ailing.lock().insert(group, why);
    }

    pub(crate) fn report_healed(&self, group: GroupId) {
        self.ailing.lock().remove(&group);
    }

    /// The groups that are being repaired, and what is wrong with them.
    pub(crate) fn ailing(&self) -> BTreeMap<GroupId, String> {
        self.ailing.lock().clone()
    }

    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Returns once the node is shutting down.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as this node does.
        drop(stopping.wait_for(|stopping| *stopping).await);
    }

    pub(crate) fn end_links(&self) {
        self.links.lock().clear();
    }
}
