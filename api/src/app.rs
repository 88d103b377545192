//! The frontend: what its requests share, and its routes.

use crate::backend::Backend;
use crate::code::Code;
use crate::options::{ApiOptions, system_random};
use crate::problem::Problem;
use crate::rate::RateLimiter;
use crate::request_id::{REQUEST_ID, RequestId, RequestIds};
use crate::route::{API_VERSION, VERSION};
use crate::routes;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use std::sync::{Arc, OnceLock};

/// What all requests share.
pub(crate) struct App {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) options: ApiOptions,
    pub(crate) rates: RateLimiter,
    ids: RequestIds,
}

impl App {
    pub(crate) fn new(backend: Arc<dyn Backend>, options: ApiOptions) -> Arc<App> {
        let mut tag = [0; 8];
        // Should the generator fail, names are unique in this process only: they are for people.
        system_random()(&mut tag);
        Arc::new(App {
            backend,
            options,
            rates: RateLimiter::default(),
            ids: RequestIds::new(u64::from_le_bytes(tag)),
        })
    }

    /// A name for a request.
    pub(crate) fn request_id(&self) -> RequestId {
        self.ids.next((self.options.clock)())
    }

    /// The answer to a request that no handler answered.
    pub(crate) fn refuse(&self, problem: &Problem, path: &str) -> Response<Body> {
        let request_id = self.request_id();
        self.marked(problem.respond(path, request_id), request_id)
    }

    /// With the headers that every answer has.
    fn marked(&self, mut response: Response<Body>, request_id: RequestId) -> Response<Body> {
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, request_id.header());
        headers.insert(API_VERSION, HeaderValue::from_static(VERSION));
        response
    }

    /// The answer to a request whose handler panicked. A write may have been applied.
    pub(crate) fn panicked(&self, safe: bool, path: &str) -> Response<Body> {
        let problem = if safe {
            Problem::new(Code::InternalError, "a defect ended this request")
        } else {
            Problem::new(
                Code::OutcomeUnknown,
                "a defect ended this request, and it may have been applied; \
                 send it again with the same idempotency key",
            )
        };
        self.refuse(&problem, path)
    }
}

/// All routes of the partner API.
pub(crate) fn router(app: Arc<App>) -> axum::Router {
    routes::all()
        .route("/openapi.json", get(openapi))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(app)
}

async fn openapi(State(app): State<Arc<App>>) -> Response<Body> {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(crate::openapi);
    let mut response = Response::new(Body::from(document.as_str()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    app.marked(response, app.request_id())
}

async fn not_found(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let path = request.uri().path();
    let problem = Problem::new(Code::RouteNotFound, format!("there is no route {path}"));
    app.refuse(&problem, path)
}

async fn not_allowed(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("{path} does not know the method {method}");
    app.refuse(&Problem::new(Code::MethodNotAllowed, detail), path)
}
