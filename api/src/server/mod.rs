//! Connections: accepted, encrypted, bounded in number and time, and ended in an orderly way.
//!
//! Whatever a peer sends, it can end its own connection only.

mod activity;
mod connection;
mod panics;

use crate::options::Connections;
use axum::Router;
use axum::body::Body;
use connection::Connection;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Who sent a request; every request carries it in its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What answers requests.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) router: Router,
    /// The answer where a handler panicked, for a safe method or another, and a path.
    pub(crate) panicked: Arc<Panicked>,
}

/// See [`Service::panicked`].
pub(crate) type Panicked = dyn Fn(bool, &str) -> http::Response<Body> + Send + Sync;

/// How far a server has come on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    Draining,
    Closing,
}

/// How long to wait when the system has no descriptors or memory for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `shutdown` ends, then lets what is in flight end within
/// [`Connections::drain_timeout`], and closes what is left.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    bounds: Connections,
    service: Service,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (stage, watched) = watch::channel(Stage::Serving);
    let places = Arc::new(Semaphore::new(bounds.max));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let connection = Connection {
            peer,
            bounds,
            service: service.clone(),
            stage: watched.clone(),
        };
        let tls = tls.clone();
        tokio::spawn(async move {
            connection.serve(stream, tls).await;
            drop(place);
        });
    }
    drop(listener);
    stage.send_replace(Stage::Draining);
    let all = u32::try_from(bounds.max).unwrap_or(u32::MAX);
    if tokio::time::timeout(bounds.drain_timeout, places.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!("connections were still busy at shutdown and are closed");
        stage.send_replace(Stage::Closing);
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
