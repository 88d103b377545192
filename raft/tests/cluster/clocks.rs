//! A clock that is wrong, on the node that leads.

use crate::support::{Cluster, GROUP, deadline};
use florin_ledger::id::{NodeId, Timestamp};
use florin_raft::{HostOptions, SystemClock};
use std::sync::Arc;
use std::time::Duration;

const DAY: u64 = 25 * 3_600_000_000;

fn first_is_ahead(options: &mut HostOptions) {
    if options.node == NodeId(1) {
        options.clock = Arc::new(|| Timestamp(SystemClock::now().0 + DAY));
    }
}

fn first_is_behind(options: &mut HostOptions) {
    if options.node == NodeId(1) {
        options.clock = Arc::new(|| Timestamp(SystemClock::now().0 - DAY));
    }
}

/// Keys are remembered for a day: a leader that lives a day ahead would forget them all.
#[test]
fn a_leader_with_a_wrong_clock_moves_no_time() {
    for wrong in [first_is_ahead as fn(&mut HostOptions), first_is_behind] {
        let cluster = Cluster::with(3, wrong);
        cluster.form(GROUP);
        let until = deadline();
        let mut led_by = cluster.leader_id(GROUP);
        while led_by != NodeId(1) {
            assert!(std::time::Instant::now() < until, "node 1 does not lead");
            let leader = cluster.leader(GROUP);
            let _ = crate::support::block(leader.transfer_leader(NodeId(1)));
            led_by = cluster.leader_id(GROUP);
        }
        let first = cluster.decide(GROUP, 1);
        let now = SystemClock::now().0;
        let off = Duration::from_micros(first.time.0.abs_diff(now));
        assert!(off < Duration::from_secs(60), "{off:?} off");
        let again = cluster.decide(GROUP, 1);
        assert!(again.decision.replayed);
        assert!(again.time > first.time);
    }
}
