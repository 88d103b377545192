//! Reads what the store holds again, one group after the other and slowly, to find rot while the
//! other replicas are still whole.

use crate::limits;
use crate::node::Node;
use crate::replicated::Replicated;
use crate::status::Scrubbed;
use florin_ledger::id::GroupId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes between two rests.
const STRIDE: u64 = 256 << 10;

/// Runs until the node stops.
pub(crate) async fn run(node: Arc<Node>) {
    let mut begun = BTreeMap::<GroupId, Instant>::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(node.options.scrub_pause) => (),
            () = node.stopped() => return,
        }
        let mut groups = node.all_groups();
        groups.sort_by_key(|group| begun.get(&group.id).copied());
        let Some(group) = groups.into_iter().next() else {
            continue;
        };
        let last = begun.get(&group.id);
        if last.is_none_or(|last| last.elapsed() >= node.options.scrub_interval) {
            begun.insert(group.id, Instant::now());
            scrub(&node, &group).await;
        }
    }
}

async fn scrub(node: &Arc<Node>, group: &Arc<Replicated>) {
    let (node, replica) = (Arc::clone(node), group.replica.clone());
    let blocking = node.options.blocking.clone();
    let reading = blocking.run(move || {
        let mut unrested = 0;
        replica.scrub_while(|bytes| {
            unrested += bytes;
            if unrested >= STRIDE {
                std::thread::sleep(rest(unrested));
                unrested = 0;
            }
            !node.is_stopping()
        })
    });
    let id = group.id.0;
    let report = match reading.await {
        Ok(Some(report)) => report,
        // The node stops, or a snapshot has brought other bytes.
        Ok(None) => return,
        Err(error) => return tracing::error!(group = id, %error, "scrubbing failed"),
    };
    for problem in &report.problems {
        tracing::error!(
            group = id,
            problem,
            "the ledger on this disk is damaged: stop the node, set its data folder aside, and \
             bring it back with `florin replace`"
        );
    }
    let problems = report.problems.len();
    let label = id.to_string();
    metrics::counter!("florin_raft_scrubs_total", "group" => label.clone()).increment(1);
    metrics::gauge!("florin_raft_scrub_problems", "group" => label).set(problems as f64);
    let records = report.records;
    tracing::info!(group = id, records, problems, "scrubbed");
    *group.scrubbed.lock() = Some(Scrubbed { records, problems });
}

fn rest(bytes: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / limits::SCRUB_BYTES_PER_SECOND as f64)
}
