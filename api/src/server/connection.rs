//! One connection, from its first byte to its last.

use super::activity::Activity;
use super::{Peer, Service, Stage, panics};
use crate::limits;
use crate::options::Connections;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// How often a quiet HTTP/2 peer is asked whether it lives, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection without requests may take to end once it was asked to: a peer that never
/// spoke does not know how.
const LINGER: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) bounds: Connections,
    pub(super) service: Service,
    pub(super) stage: watch::Receiver<Stage>,
}

impl Connection {
    /// Serves until the peer, its faults, idleness or shutdown end it.
    pub(super) async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are small and wanted at once. A socket that refuses this is served all the same.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            return self.http1(stream).await;
        };
        let stream = match timeout(self.bounds.handshake_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return tracing::debug!(peer = %self.peer, %error, "a TLS handshake failed");
            }
            Err(_) => return tracing::debug!(peer = %self.peer, "a TLS handshake took too long"),
        };
        // The protocol is what TLS agreed on: nothing is guessed from bytes that may never come.
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            self.http2(stream).await;
        } else {
            self.http1(stream).await;
        }
    }

    async fn http1(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send) {
        let activity = Activity::new();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.header_timeout)
            .max_buf_size(limits::HEAD_BYTES)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(|request| answer(&self.service, self.peer, &activity, request)),
            );
        let connection = pin!(connection);
        watch(
            connection,
            |connection| connection.graceful_shutdown(),
            &activity,
            &self,
        )
        .await;
    }

    async fn http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send) {
        let activity = Activity::new();
        let (service, peer, seen) = (self.service.clone(), self.peer, activity.clone());
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits::STREAMS)
            .max_header_list_size(limits::HEAD_BYTES as u32)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| {
                    let (service, seen) = (service.clone(), seen.clone());
                    async move { answer(&service, peer, &seen, request).await }
                }),
            );
        let connection = pin!(connection);
        watch(
            connection,
            |connection| connection.graceful_shutdown(),
            &activity,
            &self,
        )
        .await;
    }
}

/// Drives a connection to its end: asks it to end when it was idle too long or at shutdown, and
/// drops it if it then does not.
async fn watch<C, E>(
    mut connection: Pin<&mut C>,
    end: impl Fn(Pin<&mut C>),
    activity: &Activity,
    this: &Connection,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut stage = this.stage.clone();
    let mut ending = false;
    let mut idle = pin!(sleep_until(activity.idle_at(this.bounds.idle_timeout)));
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %this.peer, %error, "a connection ended early");
                }
                return;
            }
            changed = stage.changed() => {
                if changed.is_err() || *stage.borrow_and_update() == Stage::Closing {
                    return;
                }
                end(connection.as_mut());
                ending = true;
                idle.as_mut().reset(Instant::now() + LINGER);
            }
            () = &mut idle => {
                let patience = if ending { LINGER } else { this.bounds.idle_timeout };
                let idle_at = activity.idle_at(patience);
                if idle_at > Instant::now() {
                    idle.as_mut().reset(idle_at);
                } else if ending {
                    return;
                } else {
                    end(connection.as_mut());
                    ending = true;
                    idle.as_mut().reset(Instant::now() + LINGER);
                }
            }
        }
    }
}

async fn answer(
    service: &Service,
    peer: SocketAddr,
    activity: &Activity,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let _in_flight = activity.begin();
    request.extensions_mut().insert(Peer(peer));
    let safe = request.method().is_safe();
    let path = request.uri().path().to_owned();
    match panics::caught(service.router.clone().oneshot(request.map(Body::new))).await {
        Ok(answered) => answered,
        Err(_) => {
            tracing::error!(%path, "a handler panicked");
            Ok((service.panicked)(safe, &path))
        }
    }
}
