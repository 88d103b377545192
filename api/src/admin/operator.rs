//! What every request of the admin API has in common: the operator's token and the audit log.

use super::Admin;
use crate::auth;
use crate::call::{body_within, is_json};
use crate::code::Code;
use crate::idempotency;
use crate::limits;
use crate::options::Operators;
use crate::parse::{self, Params};
use crate::problem::Problem;
use crate::request_id::REQUEST_ID;
use crate::server::Peer;
use crate::unavailable;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::{MethodFilter, MethodRouter, on};
use florin_ledger::command::{Command, Envelope, Once, encode_envelope};
use florin_ledger::directory::{Directory, DirectoryCommand, DirectoryRefusal, Item};
use florin_ledger::id::{Id, LedgerId, Mode, prefix};
use florin_shards::{DirectoryError, SubmitError};
use http::header::{CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use tokio::time::Instant;

/// A request of an operator.
pub(super) struct Call {
    pub(super) with: Operators,
    parts: Parts,
    body: parking_lot::Mutex<Body>,
}

/// A route of the admin API.
pub(super) fn route<F, A>(method: MethodFilter, handler: F) -> MethodRouter<Arc<Admin>>
where
    F: Fn(Call) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Vec<u8>, Problem>> + Send + 'static,
{
    on(
        method,
        move |State(admin): State<Arc<Admin>>, request: Request| run(admin, request, handler),
    )
}

async fn run<F, A>(admin: Arc<Admin>, request: Request, handler: F) -> Response<Body>
where
    F: Fn(Call) -> A,
    A: Future<Output = Result<Vec<u8>, Problem>>,
{
    let (parts, body) = request.into_parts();
    let (method, uri) = (parts.method.clone(), parts.uri.clone());
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    let answer = match admit(&admin, parts, body) {
        Ok(call) => handler(call).await,
        Err(problem) => Err(problem),
    };
    let response = match answer {
        Ok(body) => {
            let clock = admin.options.operators.as_ref().map(|with| &with.clock);
            let request_id = admin
                .ids
                .next(clock.map_or_else(Default::default, |now| now()));
            let mut response = Response::new(Body::from(body));
            let headers = response.headers_mut();
            headers.insert(REQUEST_ID, request_id.header());
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(problem) => admin.refuse(&problem, uri.path()),
    };
    let request_id = response.headers().get(REQUEST_ID);
    tracing::info!(
        target: "audit",
        %method,
        path = uri.path(),
        status = response.status().as_u16(),
        request_id = request_id.and_then(|id| id.to_str().ok()),
        peer = peer.map(tracing::field::display),
        "an operator's request"
    );
    response
}

/// Only who holds the token comes in. Hashes are compared, in constant time.
fn admit(admin: &Admin, parts: Parts, body: Body) -> Result<Call, Problem> {
    let Some(with) = &admin.options.operators else {
        let detail = "this process does not serve the admin API";
        return Err(Problem::new(Code::RouteNotFound, detail));
    };
    let token = auth::bearer(&parts.headers)?;
    if blake3::hash(token) != blake3::Hash::from_bytes(with.token_hash) {
        let detail = "the operator's token is not the right one";
        return Err(Problem::new(Code::ApiKeyInvalid, detail));
    }
    Ok(Call {
        with: with.clone(),
        parts,
        body: parking_lot::Mutex::new(body),
    })
}

impl Call {
    /// The part of the path with this number, counted from 0 after `/admin/v1/`.
    fn part(&self, at: usize) -> &str {
        let mut parts = self.parts.uri.path().split('/');
        parts.nth(3 + at).unwrap_or_default()
    }

    /// The partner in the path.
    pub(super) fn partner(&self) -> Result<Id, Problem> {
        parse_id(self.part(1), prefix::PARTNER, Code::PartnerNotFound)
    }

    /// The key in the path.
    pub(super) fn key(&self) -> Result<Id, Problem> {
        parse_id(self.part(3), prefix::KEY, Code::ApiKeyNotFound)
    }

    pub(super) fn params(&self) -> Result<Params, Problem> {
        Params::parse(self.parts.uri.query())
    }

    pub(super) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The body as JSON, or what stands for no body at all.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Problem> {
        self.params()?.finish()?;
        let body = std::mem::take(self.body.get_mut());
        let expects = self.parts.headers.contains_key(EXPECT);
        let bytes = body_within(body, limits::BODY_BYTES, expects).await?;
        if bytes.is_empty() {
            return parse::parse(b"{}");
        }
        if !is_json(self.parts.headers.get(CONTENT_TYPE)) {
            let detail = "the body must be sent as Content-Type: application/json";
            return Err(Problem::new(Code::UnsupportedMediaType, detail).about("Content-Type"));
        }
        parse::parse(&bytes)
    }

    /// The request's idempotency key, if it has one, for this command.
    pub(super) fn once(
        &self,
        template: &str,
        command: &DirectoryCommand,
    ) -> Result<Option<Once>, Problem> {
        let Some(key) = idempotency::key(&self.parts.headers)? else {
            return Ok(None);
        };
        let encoded = encode_envelope(&Envelope {
            ledger: LedgerId {
                partner: Id(0),
                mode: Mode::Live,
            },
            once: None,
            command: Command::Directory(command.clone()),
        });
        let method = self.parts.method.as_str();
        Ok(Some(idempotency::once(key, method, template, &encoded)))
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.with.request_timeout
    }

    /// The directory as its leader knows it: an older copy could deny what is there.
    pub(super) async fn directory(&self) -> Result<Arc<Directory>, Problem> {
        let refreshed = self.with.backend.refresh(self.deadline()).await;
        refreshed.map_err(unavailable::directory)
    }

    /// Changes the directory.
    pub(super) async fn change(
        &self,
        command: DirectoryCommand,
        once: Option<Once>,
    ) -> Result<Item, Problem> {
        let changed = self
            .with
            .backend
            .submit_directory(command, once, self.deadline());
        changed.await.map_err(|error| match error {
            DirectoryError::Refused(refusal) => refused(&refusal),
            DirectoryError::KeyReused => Problem::new(
                Code::IdempotencyKeyReused,
                "the idempotency key was used for another request before",
            ),
            DirectoryError::Submit(SubmitError::NoLeader) => {
                let detail = "the directory has no leader now; nothing was done";
                Problem::new(Code::NoLeader, detail)
            }
            DirectoryError::Submit(error) => unavailable::submit(error),
        })
    }
}

fn parse_id(text: &str, prefix: &'static str, missing: Code) -> Result<Id, Problem> {
    Id::parse(prefix, text)
        .map_err(|error| Problem::new(missing, format!("{text}: {error}")).about("id"))
}

fn refused(refusal: &DirectoryRefusal) -> Problem {
    match refusal {
        DirectoryRefusal::PartnerNotFound(id) => no_partner(*id),
        DirectoryRefusal::KeyNotFound(id) => no_key(*id),
        DirectoryRefusal::NoGroup => Problem::new(
            Code::NoGroup,
            "there is no group to place a partner on; form the cluster first",
        ),
        // 200 random bits do not meet twice: the generator is broken.
        DirectoryRefusal::KeyTaken => Problem::new(
            Code::InternalError,
            "the secret that was drawn is in use already; nothing was done",
        ),
    }
}

pub(super) fn no_partner(id: Id) -> Problem {
    let detail = format!("there is no partner {}", id.display(prefix::PARTNER));
    Problem::new(Code::PartnerNotFound, detail).about("id")
}

pub(super) fn no_key(id: Id) -> Problem {
    let detail = format!("there is no API key {}", id.display(prefix::KEY));
    Problem::new(Code::ApiKeyNotFound, detail).about("key")
}

/// The answer of another kind than the question, a defect: what was asked for may have been done.
pub(super) fn mismatch() -> Problem {
    Problem::new(Code::OutcomeUnknown, "the answer could not be read")
}

pub(super) fn serialize(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|_| mismatch())
}
