//! What a batch costs on the way between two nodes, without a connection around it, for benches.

use crate::transport::proto::message::Body;
use crate::transport::proto::{Frame, Message};
use crate::transport::wire;
use crate::types::{Entry, Payload, RaftVote, Types, to_log_id};
use bytes::Bytes;
use florin_storage::LogPosition;
use openraft::EntryPayload;
use openraft::raft::AppendEntriesRequest;
use prost::Message as _;

/// Entries on their way to a follower.
pub struct Append(AppendEntriesRequest<Types>);

impl Append {
    /// One entry for each encoded batch.
    pub fn of(batches: impl IntoIterator<Item = Vec<u8>>) -> Append {
        let at = |index| to_log_id(LogPosition { term: 1, index });
        let entry = |(index, batch)| Entry {
            log_id: at(index),
            payload: EntryPayload::Normal(Payload::new(batch)),
        };
        Append(AppendEntriesRequest {
            vote: RaftVote::new_committed(1, 1),
            prev_log_id: Some(at(0)),
            entries: (1..).zip(batches).map(entry).collect(),
            leader_commit: Some(at(0)),
        })
    }

    /// As the frame that it travels in.
    pub fn frame(&self) -> Bytes {
        let message = Message {
            group: 1,
            call: 1,
            sequence: 1,
            body: Some(Body::Append(wire::append(&self.0))),
        };
        let frame = Frame {
            hello: None,
            messages: vec![message],
            clock: 1,
        };
        frame.encode_to_vec().into()
    }
}

/// Takes such a frame apart and answers how many entries it brought; nothing if it is malformed.
pub fn entries_of(frame: Bytes) -> Option<usize> {
    let frame = Frame::decode(frame).ok()?;
    let mut entries = 0;
    for message in frame.messages {
        if let Some(Body::Append(append)) = message.body {
            entries += wire::read_append(append).ok()?.entries.len();
        }
    }
    Some(entries)
}
