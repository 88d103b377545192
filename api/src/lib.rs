//! HTTPS and JSON in, commands out; outcomes in, JSON out. Stateless.
//!
//! Read in this order: [`options`] is what a frontend is told, [`backend`] what it stands on,
//! [`serve`] where it starts. Inside: `server` holds the connections, `route` what every request
//! has in common, `auth` who may ask, `parse` the way in, `routes` the handlers, `call` the way
//! to the ledger and back, `refusal` and `problem` the errors, `wire` the way out.

pub mod backend;
pub mod limits;
pub mod measure;
pub mod options;
pub mod proto;

mod admin;
mod app;
mod auth;
mod call;
mod code;
mod decided;
mod idempotency;
mod network;
mod openapi;
mod parse;
mod problem;
mod rate;
mod refusal;
mod request_id;
mod route;
mod routes;
mod server;
mod unavailable;
mod wire;

pub use backend::Backend;
pub use openapi::openapi;
pub use options::{AdminOptions, ApiOptions, Clock, Connections, Operators, Random, system_random};

use admin::Admin;
use app::App;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves the partner API on a listener until `shutdown` ends, then lets what is in flight end
/// and closes. Offers HTTP/1.1 and 2 by ALPN, which is set here; the protocol versions of TLS are
/// what `tls` was built with, and should be 1.3 alone.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    options: ApiOptions,
    backend: Arc<dyn Backend>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let connections = options.connections;
    let app = App::new(backend, options);
    let router = app::router(Arc::clone(&app));
    let panicked = Arc::new(move |safe: bool, path: &str| app.panicked(safe, path));
    let service = server::Service { router, panicked };
    server::run(
        listener,
        Some(acceptor(&tls)),
        connections,
        service,
        shutdown,
    )
    .await;
}

/// Serves `/healthz`, `/readyz`, `/metrics` and, with [`AdminOptions::operators`], `/admin/v1`,
/// until `shutdown` ends. Without `tls` in clear: for loopback and for meshes that encrypt.
pub async fn serve_admin(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    options: AdminOptions,
    shutdown: impl Future<Output = ()> + Send,
) {
    let connections = options.connections;
    let admin = Admin::new(options);
    let router = admin::router(Arc::clone(&admin));
    let panicked = Arc::new(move |safe: bool, path: &str| admin.panicked(safe, path));
    let service = server::Service { router, panicked };
    let tls = tls.as_deref().map(acceptor);
    server::run(listener, tls, connections, service, shutdown).await;
}

/// A configuration of one's own with the protocols that this room speaks.
fn acceptor(tls: &rustls::ServerConfig) -> TlsAcceptor {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(tls))
}
