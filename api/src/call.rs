//! One request on its way: its body, its command or question, its answer.

use crate::app::App;
use crate::code::Code;
use crate::decided::{CONSISTENCY_TOKEN, Decided, Token};
use crate::parse::{self, Params};
use crate::problem::Problem;
use crate::proto;
use crate::refusal;
use crate::route::Route;
use crate::{idempotency, limits, unavailable};
use axum::body::Body;
use florin_ledger::command::{Command, Envelope, encode_envelope};
use florin_ledger::effect::{Effect, Outcome};
use florin_ledger::id::{Id, LedgerId};
use florin_ledger::query::{Answer, Query};
use florin_shards::Consistency;
use http::header::{CONTENT_TYPE, EXPECT, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::time::{Instant, timeout};

const CONSISTENCY: HeaderName = HeaderName::from_static("consistency");

/// A request whose sender is known and may do this.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) route: &'static Route,
    pub(crate) ledger: LedgerId,
    /// The hash of the idempotency key.
    pub(crate) key: Option<[u8; 16]>,
    pub(crate) parts: Parts,
    /// Taken through `&mut` only; the lock is what lets calls be shared between threads.
    pub(crate) body: parking_lot::Mutex<Body>,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `application/json`.
    Json,
    /// `application/x-protobuf`.
    Protobuf,
}

/// An answer that is no error.
#[derive(Debug)]
pub(crate) struct Reply {
    form: Form,
    body: Vec<u8>,
    pub(crate) decided: Option<Box<Decided>>,
    token: Option<Token>,
}

/// What the ledger decided, whole.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) command: Command,
    decided: Box<Decided>,
}

/// What the books say.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) answer: Answer,
    token: Token,
}

impl Call {
    /// The identifier in the path. What is no identifier names nothing.
    pub(crate) fn id(&self, prefix: &'static str, missing: Code) -> Result<Id, Problem> {
        // Every route with an identifier is /v1/<plural>/<identifier>[/…].
        let text = self.parts.uri.path().split('/').nth(3).unwrap_or_default();
        Id::parse(prefix, text)
            .map_err(|error| Problem::new(missing, format!("{text}: {error}")).about("id"))
    }

    pub(crate) fn params(&self) -> Result<Params, Problem> {
        Params::parse(self.parts.uri.query())
    }

    /// The body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let bytes = self.read_body(limits::BODY_BYTES).await?;
        parse::parse(&bytes)
    }

    /// A body of at most that many bytes in one of the two forms, and which.
    pub(crate) async fn in_either_form(
        &mut self,
        limit: usize,
    ) -> Result<(Form, bytes::Bytes), Problem> {
        let content_type = self.parts.headers.get(CONTENT_TYPE);
        if is(content_type, proto::CONTENT_TYPE) {
            return Ok((Form::Protobuf, self.read_any(limit).await?));
        }
        Ok((Form::Json, self.read_body(limit).await?))
    }

    /// The body as JSON, or what stands for no body at all.
    pub(crate) async fn json_or_empty<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        let bytes = self.read_body(limits::BODY_BYTES).await?;
        parse::parse(if bytes.is_empty() { b"{}" } else { &bytes })
    }

    async fn read_any(&mut self, limit: usize) -> Result<bytes::Bytes, Problem> {
        // A route that writes takes no query parameters: a misplaced one must not go unseen.
        self.params()?.finish()?;
        let body = std::mem::take(self.body.get_mut());
        body_within(body, limit, self.parts.headers.contains_key(EXPECT)).await
    }

    async fn read_body(&mut self, limit: usize) -> Result<bytes::Bytes, Problem> {
        let bytes = self.read_any(limit).await?;
        if !bytes.is_empty() && !is_json(self.parts.headers.get(CONTENT_TYPE)) {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "the body must be sent as Content-Type: application/json",
            )
            .about("Content-Type"));
        }
        Ok(bytes)
    }

    /// Submits a command and makes the decision whole. A refusal is an error here.
    pub(crate) async fn submit(&self, command: Command) -> Result<Done, Problem> {
        let mut envelope = Envelope {
            ledger: self.ledger,
            once: None,
            command,
        };
        let encoded = encode_envelope(&envelope);
        if encoded.len() > limits::COMMAND_BYTES {
            let detail =
                "the command is larger than 1 MiB as the ledger keeps it; send it in parts";
            return Err(Problem::new(Code::RequestTooLarge, detail));
        }
        envelope.once = self
            .key
            .map(|key| idempotency::once(key, self.route.verb.name(), self.route.path, &encoded));
        let deadline = Instant::now() + self.app.options.request_timeout;
        let submitted = self
            .app
            .backend
            .submit(&envelope, deadline)
            .await
            .map_err(unavailable::submit)?;
        let decided = Box::new(Decided::of(self.ledger, &submitted));
        let decision = submitted.decision;
        if let Effect::Refused(refusal) = &decision.effect {
            let mut problem = refusal::refused(refusal, &envelope.command);
            // What is not remembered has no replays that it must be the same as.
            if decision.effect.is_remembered() {
                problem.decided = Some(decided);
            }
            return Err(problem);
        }
        Ok(Done {
            outcome: decision.effect.outcome(&envelope, decision.position),
            command: envelope.command,
            decided,
        })
    }

    /// Asks the books, as fresh as the request wants them.
    pub(crate) async fn ask(&self, query: Query) -> Result<Found, Problem> {
        self.ask_with(query, self.consistency()?).await
    }

    /// Asks the books on behalf of a write, which must build on nothing stale.
    pub(crate) async fn ask_linearizably(&self, query: Query) -> Result<Found, Problem> {
        self.ask_with(query, Consistency::Linearizable).await
    }

    async fn ask_with(&self, query: Query, consistency: Consistency) -> Result<Found, Problem> {
        let deadline = Instant::now() + self.app.options.request_timeout;
        let read = self
            .app
            .backend
            .read(self.ledger, query, consistency, deadline)
            .await
            .map_err(unavailable::read)?;
        Ok(Found {
            answer: read.answer,
            token: Token {
                group: read.group,
                index: read.index,
            },
        })
    }

    fn consistency(&self) -> Result<Consistency, Problem> {
        let headers = &self.parts.headers;
        if let Some(value) = headers.get(&CONSISTENCY_TOKEN) {
            let token = value.to_str().ok().and_then(Token::parse).ok_or_else(|| {
                let detail = "this is no token that an answer carried";
                Problem::invalid("Consistency-Token", detail)
            })?;
            return Ok(self.at_least(token));
        }
        match headers.get(&CONSISTENCY).map(HeaderValue::as_bytes) {
            None | Some(b"linearizable") => Ok(Consistency::Linearizable),
            Some(b"stale") => Ok(Consistency::Stale),
            Some(_) => {
                let detail = "Consistency is linearizable or stale";
                Err(Problem::invalid("Consistency", detail))
            }
        }
    }

    /// A token of another group is from before the partner moved: a linearizable read sees at
    /// least what it stands for.
    fn at_least(&self, token: Token) -> Consistency {
        let directory = self.app.backend.directory();
        let home = directory.partners.get(&self.ledger.partner);
        if home.is_some_and(|partner| partner.value.group == token.group) {
            Consistency::AtLeast {
                group: token.group,
                index: token.index,
            }
        } else {
            Consistency::Linearizable
        }
    }
}

impl Done {
    /// The answer with this body.
    pub(crate) fn reply(&self, body: &impl Serialize) -> Result<Reply, Problem> {
        Ok(self.reply_with(Form::Json, serialize(body)?))
    }

    /// The answer with a body that is written already.
    pub(crate) fn reply_with(&self, form: Form, body: Vec<u8>) -> Reply {
        Reply {
            form,
            body,
            decided: Some(self.decided.clone()),
            token: None,
        }
    }

    /// The decision is of another kind than the command: a defect, and no guess is made.
    pub(crate) fn mismatch(&self) -> Problem {
        Problem::new(
            Code::OutcomeUnknown,
            "the decision could not be read; send the request again with the same key",
        )
    }
}

impl Found {
    /// The answer with this body.
    pub(crate) fn reply(&self, body: &impl Serialize) -> Result<Reply, Problem> {
        Ok(Reply {
            form: Form::Json,
            body: serialize(body)?,
            decided: None,
            token: Some(self.token),
        })
    }

    /// There is no such thing, or the answer is of another kind than the question, a defect.
    pub(crate) fn missing(&self, code: Code, what: &dyn std::fmt::Display) -> Problem {
        match self.answer {
            Answer::NotFound => Problem::new(code, format!("there is no {what}")).about("id"),
            _ => Problem::new(Code::InternalError, "the answer could not be read"),
        }
    }
}

impl Reply {
    pub(crate) fn fill(self, response: &mut Response<Body>) {
        if let Some(token) = self.token {
            token.stamp(response.headers_mut());
        }
        let content_type = match self.form {
            Form::Json => "application/json",
            Form::Protobuf => proto::CONTENT_TYPE,
        };
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        *response.body_mut() = Body::from(self.body);
    }
}

fn serialize(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(512);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            Err(Problem::new(
                Code::OutcomeUnknown,
                "the answer could not be written; send the request again with the same key",
            ))
        }
    }
}

/// Reads a body of at most that many bytes, in bounded time.
pub(crate) async fn body_within(
    body: Body,
    limit: usize,
    expects: bool,
) -> Result<bytes::Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body is larger than {limit} bytes");
        Problem::new(Code::RequestTooLarge, detail)
    };
    let late = |_| Problem::new(Code::RequestTimeout, "the body took too long to arrive");
    // Who waits for a "continue" is told at once; who does not is in the middle of sending and
    // would not listen: a little more is read, and thrown away, so that the answer is heard.
    let announced = axum::body::HttpBody::size_hint(&body).lower();
    if announced > limit as u64 {
        if !expects {
            let _ = timeout(limits::BODY_TIMEOUT, discard(body)).await;
        }
        return Err(too_large());
    }
    let mut limited = Limited::new(body, limit);
    let read = timeout(limits::BODY_TIMEOUT, (&mut limited).collect()).await;
    match read.map_err(late)? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(
            Code::MalformedJson,
            "the body ended before its end",
        )),
    }
}

async fn discard(mut body: Body) {
    let mut left = limits::DISCARD_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, bytes::Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

pub(crate) fn is_json(content_type: Option<&HeaderValue>) -> bool {
    is(content_type, "application/json")
}

fn is(content_type: Option<&HeaderValue>, expected: &str) -> bool {
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(expected))
}
