//! The chunks of a snapshot.
//!
//! The first byte says what a chunk is: 1 a header (postcard), 2 pairs of the tree (key length:
//! 2 bytes, value length: 4 bytes, both little endian, key, value), 3 the end: BLAKE3 over every
//! chunk before it. Pairs keep the tree's keys; the tree's own header comes as chunk 1.

use super::load::Header;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(super) const HEADER: u8 = 1;
pub(super) const PAIRS: u8 = 2;
pub(super) const END: u8 = 3;

/// Bytes that a pair takes beside key and value.
pub(super) const PAIR_OVERHEAD: usize = 6;

/// What a snapshot begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SnapshotHeader {
    pub(super) format: u32,
    pub(super) header: Header,
}

/// Appends a pair.
pub(super) fn put_pair(chunk: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    chunk.extend((key.len() as u16).to_le_bytes());
    chunk.extend((value.len() as u32).to_le_bytes());
    chunk.extend(key);
    chunk.extend(value);
}

/// The pairs of a chunk; none if it is malformed.
pub(super) fn pairs(mut body: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut pairs = Vec::new();
    while !body.is_empty() {
        let (key_length, rest) = body.split_first_chunk()?;
        let (value_length, rest) = rest.split_first_chunk()?;
        let key_length = usize::from(u16::from_le_bytes(*key_length));
        let value_length = u32::from_le_bytes(*value_length) as usize;
        let (key, rest) = rest.split_at_checked(key_length)?;
        let (value, rest) = rest.split_at_checked(value_length)?;
        pairs.push((key.to_vec(), value.to_vec()));
        body = rest;
    }
    Some(pairs)
}

/// The end of a snapshot whose chunks were hashed.
pub(super) fn end(hasher: &blake3::Hasher) -> Bytes {
    let mut chunk = vec![END];
    chunk.extend(hasher.finalize().as_bytes());
    chunk.into()
}
