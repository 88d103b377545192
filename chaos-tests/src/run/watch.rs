//! Notes who leads which group, as nodes say it.

use crate::history::Leader;
use crate::history::clock::Clock;
use crate::limits::NOTE;
use florin_node::cluster::{NodeStatus, Role};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What is noted until it is finished.
pub struct Watching {
    done: oneshot::Sender<()>,
    task: JoinHandle<Vec<Leader>>,
}

/// Begins to note what nodes say, by this clock.
pub fn start<S, F>(clock: Clock, status: S) -> Watching
where
    S: Fn() -> F + Send + 'static,
    F: Future<Output = Vec<NodeStatus>> + Send,
{
    let (done, mut ended) = oneshot::channel();
    let task = tokio::spawn(async move {
        let (mut noted, mut last) = (Vec::new(), BTreeMap::new());
        loop {
            let status = status().await;
            note(&status, clock.now(), &mut noted, &mut last);
            tokio::select! {
                _ = &mut ended => return noted,
                () = tokio::time::sleep(NOTE) => (),
            }
        }
    });
    Watching { done, task }
}

impl Watching {
    /// What was noted of these groups.
    pub async fn finish(self, groups: &[u64]) -> Vec<Leader> {
        let _waits = self.done.send(());
        let mut noted = self.task.await.unwrap_or_default();
        noted.retain(|leader| groups.contains(&leader.group));
        noted
    }
}

/// Who leads and in which term.
type Leads = (Option<String>, u64);

/// Notes what has changed.
fn note(status: &[NodeStatus], at: u64, noted: &mut Vec<Leader>, last: &mut BTreeMap<u64, Leads>) {
    let replicas = status.iter().flat_map(|node| &node.groups);
    let groups: BTreeSet<u64> = replicas.map(|replica| replica.group.0.into()).collect();
    let known: Vec<u64> = last.keys().copied().collect();
    for group in groups.into_iter().chain(known) {
        let now = leads(status, group);
        if last.get(&group) != Some(&now) {
            let (node, term) = now.clone();
            noted.push(Leader {
                at,
                group,
                node,
                term,
            });
            last.insert(group, now);
        }
    }
}

/// The leader of the highest term: one that was cut off may still believe that it leads.
fn leads(status: &[NodeStatus], group: u64) -> Leads {
    let mut best: Leads = (None, 0);
    for node in status {
        for replica in &node.groups {
            if u64::from(replica.group.0) != group {
                continue;
            }
            let newer = replica.term > best.1 || best.0.is_none();
            if replica.role == Role::Leader && newer {
                best = (Some(node.name.clone()), replica.term);
            }
        }
    }
    best
}
