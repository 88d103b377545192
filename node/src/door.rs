//! Listening sockets, with errors that name the configuration's field.

use anyhow::{Context, Result};
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 1024;

/// Opens the listening socket that the configuration's `field` names.
pub(crate) async fn open(field: &str, address: SocketAddr) -> Result<TcpListener> {
    bind(address)
        .map_err(explain)
        .with_context(|| format!("cannot listen on {address} (field `{field}`)"))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for the last connections of its former self to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            io::Error::new(error.kind(), "the port is in use by another process")
        }
        _ => error,
    }
}
