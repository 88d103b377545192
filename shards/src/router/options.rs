//! How a router finds and treats its cluster.

use crate::connector::Connector;
use crate::limits;
use std::time::Duration;

/// How a router finds and treats its cluster.
#[derive(Clone, Debug)]
pub struct RouterOptions {
    /// `host:port` of some nodes; the others are learnt from the directory.
    pub seeds: Vec<String>,
    /// The cluster's name: nodes of another one are not talked to.
    pub cluster: String,
    /// Where this frontend runs; stale reads prefer it.
    pub region: String,
    /// After how long an attempt is given up and made again elsewhere.
    pub attempt_timeout: Duration,
    /// How connections are opened.
    pub connector: Connector,
}

impl RouterOptions {
    /// With what is usual for the rest.
    pub fn new(cluster: &str, seeds: Vec<String>, connector: Connector) -> RouterOptions {
        RouterOptions {
            seeds,
            cluster: cluster.to_owned(),
            region: String::new(),
            attempt_timeout: limits::ATTEMPT_TIMEOUT,
            connector,
        }
    }
}
