//! Errors as partners see them: one body, RFC 9457 with an `error` object.

use crate::code::Code;
use crate::decided::Decided;
use crate::request_id::RequestId;
use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Serialize;
use std::borrow::Cow;
use std::time::Duration;

/// What a client should wait before it asks again, where nobody knows better.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a request was not done, in the words of the API.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) param: Option<Cow<'static, str>>,
    /// Every 503 says how long to wait, this or [`PAUSE`].
    pub(crate) retry_after: Option<Duration>,
    /// Set if the ledger decided: the answer is then the same for ever.
    pub(crate) decided: Option<Box<Decided>>,
}

/// The body of every error.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// A page about the code.
    #[schema(value_type = String, example = "https://florin.dev/errors/insufficient_funds")]
    r#type: ErrorPage,
    /// The code in words.
    #[schema(example = "Insufficient funds")]
    title: &'a str,
    /// The HTTP status.
    #[schema(example = 402)]
    status: u16,
    /// What happened, for people.
    detail: &'a str,
    /// The path that was asked for.
    #[schema(example = "/v1/payments")]
    instance: &'a str,
    /// As in the header `Request-Id`.
    #[schema(value_type = String, example = "req_01jd0r8gk3v6m1x9q4t7w2y5za")]
    request_id: RequestId,
    /// What happened, for programs.
    error: ErrorBody<'a>,
}

/// What happened, for programs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody<'a> {
    /// The family of the code.
    r#type: crate::code::ErrorType,
    /// What to decide by.
    #[schema(value_type = Code)]
    code: Code,
    /// The field, query parameter or header that it is about.
    #[schema(required = true)]
    param: Option<&'a str>,
    /// Whether the same request, sent again later, may be answered otherwise.
    retryable: bool,
    /// In a batch: what happened, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Debug)]
struct ErrorPage(Code);

impl Serialize for ErrorPage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("https://florin.dev/errors/{}", self.0.name()))
    }
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            code,
            detail: detail.into(),
            param: None,
            retry_after: None,
            decided: None,
        }
    }

    /// A wrong value of a field, query parameter or header.
    pub(crate) fn invalid(
        param: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Problem {
        Problem::new(Code::ParameterInvalid, detail).about(param)
    }

    /// Names the field, query parameter or header.
    pub(crate) fn about(mut self, param: impl Into<Cow<'static, str>>) -> Problem {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// As an item of a batch.
    pub(crate) fn error(&self) -> ErrorBody<'_> {
        ErrorBody {
            r#type: self.code.error_type(),
            code: self.code,
            param: self.param.as_deref(),
            retryable: self.code.retryable(),
            detail: Some(&self.detail),
        }
    }

    /// As an answer to a request for `path`.
    pub(crate) fn respond(&self, path: &str, request_id: RequestId) -> Response<Body> {
        let body = ProblemBody {
            r#type: ErrorPage(self.code),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            instance: path,
            request_id,
            error: ErrorBody {
                detail: None,
                ..self.error()
            },
        };
        // Serializing plain structs into memory cannot fail.
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        let unavailable = self.code.status() == StatusCode::SERVICE_UNAVAILABLE;
        if let Some(wait) = self.retry_after.or(unavailable.then_some(PAUSE)) {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
