//! A small HTTPS client: for the command line, the demo, the bench and the tests.
//!
//! HTTP/1.1 with connections kept alive, one authority trusted, every request with a deadline.
//! It retries nothing on its own: whether a request may be sent again is the caller's to know.

use crate::tls::{TlsError, https_client};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The header of a key that makes a request happen once.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Idle connections that are kept.
const KEEP: usize = 64;

/// Talks to one server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    base: Base,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    idle: Arc<Mutex<Vec<SendRequest<Full<Bytes>>>>>,
}

#[derive(Clone, Debug)]
struct Base {
    host: String,
    port: u16,
    authority: HeaderValue,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not `https://host[:port]` (or `http://`).
    #[error("`{0}` is not a URL of the form https://host:port")]
    Url(String),
    /// The authority's file is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No connection came about: the request was not sent.
    #[error("cannot connect to {to}: {why}")]
    Connect {
        /// Host and port.
        to: String,
        /// What went wrong.
        why: io::Error,
    },
    /// The connection broke: the request may have been carried out.
    #[error("the connection to {to} broke: {why}")]
    Broken {
        /// Host and port.
        to: String,
        /// What went wrong.
        why: hyper::Error,
    },
    /// No answer in time: the request may have been carried out.
    #[error("no answer from {to} in time")]
    Timeout {
        /// Host and port.
        to: String,
    },
    /// The request cannot be put into HTTP.
    #[error("not a request: {0}")]
    Request(#[from] http::Error),
    /// The answer is not JSON, though it should be.
    #[error("the answer ({status}) is not JSON")]
    NotJson {
        /// Its status.
        status: StatusCode,
    },
}

impl Client {
    /// For a server by its URL, `https://` with an authority's file or `http://`; `bearer` is
    /// sent with every request.
    pub fn new(url: &str, ca: Option<&Path>, bearer: Option<&str>) -> Result<Client, ClientError> {
        let (base, secure) = parse_url(url)?;
        let tls = match (secure, ca) {
            (true, Some(ca)) => Some(https_client(ca)?),
            (true, None) => {
                return Err(ClientError::Url(format!(
                    "{url} (https needs an authority's file)"
                )));
            }
            (false, _) => None,
        };
        let authorization = match bearer {
            Some(secret) => {
                let mut value =
                    HeaderValue::try_from(format!("Bearer {secret}")).map_err(http::Error::from)?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let timeout = Duration::from_secs(15);
        Ok(Client(Arc::new(Inner {
            base,
            tls,
            authorization,
            timeout,
            idle: Arc::default(),
        })))
    }

    /// Asks for something.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Asks for something to be done, once for `key` if there is one.
    pub async fn post(
        &self,
        path: &str,
        key: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<Answer, ClientError> {
        let headers: &[(&str, &str)] = match key {
            Some(key) => &[(IDEMPOTENCY_KEY, key)],
            None => &[],
        };
        self.send(Method::POST, path, headers, body.to_string().into())
            .await
    }

    /// Sends a request on an idle connection, or a new one.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(HOST, &self.0.base.authority);
        if let Some(authorization) = &self.0.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        match tokio::time::timeout(self.0.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ClientError::Timeout { to: self.to() }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let mut connection = self.connection().await?;
        let broken = |why| ClientError::Broken { to: self.to(), why };
        let response = connection.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(broken)?.to_bytes();
        self.keep(connection);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// An idle connection that is still open, or a new one. One that the server closes while a
    /// request is sent on it shows as [`ClientError::Broken`].
    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        while let Some(mut idle) = self.take() {
            if idle.ready().await.is_ok() {
                return Ok(idle);
            }
        }
        let failed = |why| ClientError::Connect { to: self.to(), why };
        self.open().await.map_err(failed)
    }

    async fn open(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let Base { host, port, .. } = &self.0.base;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        match &self.0.tls {
            None => start(stream).await,
            Some(tls) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                start(
                    TlsConnector::from(tls.clone())
                        .connect(name, stream)
                        .await?,
                )
                .await
            }
        }
    }

    fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.0
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEEP && !connection.is_closed() {
            idle.push(connection);
        }
    }

    fn to(&self) -> String {
        format!("{}:{}", self.0.base.host, self.0.base.port)
    }
}

async fn start<S>(stream: S) -> io::Result<SendRequest<Full<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // How it ends is seen by whoever sends on it.
    tokio::spawn(async move {
        let _seen_by_senders = connection.await;
    });
    Ok(sender)
}

fn parse_url(url: &str) -> Result<(Base, bool), ClientError> {
    let wrong = || ClientError::Url(url.to_owned());
    let parsed: http::Uri = url.parse().map_err(|_| wrong())?;
    let secure = match parsed.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(wrong()),
    };
    let authority = parsed.authority().ok_or_else(wrong)?;
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let port = authority
        .port_u16()
        .unwrap_or(if secure { 443 } else { 80 });
    let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
    Ok((
        Base {
            host,
            port,
            authority,
        },
        secure,
    ))
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| ClientError::NotJson {
            status: self.status,
        })
    }

    /// A header's text, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.0.base)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_parsed_or_refused() {
        let rows = [
            ("https://localhost:8443", Some(("localhost", 8443, true))),
            ("https://pay.example", Some(("pay.example", 443, true))),
            ("http://[::1]:80", Some(("::1", 80, false))),
            ("localhost:8443", None),
            ("ftp://x", None),
            ("https://", None),
        ];
        for (url, expected) in rows {
            let parsed = parse_url(url).ok();
            let parsed = parsed
                .as_ref()
                .map(|(base, secure)| (base.host.as_str(), base.port, *secure));
            assert_eq!(parsed, expected, "{url}");
        }
    }
}
