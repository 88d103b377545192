//! The node's door: TCP in, connections of known peers out.
//!
//! Handshakes run beside each other, so that a slow or hostile peer holds up nobody else; one
//! that fails ends that connection and nothing more.

use super::{FRONTEND_NAME, HANDSHAKE_TIMEOUT, NODE_NAME, OPERATOR_NAME, names_of};
use florin_ledger::id::NodeId;
use florin_raft::PeerRoles;
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Handshakes at once; more wait in the kernel's queue.
const HANDSHAKES: usize = 64;
/// Finished handshakes that wait to be served.
const READY: usize = 64;
/// After a failure to accept (too many open files, say) the next attempt comes this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection of a peer whose certificate the authority signed.
pub struct PeerStream {
    stream: TlsStream<TcpStream>,
    roles: PeerRoles,
}

impl Connected for PeerStream {
    type ConnectInfo = PeerRoles;

    fn connect_info(&self) -> PeerRoles {
        self.roles.clone()
    }
}

/// Accepts until the returned stream is dropped. Must be called within a tokio runtime.
pub fn accept(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
) -> ReceiverStream<io::Result<PeerStream>> {
    let (ready, served) = mpsc::channel(READY);
    tokio::spawn(accept_loop(listener, TlsAcceptor::from(tls), ready));
    ReceiverStream::new(served)
}

async fn accept_loop(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<io::Result<PeerStream>>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(permit) = handshakes.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let _permit = permit;
            if let Some(peer) = handshake(&acceptor, stream, from).await {
                // Nobody serves any more: the connection ends with this task.
                let _stopped = ready.send(Ok(peer)).await;
            }
        });
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    from: SocketAddr,
) -> Option<PeerStream> {
    let _slower = stream.set_nodelay(true);
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let roles = roles(&stream);
            Some(PeerStream { stream, roles })
        }
        Ok(Err(error)) => {
            tracing::info!(%from, %error, "a peer was turned away at its TLS handshake");
            None
        }
        Err(_elapsed) => {
            tracing::info!(%from, "a peer did not finish its TLS handshake in time");
            None
        }
    }
}

fn roles(stream: &TlsStream<TcpStream>) -> PeerRoles {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    certificate
        .map(|certificate| roles_of(&names_of(certificate)))
        .unwrap_or_default()
}

/// The roles that these names give. A node's number counts only together with a node's role.
pub fn roles_of(names: &[String]) -> PeerRoles {
    let has = |name: &str| names.iter().any(|held| held == name);
    let numbered = names.iter().find_map(|name| {
        let id = name
            .strip_prefix("node-")?
            .strip_suffix(NODE_NAME)?
            .strip_suffix('.')?;
        id.parse().ok().map(NodeId)
    });
    PeerRoles {
        names: names.to_vec(),
        node: numbered.filter(|_| has(NODE_NAME)),
        frontend: has(FRONTEND_NAME),
        operator: has(OPERATOR_NAME),
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_stand_in_names() {
        let (node, frontend, operator) = (Some(NodeId(7)), true, true);
        type Roles = (Option<NodeId>, bool, bool);
        let rows: [(&[&str], Roles); 6] = [
            (
                &[
                    "node.florin.internal",
                    "node-7.node.florin.internal",
                    "localhost",
                ],
                (node, false, false),
            ),
            (&["node-7.node.florin.internal"], (None, false, false)),
            (&["node.florin.internal"], (None, false, false)),
            (&["frontend.florin.internal"], (None, frontend, false)),
            (&["operator.florin.internal"], (None, false, operator)),
            (
                &[
                    "node-x.node.florin.internal",
                    "operator.florin.internal.example",
                ],
                (None, false, false),
            ),
        ];
        for (names, expected) in rows {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let roles = roles_of(&names);
            assert_eq!(
                (roles.node, roles.frontend, roles.operator),
                expected,
                "{names:?}"
            );
            assert_eq!(roles.names, names);
        }
    }
}
