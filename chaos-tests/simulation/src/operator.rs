//! The operator: brings nodes back that lost their disk, by the product's own procedure.

use crate::config::Config;
use crate::frontend::addresses;
use crate::machine::Life;
use crate::net::connector;
use crate::node::CLUSTER;
use crate::record::{Record, Stage};
use florin_ledger::id::NodeId;
use florin_shards::{ReplaceOptions, replace};
use parking_lot::Mutex;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// What is to be done and what is being done. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Duties {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<NodeId>,
    /// Asked for and not done.
    open: BTreeSet<NodeId>,
}

impl Duties {
    /// Asks for a node to be brought back.
    pub(crate) fn replace(&self, node: NodeId) {
        let mut inner = self.inner.lock();
        if inner.open.insert(node) {
            inner.queue.push_back(node);
        }
    }

    /// The nodes that are not back yet.
    pub(crate) fn open(&self) -> BTreeSet<NodeId> {
        self.inner.lock().open.clone()
    }

    fn next(&self) -> Option<NodeId> {
        self.inner.lock().queue.pop_front()
    }

    fn again(&self, node: NodeId) {
        self.inner.lock().queue.push_back(node);
    }

    fn finish(&self, node: NodeId) {
        let mut inner = self.inner.lock();
        inner.open.remove(&node);
    }
}

/// Works until the run ends.
pub(crate) async fn run(config: Arc<Config>, record: Record, duties: Duties) -> turmoil::Result {
    let life = Arc::<Life>::default();
    while record.stage() != Stage::Done {
        let Some(node) = duties.next() else {
            sleep(LOOK).await;
            continue;
        };
        let mine = format!("node-{}:", node.0);
        let mut seeds = addresses(&config);
        seeds.retain(|address| !address.starts_with(&mine));
        let options = ReplaceOptions {
            cluster: CLUSTER.to_owned(),
            seeds,
            node,
            connector: connector(&life),
            timeout: ATTEMPT,
        };
        let replaced = replace(options).await;
        tracing::info!(node = node.0, ?replaced, "brought a node back");
        match replaced {
            Ok(_) => duties.finish(node),
            Err(_) => duties.again(node),
        }
        sleep(LOOK).await;
    }
    Ok(())
}
