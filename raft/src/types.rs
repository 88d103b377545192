//! openraft's types, filled in, and how what consensus keeps is written as bytes.

use crate::options::Member;
use bytes::{BufMut, Bytes, BytesMut};
use florin_ledger::effect::Decision;
use florin_ledger::id::{NodeId, Timestamp};
use florin_storage::LogPosition;
use florin_storage::log::{LogEntry, VOTE_BYTES};
use openraft::alias::{EntryOf, LogIdOf, StoredMembershipOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::impls::leader_id_std::LeaderId;
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, LogId, Membership, RaftTypeConfig, Vote};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The types that consensus works with.
#[derive(Debug, Clone, Copy, Default, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) struct Types;

impl RaftTypeConfig for Types {
    type D = Payload;
    type R = Applied;
    type NodeId = u64;
    type Node = Peer;
    type Term = u64;
    type LeaderId = LeaderId<u64, u64>;
    type Vote = Vote<Self::LeaderId>;
    type Payload = EntryPayload<Payload, u64, Peer>;
    type Entry = openraft::Entry<<Self::LeaderId as RaftLeaderId>::Committed, Self::Payload>;
    type AsyncRuntime = crate::runtime::Runtime;
    type Responder<T>
        = Respond<T>
    where
        T: Send + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: Send + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

pub(crate) type Entry = EntryOf<Types>;
pub(crate) type StoredMembership = StoredMembershipOf<Types>;
pub(crate) type RaftLogId = LogIdOf<Types>;
pub(crate) type RaftVote = VoteOf<Types>;

/// What a proposal carries: an encoded batch and, behind it, the byte that marks it as one. The
/// same bytes are in the log, on the wire and handed to the ledger.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Payload(Bytes);

impl Payload {
    /// Marks an encoded batch.
    pub(crate) fn new(mut batch: Vec<u8>) -> Payload {
        batch.push(KIND_BATCH);
        Payload(Bytes::from(batch))
    }

    /// Bytes in the log.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The encoded batch.
    pub(crate) fn batch(&self) -> Bytes {
        self.0.slice(..self.0.len().saturating_sub(1))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} bytes", self.0.len().saturating_sub(1))
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What applying an entry answers.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// One for each command of the batch.
    pub(crate) decisions: Vec<Decision>,
    /// The group's time of that batch.
    pub(crate) time: Timestamp,
}

/// A member as consensus keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) address: String,
    pub(crate) region: String,
    pub(crate) incarnation: u64,
}

impl Peer {
    pub(crate) fn of(member: &Member) -> Peer {
        Peer {
            address: member.address.clone(),
            region: member.region.clone(),
            incarnation: member.incarnation,
        }
    }

    pub(crate) fn member(&self, node: u64) -> Member {
        Member {
            node: NodeId(node),
            address: self.address.clone(),
            region: self.region.clone(),
            incarnation: self.incarnation,
        }
    }
}

/// Answers a proposal by calling a function once. A function that is dropped uncalled has to
/// answer by itself.
pub(crate) struct Respond<T>(Box<dyn FnOnce(T) + Send>);

impl<T: Send + 'static> Respond<T> {
    pub(crate) fn new(answer: impl FnOnce(T) + Send + 'static) -> Respond<T> {
        Respond(Box::new(answer))
    }
}

impl<T: Send + 'static> openraft::raft::responder::Responder<Types, T> for Respond<T> {
    fn on_complete(self, result: T) {
        (self.0)(result);
    }
}

const KIND_BLANK: u8 = 0;
const KIND_BATCH: u8 = 1;
const KIND_MEMBERSHIP: u8 = 2;

/// Bytes of a log entry, a vote or a membership that this version does not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed or of an unknown version: {0}")]
pub(crate) struct Malformed(&'static str);

impl From<Malformed> for std::io::Error {
    fn from(malformed: Malformed) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::InvalidData, malformed)
    }
}

/// The payload's bytes, its kind last. A batch is not copied.
pub(crate) fn encode_payload(payload: &EntryPayload<Payload, u64, Peer>) -> Bytes {
    match payload {
        EntryPayload::Blank => Bytes::from_static(&[KIND_BLANK]),
        EntryPayload::Normal(payload) => payload.0.clone(),
        EntryPayload::Membership(membership) => {
            let encoded = encode_membership(membership);
            let mut bytes = BytesMut::with_capacity(encoded.len() + 1);
            bytes.put(encoded);
            bytes.put_u8(KIND_MEMBERSHIP);
            bytes.freeze()
        }
    }
}

/// Reads a payload.
pub(crate) fn decode_payload(bytes: &Bytes) -> Result<EntryPayload<Payload, u64, Peer>, Malformed> {
    match bytes.last() {
        Some(&KIND_BLANK) if bytes.len() == 1 => Ok(EntryPayload::Blank),
        Some(&KIND_BATCH) => Ok(EntryPayload::Normal(Payload(bytes.clone()))),
        Some(&KIND_MEMBERSHIP) => {
            let encoded = bytes.get(..bytes.len() - 1).unwrap_or_default();
            decode_membership(encoded).map(EntryPayload::Membership)
        }
        _ => Err(Malformed("log entry")),
    }
}

/// An entry as the log keeps it.
pub(crate) fn to_log(entry: &Entry) -> LogEntry {
    LogEntry {
        position: to_position(&entry.log_id()),
        payload: encode_payload(&entry.payload),
    }
}

/// An entry as consensus sees it.
pub(crate) fn from_log(entry: &LogEntry) -> Result<Entry, Malformed> {
    let payload = decode_payload(&entry.payload)?;
    Ok(Entry::new(to_log_id(entry.position), payload))
}

pub(crate) fn to_position(log_id: &RaftLogId) -> LogPosition {
    LogPosition {
        term: log_id.leader_id.term,
        index: log_id.index,
    }
}

pub(crate) fn to_log_id(position: LogPosition) -> RaftLogId {
    LogId {
        leader_id: position.term.into(),
        index: position.index,
    }
}

#[derive(Serialize, Deserialize)]
struct MembershipBytes {
    version: u8,
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, Peer>,
}

/// A membership for the log, the ledger's store and the wire.
pub(crate) fn encode_membership(membership: &Membership<u64, Peer>) -> Bytes {
    let bytes = MembershipBytes {
        version: 1,
        configs: membership.get_joint_config().clone(),
        nodes: membership
            .nodes()
            .map(|(id, peer)| (*id, peer.clone()))
            .collect(),
    };
    // Numbers, strings and collections of them: postcard has nothing to refuse.
    Bytes::from(postcard::to_stdvec(&bytes).unwrap_or_default())
}

pub(crate) fn decode_membership(bytes: &[u8]) -> Result<Membership<u64, Peer>, Malformed> {
    let decoded: MembershipBytes =
        postcard::from_bytes(bytes).map_err(|_| Malformed("membership"))?;
    if decoded.version != 1 {
        return Err(Malformed("membership"));
    }
    Membership::new(decoded.configs, decoded.nodes).map_err(|_| Malformed("membership"))
}

/// The membership that the ledger's store keeps, as consensus sees it.
pub(crate) fn stored_membership(
    kept: Option<(Option<LogPosition>, Bytes)>,
) -> Result<StoredMembership, Malformed> {
    match kept {
        None => Ok(StoredMembership::default()),
        Some((at, bytes)) => {
            let membership = decode_membership(&bytes)?;
            Ok(StoredMembership::new(at.map(to_log_id), membership))
        }
    }
}

/// What the log keeps beside entries: the vote, and where the members are. A replica whose
/// ledger is lost and whose log is purged has nobody else to ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ballot {
    version: u8,
    pub(crate) vote: Option<(u64, u64, bool)>,
    pub(crate) peers: BTreeMap<u64, Peer>,
}

impl Ballot {
    pub(crate) fn new(vote: Option<&RaftVote>, peers: BTreeMap<u64, Peer>) -> Ballot {
        Ballot {
            version: 1,
            vote: vote.map(|vote| {
                (
                    vote.leader_id.term,
                    vote.leader_id.voted_for,
                    vote.committed,
                )
            }),
            peers,
        }
    }

    pub(crate) fn vote(&self) -> Option<RaftVote> {
        self.vote.map(|(term, node, committed)| Vote {
            leader_id: LeaderId {
                term,
                voted_for: node,
            },
            committed,
        })
    }

    /// As many members as fit: one that answers is enough, the vote must be there.
    pub(crate) fn encode(&self) -> Bytes {
        let mut fitting = self.clone();
        loop {
            let bytes = postcard::to_stdvec(&fitting).unwrap_or_default();
            if bytes.len() <= VOTE_BYTES || fitting.peers.pop_last().is_none() {
                return Bytes::from(bytes);
            }
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Ballot, Malformed> {
        let ballot: Ballot = postcard::from_bytes(bytes).map_err(|_| Malformed("vote"))?;
        if ballot.version == 1 {
            Ok(ballot)
        } else {
            Err(Malformed("vote"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: EntryPayload<Payload, u64, Peer>) {
        let bytes = encode_payload(&payload);
        assert_eq!(decode_payload(&bytes), Ok(payload));
    }

    #[test]
    fn payloads_survive_the_log() {
        check(EntryPayload::Blank);
        check(EntryPayload::Normal(Payload::new(vec![])));
        check(EntryPayload::Normal(Payload::new(vec![1, 2, 0])));
        let peer = Peer {
            address: "a:1".into(),
            region: "eu".into(),
            incarnation: 7,
        };
        let membership =
            Membership::new(vec![BTreeSet::from([1])], BTreeMap::from([(1, peer)])).unwrap();
        check(EntryPayload::Membership(membership));
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [&[][..], &[9], &[1, 0], &[3, 2]] {
            assert!(
                decode_payload(&Bytes::copy_from_slice(bytes)).is_err(),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_ballot_with_too_many_members_keeps_its_vote() {
        let vote = Vote {
            leader_id: LeaderId {
                term: u64::MAX,
                voted_for: u64::MAX,
            },
            committed: true,
        };
        let peer = Peer {
            address: "x".repeat(200),
            ..Peer::default()
        };
        let peers = (1..=5).map(|id| (id, peer.clone())).collect();
        let bytes = Ballot::new(Some(&vote), peers).encode();
        assert!(bytes.len() <= VOTE_BYTES);
        let read = Ballot::decode(&bytes).unwrap();
        assert_eq!(read.vote(), Some(vote));
        assert_eq!(read.peers.len(), 2);
    }

    #[test]
    fn ballots_survive_the_log() {
        let vote = Vote {
            leader_id: LeaderId {
                term: 3,
                voted_for: 2,
            },
            committed: true,
        };
        let ballot = Ballot::new(Some(&vote), BTreeMap::from([(2, Peer::default())]));
        let read = Ballot::decode(&ballot.encode()).unwrap();
        assert_eq!(read.vote(), Some(vote));
        assert_eq!(read.peers, ballot.peers);
    }
}
