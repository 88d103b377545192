//! Ledgers on disk are read again while the node runs.

use crate::support::{Cluster, GROUP, eventually};
use std::time::Duration;

#[test]
fn each_node_scrubs_its_ledgers_while_payments_go_on() {
    let cluster = Cluster::with(3, |options| {
        options.scrub_interval = Duration::from_millis(1);
        options.scrub_pause = Duration::from_millis(5);
        options.checkpoint_interval = Duration::from_millis(20);
    });
    cluster.form(GROUP);
    let mut number = 0;
    eventually("a scrub on every node", || {
        number += 1;
        cluster.decide(GROUP, number);
        let scrubbed = |group: &florin_raft::Group| group.status().scrubbed;
        let found: Vec<_> = cluster.groups(GROUP).iter().filter_map(scrubbed).collect();
        assert!(found.iter().all(|found| found.problems == 0), "{found:?}");
        let read = found.iter().filter(|found| found.records > 0).count();
        (read == 3).then_some(())
    });
    cluster.assert_agreement(GROUP);
}
