//! What a frontend is told by the one who starts it.

use crate::backend::Backend;
use crate::limits;
use florin_ledger::id::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The wall clock. Nothing in this room reads one itself.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Fills a buffer from the system's generator; `false` if that failed.
pub type Random = Arc<dyn Fn(&mut [u8]) -> bool + Send + Sync>;

/// How the partner API is served.
#[derive(Clone)]
pub struct ApiOptions {
    /// For the expiry of keys and for request identifiers.
    pub clock: Clock,
    /// How many frontends share a partner's rate limit: each gives out its part of it.
    pub frontends: u32,
    /// How long a request may take from its last byte to its answer.
    pub request_timeout: Duration,
    /// The connection layer's bounds.
    pub connections: Connections,
}

/// Bounds of a listener's connections.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// How many at once; others wait in the kernel's queue.
    pub max: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long the head of a request may take.
    pub header_timeout: Duration,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
    /// How long requests in flight may take to end at shutdown.
    pub drain_timeout: Duration,
}

/// How the listener for operators is served.
#[derive(Clone)]
pub struct AdminOptions {
    /// Whether this process can serve; if not, why not.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// The metrics, as Prometheus reads them.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// The admin API; nodes serve the listener without it.
    pub operators: Option<Operators>,
    /// The connection layer's bounds.
    pub connections: Connections,
}

/// What the admin API needs.
#[derive(Clone)]
pub struct Operators {
    /// BLAKE3 of the operators' bearer token.
    pub token_hash: [u8; 32],
    /// The cluster.
    pub backend: Arc<dyn Backend>,
    /// For the times at which keys expire.
    pub clock: Clock,
    /// For the secrets of keys.
    pub random: Random,
    /// How long a request may take.
    pub request_timeout: Duration,
}

impl ApiOptions {
    /// The defaults, by this clock.
    pub fn new(clock: Clock) -> ApiOptions {
        ApiOptions {
            clock,
            frontends: 1,
            request_timeout: limits::REQUEST_TIMEOUT,
            connections: Connections::default(),
        }
    }
}

impl Operators {
    /// The defaults, with the system's random generator. The token itself is not kept.
    pub fn new(token: &str, backend: Arc<dyn Backend>, clock: Clock) -> Operators {
        Operators {
            token_hash: *blake3::hash(token.as_bytes()).as_bytes(),
            backend,
            clock,
            random: system_random(),
            request_timeout: limits::REQUEST_TIMEOUT,
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Connections {
            max: limits::CONNECTIONS,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            header_timeout: limits::HEADER_TIMEOUT,
            idle_timeout: limits::IDLE_TIMEOUT,
            drain_timeout: limits::DRAIN_TIMEOUT,
        }
    }
}

/// The system's random generator, as TLS uses it.
pub fn system_random() -> Random {
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(move |buffer| provider.secure_random.fill(buffer).is_ok())
}

impl fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiOptions")
            .field("frontends", &self.frontends)
            .field("request_timeout", &self.request_timeout)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AdminOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminOptions")
            .field("operators", &self.operators.is_some())
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Operators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operators").finish_non_exhaustive()
    }
}
