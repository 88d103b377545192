//! Many requests at once on one HTTP/2 connection: hyper's client.

use super::response::ResponseError;
use super::{ClientError, MAX_RESPONSE, Request, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::error::Error;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A share of a connection; clones share the same one.
#[derive(Clone)]
pub struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    authority: Arc<str>,
    body: BytesMut,
}

impl Http2 {
    pub(super) async fn new(
        stream: TlsStream<TcpStream>,
        authority: Arc<str>,
    ) -> Result<Http2, ClientError> {
        let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(unsent)?;
        // An error of the connection shows in what is sent over it next.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Http2 {
            sender,
            authority,
            body: BytesMut::new(),
        })
    }

    /// Whether more can be sent over it.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(super) async fn send(
        &mut self,
        request: &Request<'_>,
    ) -> Result<Response<'_>, ClientError> {
        self.sender.ready().await.map_err(unsent)?;
        let request = self.request(request)?;
        let answer = self.sender.send_request(request).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
        self.body.clear();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(broken)?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            if self.body.len() + data.len() > MAX_RESPONSE {
                return Err(ResponseError::TooLong.into());
            }
            self.body.extend_from_slice(data);
        }
        Ok(Response {
            status,
            body: &self.body,
        })
    }

    fn request(&self, asked: &Request<'_>) -> Result<http::Request<Full<Bytes>>, ClientError> {
        let mut request = http::Request::builder()
            .method(asked.method)
            .uri(format!("https://{}{}", self.authority, asked.path))
            .header(AUTHORIZATION, format!("Bearer {}", asked.token));
        if !asked.idempotency_key.is_empty() {
            request = request.header("idempotency-key", asked.idempotency_key);
        }
        if asked.method != "GET" {
            request = request.header(CONTENT_TYPE, asked.content_type);
        }
        request
            .body(Full::new(Bytes::copy_from_slice(asked.body)))
            .map_err(unsent)
    }
}

/// It was not sent.
fn unsent(error: impl Error + Send + Sync + 'static) -> ClientError {
    ClientError::Connect(io::Error::other(error))
}

/// It may have been carried out.
fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(io::Error::other(error))
}
