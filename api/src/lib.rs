//! HTTPS and JSON in, commands out; outcomes in, JSON out. Stateless.
//!
//! Read in this order: [`options`] is what a frontend is told, [`backend`] what it stands on,
//! [`serve`] where it starts.

pub mod backend;
pub mod limits;
pub mod options;

pub use backend::Backend;
pub use options::{AdminOptions, ApiOptions, Clock, Operators, Random};

use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves the partner API on a listener until `shutdown` ends, then lets what is in flight end
/// and closes. The API asks for TLS 1.3 and offers HTTP/1.1 and 2: ALPN is set here.
pub async fn serve(
    _listener: TcpListener,
    _tls: Arc<rustls::ServerConfig>,
    _options: ApiOptions,
    _backend: Arc<dyn Backend>,
    _shutdown: impl Future<Output = ()> + Send,
) {
    std::future::pending().await
}

/// Serves `/healthz`, `/readyz`, `/metrics` and, with [`AdminOptions::operators`], `/admin/v1`,
/// until `shutdown` ends. Without `tls` in clear: for loopback and for meshes that encrypt.
pub async fn serve_admin(
    _listener: TcpListener,
    _tls: Option<Arc<rustls::ServerConfig>>,
    _options: AdminOptions,
    _shutdown: impl Future<Output = ()> + Send,
) {
    std::future::pending().await
}

/// The partner API as an OpenAPI 3.1 document, pretty-printed.
pub fn openapi() -> String {
    String::new()
}
