//! Free loopback ports that stay ours.
//!
//! They lie below the range from which the kernel takes the ports of outgoing connections:
//! otherwise, while a node is down, some connection could be given its port, and the node could
//! not come back. A lock on a file for each keeps clusters of this user apart.

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

const LOWEST: u16 = 10_240;
/// Linux's default start of the ephemeral range, if it cannot be read.
const EPHEMERAL: u16 = 32_768;

/// A port that no other cluster of this user takes while this is held.
#[derive(Debug)]
pub struct Port {
    /// Its number.
    pub number: u16,
    _lock: File,
}

/// Claims this many free ports.
pub fn claim(count: usize) -> io::Result<Vec<Port>> {
    let end = ephemeral_start().max(LOWEST + 1024);
    let span = u64::from(end - LOWEST);
    // Where the search starts differs from process to process, so they seldom meet.
    let mut candidate = RandomState::new().build_hasher().finish() % span;
    let mut claimed = Vec::new();
    for _ in 0..span {
        if claimed.len() == count {
            return Ok(claimed);
        }
        candidate = (candidate + 1) % span;
        if let Some(port) = try_claim(LOWEST + candidate as u16)? {
            claimed.push(port);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "no free loopback ports",
    ))
}

/// Claims this very port, which a cluster had before.
pub fn claim_again(number: u16) -> io::Result<Port> {
    let taken = || {
        io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("port {number} of 127.0.0.1 is in use"),
        )
    };
    try_claim(number)?.ok_or_else(taken)
}

fn try_claim(number: u16) -> io::Result<Option<Port>> {
    let file = locks()?.join(number.to_string());
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file)?;
    if lock.try_lock().is_err() {
        return Ok(None);
    }
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
    Ok(free.then_some(Port {
        number,
        _lock: lock,
    }))
}

fn locks() -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let folder = std::env::temp_dir().join(format!("florin-ports-{user}"));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn ephemeral_start() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range
        .split_whitespace()
        .next()
        .and_then(|start| start.parse().ok())
        .unwrap_or(EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_port_is_given_once() {
        let ports = claim(3).unwrap();
        for port in &ports {
            assert!(claim_again(port.number).is_err());
        }
        let number = ports[0].number;
        drop(ports);
        assert!(claim_again(number).is_ok());
    }
}
