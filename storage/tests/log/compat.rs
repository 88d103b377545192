//! The bytes of each format version, kept for ever.
//!
//! `tests/compat/v1/log` is the folder of a small log. This code must read it, and as long as it
//! writes the same version it must write the same bytes. To lay down the folder of a new version,
//! run this test with `FLORIN_WRITE_COMPAT` set.

use crate::support::*;
use bytes::Bytes;
use florin_ledger::id::GroupId;
use florin_storage::disk::RealDisk;
use florin_storage::disk::sim::SimDisk;
use florin_storage::log::{Log, Recovery};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

const SEGMENT_ONE: &str = "0000000000000001.log";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat/v1/log")
}

/// Every kind of record.
fn write() -> SimDisk {
    let disk = SimDisk::new();
    let (log, _) = open(&disk);
    let one = log.create_group(G1).unwrap();
    let two = log.create_group(G2).unwrap();
    log.create_group(GroupId(3)).unwrap();
    append(
        &one,
        (1..6).map(|i| entry(1, i, &payload(1, i, 50))).collect(),
    );
    one.save_vote(Bytes::from_static(b"term 2 for node 1"), ignore());
    log.step();
    one.truncate_after(Some(4));
    append(&one, vec![entry(2, 5, b"another fifth")]);
    one.purge(at(1, 2));
    two.purge(at(3, 30));
    append(&two, vec![entry(4, 31, b"after a snapshot")]);
    log.remove_group(GroupId(3)).unwrap();
    log.close();
    disk
}

#[test]
fn a_log_of_version_1_opens() {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let disk = RealDisk::open(copy.path()).unwrap();
    let (log, recovery) = Log::open(Arc::new(disk), options()).unwrap();
    assert_eq!(recovery, Recovery::default());
    assert_eq!(log.groups(), [G1, G2]);
    let (one, two) = (log.group(G1).unwrap(), log.group(G2).unwrap());
    let expected = [
        (1, 3, payload(1, 3, 50)),
        (1, 4, payload(1, 4, 50)),
        (2, 5, b"another fifth".to_vec()),
    ];
    assert_eq!(entries(&one), expected);
    assert_eq!(one.state().vote.unwrap(), "term 2 for node 1");
    assert_eq!(one.state().purged, Some(at(1, 2)));
    assert_eq!(entries(&two), [(4, 31, b"after a snapshot".to_vec())]);
    assert_eq!(two.state().purged, Some(at(3, 30)));
}

#[test]
fn version_1_is_still_written_alike() {
    let bytes = write().bytes(SEGMENT_ONE).unwrap();
    if std::env::var_os("FLORIN_WRITE_COMPAT").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(folder().join(SEGMENT_ONE), &bytes).unwrap();
    }
    let kept = fs::read(folder().join(SEGMENT_ONE)).unwrap();
    assert!(
        kept == bytes,
        "the format has changed: give it a new version"
    );
}
