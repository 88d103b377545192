//! The listener for operators: is it alive, can it serve, what does it count; and, on frontends,
//! the admin API.

mod cluster;
mod keys;
mod operator;
mod partners;

use crate::code::Code;
use crate::options::{AdminOptions, system_random};
use crate::problem::Problem;
use crate::request_id::{REQUEST_ID, RequestIds};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::get;
use florin_ledger::id::Timestamp;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use std::sync::Arc;

/// What all requests to this listener share.
pub(crate) struct Admin {
    options: AdminOptions,
    ids: RequestIds,
}

impl Admin {
    pub(crate) fn new(options: AdminOptions) -> Arc<Admin> {
        let mut tag = [0; 8];
        // Should the generator fail, names are unique in this process only: they are for people.
        system_random()(&mut tag);
        Arc::new(Admin {
            options,
            ids: RequestIds::new(u64::from_le_bytes(tag)),
        })
    }

    /// The answer to a request that went wrong before or instead of its handler.
    fn refuse(&self, problem: &Problem, path: &str) -> Response<Body> {
        let clock = self.options.operators.as_ref().map(|with| &with.clock);
        let request_id = self.ids.next(clock.map_or(Timestamp(0), |clock| clock()));
        let mut response = problem.respond(path, request_id);
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, request_id.header());
        response
    }

    /// The answer to a request whose handler panicked.
    pub(crate) fn panicked(&self, safe: bool, path: &str) -> Response<Body> {
        let (code, detail) = if safe {
            (Code::InternalError, "a defect ended this request")
        } else {
            let detail = "a defect ended this request, and it may have been applied";
            (Code::OutcomeUnknown, detail)
        };
        self.refuse(&Problem::new(code, detail), path)
    }
}

/// All routes of the listener.
pub(crate) fn router(admin: Arc<Admin>) -> Router {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics));
    let router = match admin.options.operators {
        Some(_) => cluster::add(keys::add(partners::add(router))),
        None => router,
    };
    router
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(admin)
}

async fn healthz() -> Response<Body> {
    text(StatusCode::OK, "ok\n".to_owned())
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response<Body> {
    match (admin.options.ready)() {
        Ok(()) => text(StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response<Body> {
    let mut response = text(StatusCode::OK, (admin.options.metrics)());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

async fn not_found(State(admin): State<Arc<Admin>>, request: Request) -> Response<Body> {
    let path = request.uri().path();
    let problem = Problem::new(Code::RouteNotFound, format!("there is no route {path}"));
    admin.refuse(&problem, path)
}

async fn not_allowed(State(admin): State<Arc<Admin>>, request: Request) -> Response<Body> {
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("{path} does not know the method {method}");
    admin.refuse(&Problem::new(Code::MethodNotAllowed, detail), path)
}
