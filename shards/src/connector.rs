//! How a connection to a node is opened: in clear for tests, by TLS as the node room sets it up.

use futures_util::future::BoxFuture;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

type Open = dyn Fn(String) -> BoxFuture<'static, io::Result<Box<dyn Connection>>> + Send + Sync;

/// Opens connections to `host:port`. Cheap to clone.
#[derive(Clone)]
pub struct Connector(Arc<Open>);

impl Connector {
    /// By this function, which dials `host:port` and does the TLS handshake.
    pub fn new<F>(open: F) -> Connector
    where
        F: Fn(String) -> BoxFuture<'static, io::Result<Box<dyn Connection>>>
            + Send
            + Sync
            + 'static,
    {
        Connector(Arc::new(open))
    }

    /// Without TLS: for tests.
    pub fn plain() -> Connector {
        Connector::new(|address| {
            Box::pin(async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream) as Box<dyn Connection>)
            })
        })
    }

    /// Opens one.
    pub async fn open(&self, address: String) -> io::Result<Box<dyn Connection>> {
        (self.0)(address).await
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}
