//! `tests/compat/v1/ledger.snapshot` was written by format 1: keys, values, chunks and records.
//! This code must read it. Run with `FLORIN_WRITE_COMPAT=1` to write that of a new format.

use super::support::{GROUP, Place, World};
use crate::replica::Replica;
use crate::replica::verify::verify_group;
use bytes::Bytes;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat/v1");
    folder.join(name)
}

#[test]
fn a_ledger_of_format_1_is_read() {
    if std::env::var_os("FLORIN_WRITE_COMPAT").is_some() {
        write();
    }
    let bytes = std::fs::read(file("ledger.snapshot")).unwrap();
    let expected = std::fs::read_to_string(file("ledger.hash")).unwrap();
    for place in Place::both() {
        let store = place.open();
        let replica = Replica::open(&store, GROUP).unwrap();
        let mut writer = replica.install().unwrap();
        let mut rest = bytes.as_slice();
        while let Some((length, tail)) = rest.split_first_chunk() {
            let (chunk, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
            writer.chunk(Bytes::copy_from_slice(chunk)).unwrap();
            rest = tail;
        }
        writer.finish().unwrap();
        let hash = blake3::Hash::from(replica.state_hash().hash).to_hex();
        assert_eq!(hash.as_str(), expected.trim());
        let scratch = crate::replica::Store::in_memory();
        let report = verify_group(&store, &scratch, GROUP).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

fn write() {
    let mut world = World::new(51);
    for _ in 0..25 {
        world.random_batch();
    }
    let replica = world.open(&crate::replica::Store::in_memory());
    replica.persist(u64::MAX).unwrap();
    let mut bytes = Vec::new();
    for chunk in replica.snapshot().unwrap().in_chunks_of(16 * 1024) {
        let chunk = chunk.unwrap();
        bytes.extend((chunk.len() as u32).to_le_bytes());
        bytes.extend(&chunk);
    }
    let hash = blake3::Hash::from(replica.state_hash().hash).to_hex();
    std::fs::write(file("ledger.snapshot"), bytes).unwrap();
    std::fs::write(file("ledger.hash"), format!("{hash}\n")).unwrap();
}
