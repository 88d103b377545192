//! The `florin` binary, as a library: what starts and stops everything else.
//!
//! Read in this order: [`commands`] is the command line; [`config`] what it is told; [`node`] and
//! [`frontend`] the two processes of a cluster (`come_back` is a node's way back after damage), with [`tls`], [`folder`], [`telemetry`] and
//! [`shutdown`] under them; [`cluster`] runs a whole cluster as child processes, for [`demo`],
//! bench and tests; [`client`] is the HTTPS client these share.
//!
//! This room alone reads files, the environment and the clock, and it holds no rule of business.

pub mod certs;
pub mod client;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod demo;
pub mod folder;
pub mod frontend;
pub mod node;
pub mod shutdown;
pub mod telemetry;
pub mod tls;

mod come_back;
mod door;

/// The version of this software.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
