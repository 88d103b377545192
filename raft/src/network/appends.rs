//! A sequence of appends to one peer: several are sent before the first is answered.

use super::{bad, rpc_error};
use crate::limits;
use crate::transport::link::{LinkError, Session};
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
    /// The index of the last entry that was sent, and of the last that there is.
    sent: u64,
    appended: watch::Receiver<u64>,
}

/// News that something is committed, without entries. Entries that follow soon carry the same news,
/// so it waits a moment for them: otherwise each batch costs every follower two messages.
///
/// openraft takes an answer for everything that it handed out up to the entry that the answer
/// names, and counts the leader's lease from when the last of that was handed out. So what is
/// held must not be covered by an answer to what was sent before it: it is only held, and as far
/// as possible only taken, when nothing is under way ([`Appends::request`]).
struct Held {
    request: AppendEntriesRequest<Types>,
    until: Instant,
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
                    return this.read(answer);
                }
                Next::Request(Some(request))
                    if request.entries.is_empty() && this.in_flight == 0 =>
                {
                    let until = Instant::now() + limits::COMMIT_LINGER;
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
            this.in_flight += 1;
            this.sent = request
                .entries
                .last()
                .map_or(this.sent, |last| last.log_id.index);
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
