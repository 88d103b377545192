//! A node whose disk fills up, on a simulated one.

use crate::support::{GROUP, account, block, deadline, eventually, partner};
use bytes::Bytes;
use florin_ledger::id::NodeId;
use florin_raft::{Consistency, Host, HostOptions, ProposeError};
use florin_storage::disk::sim::SimDisk;
use florin_storage::log::{Log, LogOptions};
use florin_storage::replica::Store;
use std::sync::Arc;

const SEGMENT: u64 = 8 << 20;

#[test]
fn a_full_disk_refuses_writes_and_recovers() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let disk = SimDisk::new();
    disk.set_capacity(Some(SEGMENT * 3));
    let options = LogOptions {
        segment_bytes: SEGMENT,
        min_free_bytes: 0,
        cache_bytes: 1 << 20,
        on_fatal: Arc::new(|why| panic!("{why}")),
    };
    let (log, _) = Log::open(Arc::new(disk.clone()), options).unwrap();
    let options = HostOptions::new(NodeId(1), "test", 7, "r1", "127.0.0.1:1");
    let member = options.member();
    let group = runtime.block_on(async {
        let host = Host::start(options, log, Store::in_memory()).await.unwrap();
        host.create_group(GROUP, vec![member], true).await.unwrap()
    });
    let propose = |number| block(group.propose(partner(number), account(number), deadline()));
    eventually("a leader", || propose(1).ok());

    // No ledger understands it, but it takes room in the log all the same.
    let filler = Bytes::from(vec![0xff; 1 << 20]);
    let refusal = eventually("a refusal", || {
        block(group.propose(partner(2), filler.clone(), deadline())).err()
    });
    assert_eq!(refusal, ProposeError::DiskFull);
    assert!(propose(1).is_err(), "a retry needs room as well");
    let read = block(group.fresh(Consistency::Linearizable, deadline()));
    assert!(read.is_ok(), "reads go on: {read:?}");

    disk.set_capacity(None);
    eventually("room again", || propose(2).ok());
    assert!(propose(1).unwrap().decision.replayed);
}
