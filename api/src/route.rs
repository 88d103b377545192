//! From a request to its handler and back: what every route has in common.

use crate::app::App;
use crate::auth::{self, Scope};
use crate::call::{Call, Reply};
use crate::code::Code;
use crate::idempotency;
use crate::problem::Problem;
use crate::rate::Rate;
use crate::request_id::REQUEST_ID;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::{MethodFilter, on};
use http::header::{HeaderMap, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Response};
use std::future::Future;
use std::sync::Arc;
use tokio::time::Instant;

/// The version of the API.
pub(crate) const VERSION: &str = "2026-11-01";
/// Asked for and echoed.
pub(crate) const API_VERSION: HeaderName = HeaderName::from_static("api-version");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A route of the partner API.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) verb: Verb,
    /// The template: it stands for the path in fingerprints and metrics.
    pub(crate) path: &'static str,
    pub(crate) scope: Scope,
    pub(crate) key: Key,
}

/// The methods that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

/// What a route thinks of idempotency keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// It reads: keys mean nothing.
    Ignored,
    /// It moves no money.
    Optional,
    /// It can move money.
    Required,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

impl Route {
    /// Adds this route and its handler to a router.
    pub(crate) fn to<F, A>(&'static self, router: Router, handler: F) -> Router
    where
        F: Fn(Call) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Reply, Problem>> + Send + 'static,
    {
        let filter = match self.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        };
        let serve =
            move |State(app): State<Arc<App>>, request: Request| run(app, self, request, handler);
        router.route(self.path, on(filter, serve))
    }
}

/// A router whose requests share an [`App`].
pub(crate) type Router = axum::Router<Arc<App>>;

async fn run<F, A>(
    app: Arc<App>,
    route: &'static Route,
    request: Request,
    handler: F,
) -> Response<Body>
where
    F: Fn(Call) -> A,
    A: Future<Output = Result<Reply, Problem>>,
{
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let uri = parts.uri.clone();
    let mut marks = Marks::default();
    let answer = match admit(&app, route, parts, body, &mut marks).await {
        Ok(call) => handler(call).await,
        Err(problem) => Err(problem),
    };
    let decided = match &answer {
        Ok(reply) => reply.decided.as_deref(),
        Err(problem) => problem.decided.as_deref(),
    };
    let request_id = decided.map_or_else(|| app.request_id(), |decided| decided.request_id);
    let mut response = match &answer {
        Err(problem) => problem.respond(uri.path(), request_id),
        Ok(_) => Response::new(Body::empty()),
    };
    let headers = response.headers_mut();
    if let Some(decided) = decided {
        decided.stamp(headers);
    }
    marks.stamp(headers);
    headers.insert(REQUEST_ID, request_id.header());
    if let Ok(reply) = answer {
        reply.fill(&mut response);
    }
    observe(route, &response, started);
    response
}

/// What is found out about a request before its handler and told in every answer.
#[derive(Default)]
struct Marks {
    version: Option<HeaderValue>,
    rate: Option<Rate>,
}

/// Everything that may refuse a request before its body is looked at.
async fn admit(
    app: &Arc<App>,
    route: &'static Route,
    parts: Parts,
    body: Body,
    marks: &mut Marks,
) -> Result<Call, Problem> {
    if let Some(version) = parts.headers.get(&API_VERSION) {
        if version.as_bytes() != VERSION.as_bytes() {
            let detail = format!("this frontend speaks the API version {VERSION} only");
            return Err(Problem::new(Code::ApiVersionUnsupported, detail).about("Api-Version"));
        }
        marks.version = Some(version.clone());
    }
    let caller = auth::caller(app, &parts, route.scope).await?;
    if marks.version.is_none() {
        marks.version = HeaderValue::from_str(&caller.api_version).ok();
    }
    if caller.rate_limit > 0 {
        let share = caller.rate_limit.div_ceil(app.options.frontends.max(1));
        match app.rates.take(caller.ledger.partner, share, Instant::now()) {
            Ok(rate) => marks.rate = Some(rate),
            Err(rate) => {
                marks.rate = Some(rate);
                let detail = "the partner's requests come faster than its limit allows";
                return Err(Problem::new(Code::RateLimited, detail).retry_after(rate.reset));
            }
        }
    }
    let key = match route.key {
        Key::Ignored => None,
        Key::Optional => idempotency::key(&parts.headers)?,
        Key::Required => Some(idempotency::key(&parts.headers)?.ok_or_else(|| {
            let detail = "a request that can move money needs the header Idempotency-Key";
            Problem::new(Code::IdempotencyKeyMissing, detail).about("Idempotency-Key")
        })?),
    };
    Ok(Call {
        app: Arc::clone(app),
        route,
        ledger: caller.ledger,
        key,
        parts,
        body: parking_lot::Mutex::new(body),
    })
}

impl Marks {
    fn stamp(&self, headers: &mut HeaderMap) {
        let version = self.version.clone();
        headers.insert(
            API_VERSION,
            version.unwrap_or(HeaderValue::from_static(VERSION)),
        );
        let Some(rate) = self.rate else { return };
        let seconds = rate.reset.as_secs() + u64::from(rate.reset.subsec_nanos() > 0);
        let policy = format!("\"partner\";q={};w=1", rate.limit);
        let left = format!("\"partner\";r={};t={seconds}", rate.remaining);
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

fn observe(route: &'static Route, response: &Response<Body>, started: Instant) {
    let status = match response.status().as_u16() {
        200..300 => "2xx",
        402 => "402",
        409 => "409",
        429 => "429",
        400..500 => "4xx",
        503 => "503",
        504 => "504",
        _ => "5xx",
    };
    metrics::counter!("florin_api_requests_total",
        "method" => route.verb.name(), "route" => route.path, "status" => status)
    .increment(1);
    metrics::histogram!("florin_api_request_seconds",
        "method" => route.verb.name(), "route" => route.path)
    .record(started.elapsed().as_secs_f64());
    tracing::debug!(
        method = route.verb.name(),
        route = route.path,
        status = response.status().as_u16(),
        "answered"
    );
}
