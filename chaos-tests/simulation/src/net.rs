//! The simulated network, fitted to what the product dials and serves with.

use crate::machine::Life;
use florin_raft::options::Connecting;
use florin_raft::{Connect, Io};
use florin_shards::{Connection, Connector};
use futures_util::Stream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;
use turmoil::net::{TcpListener, TcpStream};

/// The port at which every node listens.
pub(crate) const PORT: u16 = 7_000;

/// A connection of a host. Once the host is dead nothing leaves it, though its tasks may still
/// run until the simulation takes them away.
pub(crate) struct Wire {
    stream: TcpStream,
    life: Arc<Life>,
}

impl Wire {
    fn alive(&self) -> io::Result<()> {
        if self.life.is_over() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connected for Wire {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

async fn dial(address: String, life: Arc<Life>) -> io::Result<Wire> {
    let stream = TcpStream::connect(address).await?;
    Ok(Wire { stream, life })
}

/// How a node's groups reach their peers.
pub(crate) struct Dialer(pub(crate) Arc<Life>);

impl Connect for Dialer {
    fn connect(&self, address: &str) -> Connecting {
        let (address, life) = (address.to_owned(), Arc::clone(&self.0));
        Box::pin(async move { Ok(Box::new(dial(address, life).await?) as Box<dyn Io>) })
    }
}

/// How frontends, operators and nodes reach gateways.
pub(crate) fn connector(life: &Arc<Life>) -> Connector {
    let life = Arc::clone(life);
    Connector::new(move |address| {
        let life = Arc::clone(&life);
        Box::pin(async move { Ok(Box::new(dial(address, life).await?) as Box<dyn Connection>) })
    })
}

/// What comes in at a node's port.
pub(crate) fn incoming(
    listener: TcpListener,
    life: Arc<Life>,
) -> impl Stream<Item = io::Result<Wire>> {
    futures_util::stream::unfold((listener, life), |(listener, life)| async move {
        let accepted = listener.accept().await;
        let wire = accepted.map(|(stream, _)| Wire {
            stream,
            life: Arc::clone(&life),
        });
        Some((wire, (listener, life)))
    })
}
