//! Where a process of the cluster sits: its addresses, its data and how it is started.

use super::ports::Port;
use crate::config::Reach;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The place of one process. Processes without one given get free ports of the loopback.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its main listener.
    pub listen: SocketAddr,
    /// Its listener for operators.
    pub admin: SocketAddr,
    /// A node's data folder; below the cluster's folder unless told otherwise.
    pub data_dir: Option<PathBuf>,
    /// A program and its arguments that run the command which follows them, as `nsenter` does.
    /// It must not fork: the process that it becomes is the one that is killed.
    pub launcher: Vec<String>,
    /// What its environment has beside this process's own.
    pub environment: BTreeMap<String, String>,
    /// By what other addresses it reaches the others.
    pub reach: Reach,
}

impl Seat {
    /// At these addresses, started by itself.
    pub fn at(listen: SocketAddr, admin: SocketAddr) -> Seat {
        Seat {
            listen,
            admin,
            data_dir: None,
            launcher: Vec::new(),
            environment: BTreeMap::new(),
            reach: Reach::default(),
        }
    }

    /// On these ports of the loopback.
    pub(super) fn on([listen, admin]: &[Port; 2]) -> Seat {
        let at = |port: &Port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.number));
        Seat::at(at(listen), at(admin))
    }
}
