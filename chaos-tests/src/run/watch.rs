//! Notes who leads which group, as nodes say it.

use crate::faults::Scene;
use crate::history::Leader;
use crate::limits::NOTE;
use florin_node::cluster::{NodeStatus, Role};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What is noted until it is finished.
pub struct Watching {
    done: oneshot::Sender<()>,
    task: JoinHandle<Vec<Leader>>,
}

/// Begins to note.
pub fn start(scene: Arc<Scene>) -> Watching {
    let (done, mut ended) = oneshot::channel();
    let task = tokio::spawn(async move {
        let (mut noted, mut last) = (Vec::new(), BTreeMap::new());
        loop {
            note(&scene, &mut noted, &mut last).await;
            tokio::select! {
                _ = &mut ended => return noted,
                () = tokio::time::sleep(NOTE) => (),
            }
        }
    });
    Watching { done, task }
}

impl Watching {
    /// What was noted.
    pub async fn finish(self) -> Vec<Leader> {
        let _waits = self.done.send(());
        self.task.await.unwrap_or_default()
    }
}

/// Who leads and in which term.
type Leads = (Option<String>, u64);

/// Notes what has changed. Only groups of the load: others have no payments.
async fn note(scene: &Scene, noted: &mut Vec<Leader>, last: &mut BTreeMap<u64, Leads>) {
    let status = scene.status().await;
    let at = scene.now();
    for group in &scene.groups {
        let now = leads(&status, *group);
        if last.get(group) != Some(&now) {
            let (node, term) = now.clone();
            let group = *group;
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
