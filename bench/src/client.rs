//! Clients of the frontends over rustls: a lean one for HTTP/1.1, and hyper's for HTTP/2.

mod http1;
mod http2;
mod response;

use http::Uri;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use http1::Http1;
pub use http2::Http2;
pub use response::{Head, ResponseError};

/// Largest answer that is read: a batch's answer is under 8 MiB.
const MAX_RESPONSE: usize = 16 << 20;

/// Room to read into at once; an answer to a payment fits several times.
const READ_ROOM: usize = 8 << 10;

/// Where requests go.
#[derive(Clone)]
pub struct Target {
    /// `host:port`, dialled and sent as `Host`.
    authority: Arc<str>,
    /// Absent for plain HTTP.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Why a target cannot be used.
#[derive(Debug, Error)]
pub enum TargetError {
    /// Not an address of a server.
    #[error("{0:?} is not an address like https://host:port")]
    Address(String),
    /// The file with the certificate authority cannot be read.
    #[error("the certificate authority in {0} cannot be used: {1}")]
    Authority(String, String),
}

/// A connection that is kept.
pub enum Connection {
    /// HTTP/1.1, one request at a time.
    Http1(Http1),
    /// HTTP/2, shared with others.
    Http2(Http2),
}

/// What a connection reads and writes.
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// With the query.
    pub path: &'a str,
    /// The bearer token.
    pub token: &'a str,
    /// Sent as `Idempotency-Key`, unless empty.
    pub idempotency_key: &'a str,
    /// What the body is.
    pub content_type: &'static str,
    /// The body, or nothing.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A question.
    pub fn get(path: &'a str, token: &'a str) -> Request<'a> {
        Request {
            method: "GET",
            path,
            token,
            idempotency_key: "",
            content_type: "application/json",
            body: b"",
        }
    }

    /// Something to do, told in JSON; key and body are still to be given.
    pub fn post(path: &'a str, token: &'a str) -> Request<'a> {
        Request {
            method: "POST",
            ..Request::get(path, token)
        }
    }
}

/// What was answered.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// There was no connection: the request was not sent.
    #[error("no connection: {0}")]
    Connect(io::Error),
    /// The connection broke once the request was under way: it may have been carried out.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// No answer in time: it may have been carried out.
    #[error("no answer in time")]
    Late,
    /// The answer is not one that this client understands.
    #[error(transparent)]
    Response(#[from] ResponseError),
}

impl Target {
    /// A target from `http://host:port` or `https://host:port`, the latter trusting the
    /// certificate authority in this PEM file alone.
    pub fn new(url: &str, authority: Option<&Path>) -> Result<Target, TargetError> {
        let wrong = || TargetError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?;
        let (default_port, tls) = match uri.scheme_str() {
            Some("http") => (80, None),
            Some("https") => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                let name = ServerName::try_from(bare.to_owned()).map_err(|_| wrong())?;
                (443, Some((connector(authority)?, name)))
            }
            _ => return Err(wrong()),
        };
        let port = uri.port_u16().unwrap_or(default_port);
        Ok(Target {
            authority: format!("{host}:{port}").into(),
            tls,
        })
    }

    /// Opens a connection for one request at a time and shakes hands.
    pub async fn connect(&self) -> Result<Connection, ClientError> {
        let stream = self.dial(b"http/1.1").await?;
        Ok(Connection::Http1(Http1::new(
            stream,
            self.authority.clone(),
        )))
    }

    /// Opens a connection for many requests at once and shakes hands. Only TLS can agree on that.
    pub async fn connect_http2(&self) -> Result<Http2, ClientError> {
        match self.dial(b"h2").await? {
            Socket::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                Http2::new(*stream, self.authority.clone()).await
            }
            _ => Err(ClientError::Connect(io::Error::new(
                io::ErrorKind::Unsupported,
                "the server does not offer HTTP/2",
            ))),
        }
    }

    async fn dial(&self, protocol: &[u8]) -> Result<Socket, ClientError> {
        let tcp = TcpStream::connect(&*self.authority)
            .await
            .map_err(ClientError::Connect)?;
        tcp.set_nodelay(true).map_err(ClientError::Connect)?;
        let Some((connector, name)) = &self.tls else {
            return Ok(Socket::Plain(tcp));
        };
        let connector = connector.with_alpn(vec![protocol.to_vec()]);
        let shaken = connector.connect(name.clone(), tcp).await;
        Ok(Socket::Tls(Box::new(shaken.map_err(ClientError::Connect)?)))
    }
}

impl Connection {
    /// Sends a request and waits for its answer. After an error this connection, or this share of
    /// one, is of no use.
    pub async fn send(
        &mut self,
        request: &Request<'_>,
        deadline: Duration,
    ) -> Result<Response<'_>, ClientError> {
        let answer = async {
            match self {
                Connection::Http1(connection) => connection.send(request).await,
                Connection::Http2(connection) => connection.send(request).await,
            }
        };
        tokio::time::timeout(deadline, answer)
            .await
            .unwrap_or(Err(ClientError::Late))
    }
}

impl Socket {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Socket::Plain(stream) => stream.write_all(bytes).await,
            Socket::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    async fn read(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        if into.capacity() == into.len() {
            into.reserve(READ_ROOM);
        }
        match self {
            Socket::Plain(stream) => stream.read_buf(into).await,
            Socket::Tls(stream) => stream.read_buf(into).await,
        }
    }
}

fn connector(authority: Option<&Path>) -> Result<TlsConnector, TargetError> {
    let Some(path) = authority else {
        let why = "an https address needs one".to_owned();
        return Err(TargetError::Authority("no file".to_owned(), why));
    };
    let unusable = |why: String| TargetError::Authority(path.display().to_string(), why);
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unusable(e.to_string()))? {
        let certificate = certificate.map_err(|e| unusable(e.to_string()))?;
        roots
            .add(certificate)
            .map_err(|e| unusable(e.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
