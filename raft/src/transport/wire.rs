//! openraft's messages as protobuf, and back. What comes in was written by another: nothing in
//! it is believed before it has been looked at.

use super::proto::{self, append_reply, handover_reply};
use crate::types::{self, Entry, RaftLogId, RaftVote, Types};
use florin_storage::LogPosition;
use openraft::Vote;
use openraft::impls::leader_id_std::LeaderId;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};

/// A message that lacks what it must have, or holds what this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub(crate) struct BadMessage(pub(crate) &'static str);

pub(crate) fn vote(vote: &RaftVote) -> proto::Vote {
    proto::Vote {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

pub(crate) fn read_vote(vote: Option<proto::Vote>) -> Result<RaftVote, BadMessage> {
    let vote = vote.ok_or(BadMessage("no vote"))?;
    Ok(Vote {
        leader_id: LeaderId {
            term: vote.term,
            voted_for: vote.node,
        },
        committed: vote.committed,
    })
}

pub(crate) fn log_id(log_id: &RaftLogId) -> proto::LogId {
    proto::LogId {
        term: log_id.leader_id.term,
        index: log_id.index,
    }
}

pub(crate) fn read_log_id(log_id: proto::LogId) -> RaftLogId {
    types::to_log_id(LogPosition {
        term: log_id.term,
        index: log_id.index,
    })
}

pub(crate) fn append(request: &AppendEntriesRequest<Types>) -> proto::Append {
    let entries = request.entries.iter().map(|entry| proto::Entry {
        term: entry.log_id.leader_id.term,
        index: entry.log_id.index,
        payload: types::encode_payload(&entry.payload),
    });
    proto::Append {
        vote: Some(vote(&request.vote)),
        previous: request.prev_log_id.as_ref().map(log_id),
        entries: entries.collect(),
        committed: request.leader_commit.as_ref().map(log_id),
    }
}

/// Also checks that the entries follow each other: consensus takes that for granted.
pub(crate) fn read_append(
    append: proto::Append,
) -> Result<AppendEntriesRequest<Types>, BadMessage> {
    let prev_log_id = append.previous.map(read_log_id);
    let mut previous = prev_log_id.as_ref().map(types::to_position);
    let mut entries: Vec<Entry> = Vec::with_capacity(append.entries.len());
    for entry in append.entries {
        let position = LogPosition {
            term: entry.term,
            index: entry.index,
        };
        let follows = match previous {
            None => position.index == 0,
            Some(before) => {
                before.index.checked_add(1) == Some(position.index) && before.term <= position.term
            }
        };
        if !follows {
            return Err(BadMessage("entries do not follow each other"));
        }
        previous = Some(position);
        let payload =
            types::decode_payload(&entry.payload).map_err(|_| BadMessage("unknown entry"))?;
        entries.push(Entry {
            log_id: types::to_log_id(position),
            payload,
        });
    }
    Ok(AppendEntriesRequest {
        vote: read_vote(append.vote)?,
        prev_log_id,
        entries,
        leader_commit: append.committed.map(read_log_id),
    })
}

pub(crate) fn append_reply(result: &StreamAppendResult<Types>) -> proto::AppendReply {
    let outcome = match result {
        Ok(upto) => append_reply::Outcome::Matched(proto::Matched {
            upto: upto.as_ref().map(log_id),
        }),
        Err(StreamAppendError::Conflict(at)) => append_reply::Outcome::Conflict(log_id(at)),
        Err(StreamAppendError::HigherVote(higher)) => {
            append_reply::Outcome::HigherVote(vote(higher))
        }
    };
    proto::AppendReply {
        outcome: Some(outcome),
    }
}

pub(crate) fn read_append_reply(
    reply: proto::AppendReply,
) -> Result<StreamAppendResult<Types>, BadMessage> {
    match reply.outcome.ok_or(BadMessage("no outcome"))? {
        append_reply::Outcome::Matched(matched) => Ok(Ok(matched.upto.map(read_log_id))),
        append_reply::Outcome::Conflict(at) => {
            Ok(Err(StreamAppendError::Conflict(read_log_id(at))))
        }
        append_reply::Outcome::HigherVote(higher) => {
            Ok(Err(StreamAppendError::HigherVote(read_vote(Some(higher))?)))
        }
    }
}

pub(crate) fn ballot(request: &VoteRequest<Types>) -> proto::Ballot {
    proto::Ballot {
        vote: Some(vote(&request.vote)),
        last_log: request.last_log_id.as_ref().map(log_id),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(crate) fn read_ballot(ballot: proto::Ballot) -> Result<VoteRequest<Types>, BadMessage> {
    Ok(VoteRequest {
        vote: read_vote(ballot.vote)?,
        last_log_id: ballot.last_log.map(read_log_id),
        leadership_transfer: ballot.leadership_transfer,
    })
}

pub(crate) fn ballot_reply(response: &VoteResponse<Types>) -> proto::BallotReply {
    proto::BallotReply {
        vote: Some(vote(&response.vote)),
        granted: response.vote_granted,
        last_log: response.last_log_id.as_ref().map(log_id),
    }
}

pub(crate) fn read_ballot_reply(
    reply: proto::BallotReply,
) -> Result<VoteResponse<Types>, BadMessage> {
    Ok(VoteResponse {
        vote: read_vote(reply.vote)?,
        vote_granted: reply.granted,
        last_log_id: reply.last_log.map(read_log_id),
    })
}

pub(crate) fn handover(request: &TransferLeaderRequest<Types>) -> proto::Handover {
    proto::Handover {
        from_leader: Some(vote(request.from_leader())),
        to: *request.to_node_id(),
        last_log: request.last_log_id().map(log_id),
    }
}

pub(crate) fn read_handover(
    handover: proto::Handover,
) -> Result<TransferLeaderRequest<Types>, BadMessage> {
    let from = read_vote(handover.from_leader)?;
    Ok(TransferLeaderRequest::new(
        from,
        handover.to,
        handover.last_log.map(read_log_id),
    ))
}

pub(crate) fn handover_reply(response: &TransferLeaderResponse<Types>) -> proto::HandoverReply {
    let outcome = match response {
        Ok(()) => handover_reply::Outcome::Accepted(true),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            handover_reply::Outcome::VoteChanged(proto::VoteChanged {
                expected: Some(vote(expected)),
                actual: Some(vote(actual)),
            })
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            handover_reply::Outcome::LogNotFlushed(proto::LogNotFlushed {
                expected: expected.as_ref().map(log_id),
                actual: actual.as_ref().map(log_id),
            })
        }
    };
    proto::HandoverReply {
        outcome: Some(outcome),
    }
}

pub(crate) fn read_handover_reply(
    reply: proto::HandoverReply,
) -> Result<TransferLeaderResponse<Types>, BadMessage> {
    Ok(match reply.outcome.ok_or(BadMessage("no outcome"))? {
        handover_reply::Outcome::Accepted(_) => Ok(()),
        handover_reply::Outcome::VoteChanged(changed) => Err(TransferLeaderError::VoteChanged {
            expected: read_vote(changed.expected)?,
            actual: read_vote(changed.actual)?,
        }),
        handover_reply::Outcome::LogNotFlushed(lag) => Err(TransferLeaderError::LogNotFlushed {
            expected: lag.expected.map(read_log_id),
            actual: lag.actual.map(read_log_id),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u64, index: u64) -> proto::Entry {
        proto::Entry {
            term,
            index,
            payload: bytes::Bytes::from_static(&[0]),
        }
    }

    fn check(previous: Option<(u64, u64)>, entries: &[(u64, u64)], good: bool) {
        let append = proto::Append {
            vote: Some(proto::Vote {
                term: 9,
                node: 1,
                committed: true,
            }),
            previous: previous.map(|(term, index)| proto::LogId { term, index }),
            entries: entries
                .iter()
                .map(|(term, index)| entry(*term, *index))
                .collect(),
            committed: None,
        };
        let read = read_append(append.clone());
        assert_eq!(read.is_ok(), good, "{previous:?} {entries:?}");
        if let Ok(request) = read {
            assert_eq!(super::append(&request), append);
        }
    }

    #[test]
    fn entries_must_follow_each_other() {
        check(None, &[], true);
        check(None, &[(1, 0), (1, 1)], true);
        check(None, &[(1, 1)], false);
        check(Some((3, 7)), &[(3, 8), (4, 9)], true);
        check(Some((3, 7)), &[(3, 9)], false);
        check(Some((3, 7)), &[(2, 8)], false);
        check(Some((3, u64::MAX)), &[(3, 0)], false);
    }
}
