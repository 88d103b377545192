//! A small HTTP client.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The certificate that clients trust.
#[derive(Clone)]
pub(crate) struct Trust(pub CertificateDer<'static>);

impl Trust {
    /// A TLS connection that offers this protocol.
    pub(crate) async fn connect(&self, to: SocketAddr, alpn: &[u8]) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.0.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(to).await.expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await;
        stream.expect("a TLS connection")
    }
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// One connection and the token that is sent with every request.
pub(crate) struct Client {
    sender: Sender,
    token: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("text"))
    }

    /// Status, code and param of an error.
    pub(crate) fn problem(&self) -> (u16, String, Option<String>) {
        let body = self.json();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        assert_eq!(body["status"], self.status, "{body}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            text(&body["request_id"]).as_deref(),
            self.header("request-id")
        );
        let error = &body["error"];
        (
            self.status,
            text(&error["code"]).expect("a code"),
            text(&error["param"]),
        )
    }
}

/// A new idempotency key.
pub(crate) fn fresh() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Client {
    /// Over TLS, speaking what ALPN is told.
    pub(crate) async fn tls(to: SocketAddr, trust: &Trust, alpn: &[u8], token: &str) -> Client {
        let stream = TokioIo::new(trust.connect(to, alpn).await);
        let sender = if alpn == b"h2" {
            let handshake = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, connection) = handshake.expect("HTTP/2");
            tokio::spawn(connection);
            Sender::Two(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            Sender::One(sender)
        };
        Client {
            sender,
            token: token.to_owned(),
        }
    }

    pub(crate) async fn plain(to: SocketAddr, token: &str) -> Client {
        let stream = TokioIo::new(TcpStream::connect(to).await.expect("connected"));
        let (sender, connection) = http1::handshake(stream).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Client {
            sender: Sender::One(sender),
            token: token.to_owned(),
        }
    }

    /// From now on with another token.
    pub(crate) fn token(&mut self, token: &str) {
        self.token = token.to_owned();
    }

    /// Sends a request; a header `authorization` of one's own replaces the client's.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes()).expect("a method"));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(body.into());
        let sent = match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await.expect("the connection is open");
                let request = request.uri(path).header("host", "localhost");
                sender
                    .send_request(request.body(body).expect("a request"))
                    .await
            }
            Sender::Two(sender) => {
                sender.ready().await.expect("the connection is open");
                let request = request.uri(format!("https://localhost{path}"));
                sender
                    .send_request(request.body(body).expect("a request"))
                    .await
            }
        };
        let (parts, body) = sent.expect("an answer").into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.expect("a body").to_bytes(),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// A POST of JSON with this idempotency key.
    pub(crate) async fn post(&mut self, path: &str, key: &str, body: &str) -> Answer {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        self.send("POST", path, &headers, body.to_owned()).await
    }

    /// A POST that must succeed.
    pub(crate) async fn made(&mut self, path: &str, body: &str) -> Value {
        let answer = self.post(path, &fresh(), body).await;
        assert_eq!(answer.status, 200, "{path} {body}: {:?}", answer.body);
        answer.json()
    }

    /// A GET that must succeed.
    pub(crate) async fn found(&mut self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        answer.json()
    }
}
