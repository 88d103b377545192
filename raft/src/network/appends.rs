//! A sequence of appends to one peer: several are sent before the first is answered.

use super::{bad, rpc_error};
use crate::limits;
use crate::transport::link::{LinkError, Session};
use crate::transport::proto::append_reply::Outcome;
use crate::transport::proto::message::Body;
use crate::transport::wire;
use crate::types::Types;
use florin_failpoints::{failpoint, mutant};
use futures_util::stream::{Stream, StreamExt};
use openraft::errors::RPCError;
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Appends under way: several are sent before the first is answered.
pub(super) struct Appends<S> {
    input: Option<S>,
    session: Session,
    in_flight: usize,
    stall: Duration,
    held: Option<Held>,
    /// The index of the last entry that the peer was sent, and of the last that there is.
    sent: u64,
    appended: watch::Receiver<u64>,
    news: News,
}

/// News that something is committed, without entries. Entries that follow soon carry the same news,
/// so it waits a moment for them: otherwise each batch costs every follower two messages.
///
/// openraft takes an answer for everything that it handed out up to the entry that the answer
/// names, and counts the leader's lease from when the last of that was handed out. So news must not
/// be covered by an answer to what was sent before it, which the peer may have heard long ago. It is
/// held only if nothing was under way when it came, and only taken then or when there are entries
/// to send ([`Appends::request`]). Should it come all the same while answers are due, it is sent at
/// once, and those of them that would cover it are not told: its own answer says the same
/// ([`News::is_covered_by`]).
struct Held {
    request: AppendEntriesRequest<Types>,
    until: Instant,
}

/// The last news that was sent.
#[derive(Default)]
struct News {
    /// Answers that are due to what was sent before it.
    answers_before: usize,
    /// The entry behind which it stands.
    index: u64,
}

impl News {
    /// Whether an answer that came just now, and says that the peer holds all up to `upto`, is to
    /// something that was sent before the news and would be taken for an answer to it.
    fn is_covered_by(&mut self, upto: Option<u64>) -> bool {
        if self.answers_before == 0 {
            return false;
        }
        self.answers_before -= 1;
        upto.is_some_and(|upto| upto >= self.index)
    }
}

/// Up to where the peer says that it holds what this leader holds, if it says so.
fn matched(answer: &Result<Body, LinkError>) -> Option<u64> {
    let Ok(Body::AppendReply(reply)) = answer else {
        return None;
    };
    match &reply.outcome {
        Some(Outcome::Matched(matched)) => Some(matched.upto.map_or(0, |upto| upto.index)),
        _ => None,
    }
}

pub(super) type Step<S> = Option<(
    Result<StreamAppendResult<Types>, RPCError<Types>>,
    Option<Appends<S>>,
)>;

/// What an open sequence of appends goes on with.
enum Next {
    Answer(Result<Body, LinkError>),
    Request(Option<AppendEntriesRequest<Types>>),
    /// What was held has waited long enough.
    Due,
}

impl<S> Appends<S>
where
    S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin + 'static,
{
    /// `appended` is the index of the last entry that there is.
    pub(super) fn new(
        input: S,
        session: Session,
        stall: Duration,
        appended: watch::Receiver<u64>,
    ) -> Appends<S> {
        Appends {
            input: Some(input),
            session,
            in_flight: 0,
            stall,
            held: None,
            sent: 0,
            appended,
            news: News::default(),
        }
    }

    /// Sends what there is to send until an answer comes.
    pub(super) async fn step(this: Option<Appends<S>>) -> Step<S> {
        let mut this = this?;
        loop {
            if this.input.is_none() && this.in_flight == 0 && this.held.is_none() {
                return None;
            }
            let request = match this.next().await {
                Next::Answer(answer) => {
                    this.in_flight -= 1;
                    if this.news.is_covered_by(matched(&answer)) {
                        continue;
                    }
                    return this.read(answer);
                }
                Next::Request(Some(request))
                    if request.entries.is_empty() && this.in_flight == 0 =>
                {
                    // Newer news waits no longer than the first.
                    let until = this.held.map(|held| held.until);
                    let until = until.unwrap_or_else(|| Instant::now() + limits::COMMIT_LINGER);
                    this.held = Some(Held { request, until });
                    continue;
                }
                Next::Request(Some(request)) => {
                    this.held = None;
                    request
                }
                Next::Request(None) => {
                    this.input = None;
                    continue;
                }
                Next::Due => match this.held.take() {
                    Some(held) => held.request,
                    None => continue,
                },
            };
            failpoint!(
                async "raft.send.append",
                Some((Err(rpc_error(LinkError::Lost(this.session.node()))), None))
            );
            let sent = this.session.send(Body::Append(wire::append(&request)));
            if let Err(error) = sent.await {
                return Some((Err(rpc_error(error)), None));
            }
            this.sent(&request);
            // What was sent counts as held; the peer's own answer follows.
            mutant!("acknowledge-before-commit" => if let Some(last) = request.entries.last() {
                return Some((Ok(Ok(Some(last.log_id))), Some(this)));
            });
        }
    }

    async fn next(&mut self) -> Next {
        // With nothing to come, there is no company to wait for.
        let due = match (&self.held, &self.input) {
            (Some(_), None) => return Next::Due,
            (Some(held), Some(_)) => Some(held.until),
            (None, _) => None,
        };
        let gate = (self.in_flight > 0).then_some((&mut self.appended, self.sent));
        let input = self
            .input
            .as_mut()
            .filter(|_| self.in_flight < limits::APPENDS_IN_FLIGHT);
        let request = Self::request(input, gate);
        let due = async {
            match due {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let answer = tokio::time::timeout(self.stall, self.session.answer());
        tokio::select! {
            biased;
            answer = answer, if self.in_flight > 0 => {
                Next::Answer(answer.unwrap_or(Err(LinkError::TimedOut(0))))
            }
            request = request => Next::Request(request),
            () = due => Next::Due,
        }
    }

    fn sent(&mut self, request: &AppendEntriesRequest<Types>) {
        if request.entries.is_empty() {
            let index = request.prev_log_id.map_or(0, |previous| previous.index);
            self.news = News {
                answers_before: self.in_flight,
                index,
            };
        }
        let last = request.entries.last().map(|last| last.log_id.index);
        let last = last.or(request.prev_log_id.map(|previous| previous.index));
        self.sent = self.sent.max(last.unwrap_or_default());
        self.in_flight += 1;
    }

    /// The next request. While answers are due, `gate` holds it back until there are entries that
    /// were not sent: what came without any would be counted as answered with what is under way.
    async fn request(
        input: Option<&mut S>,
        gate: Option<(&mut watch::Receiver<u64>, u64)>,
    ) -> Option<AppendEntriesRequest<Types>> {
        let Some(input) = input else {
            return std::future::pending().await;
        };
        if let Some((appended, sent)) = gate {
            // It ends with the log, and then everything does.
            drop(appended.wait_for(|last| *last > sent).await);
        }
        input.next().await
    }

    fn read(self, answer: Result<Body, LinkError>) -> Step<S> {
        let result = match answer {
            Ok(Body::AppendReply(reply)) => wire::read_append_reply(reply).map_err(bad),
            Ok(_) => Err(rpc_error(LinkError::Malformed(self.session.node()))),
            Err(LinkError::TimedOut(_)) => Err(rpc_error(LinkError::TimedOut(self.session.node()))),
            Err(error) => Err(rpc_error(error)),
        };
        let goes_on = matches!(result, Ok(Ok(_)));
        Some((result, goes_on.then_some(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With so many answers due, news was sent behind entry 6. Then answers came: up to where each
    /// says, and whether it may be told.
    fn check(due: usize, answers: &[(Option<u64>, bool)]) {
        let mut news = News {
            answers_before: due,
            index: 6,
        };
        for (at, (upto, told)) in answers.iter().enumerate() {
            assert_eq!(!news.is_covered_by(*upto), *told, "{answers:?}, {at}");
        }
    }

    #[test]
    fn no_answer_to_what_was_sent_before_news_is_taken_for_one_to_it() {
        // Nothing was due: all that comes is to the news or to what followed it.
        check(0, &[(Some(6), true), (Some(7), true)]);
        // What was due says less, or as much, or that something else is wrong.
        check(2, &[(Some(5), true), (Some(6), false), (Some(6), true)]);
        check(1, &[(None, true), (Some(6), true)]);
        check(1, &[(Some(7), false), (Some(7), true)]);
    }
}
