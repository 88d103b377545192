//! Configuration: TOML files, parsed and checked once at start, handed down in parts.
//!
//! [`node`] says what a node's file holds, [`frontend`] what a frontend's. An unknown or wrong
//! field is an error that names the file and the field, and the line if it has one. Relative paths
//! are taken from the folder that the file lies in. No secret stands in a configuration: it names
//! files that hold them.

pub mod frontend;
pub mod node;
pub mod reach;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use frontend::FrontendConfig;
pub use node::NodeConfig;
pub use reach::Reach;

/// Why a configuration was not accepted. Each is one sentence for the person who wrote it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is not TOML, or a field is unknown, missing or of a wrong type.
    #[error("{}, line {line} (`{text}`): {why}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// That line, which holds the field's name.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A field is missing that belongs to no section, so that there is no line to name.
    #[error("{}: {why}", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// Which field.
        why: String,
    },
    /// The field is well formed and cannot be meant.
    #[error("{}: field `{field}`: {why}", file.display())]
    Nonsense {
        /// The file.
        file: PathBuf,
        /// The field, with the table it stands in.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// What a configuration checks beyond its fields' types, and how its paths become absolute.
pub trait Checked: DeserializeOwned {
    /// The first field that cannot be meant, and why.
    fn check(&self) -> Result<(), (&'static str, String)>;
    /// Takes relative paths from this folder.
    fn resolve(&mut self, folder: &Path);
}

/// Reads and checks a configuration file.
pub fn load<C: Checked>(file: &Path) -> Result<C, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|why| ConfigError::Unreadable {
        file: file.to_owned(),
        why,
    })?;
    parse(file, &text)
}

/// Parses and checks a configuration; `file` is for messages and relative paths.
pub fn parse<C: Checked>(file: &Path, text: &str) -> Result<C, ConfigError> {
    let mut config: C = toml::from_str(text).map_err(|error| wrong(file, text, &error))?;
    config
        .check()
        .map_err(|(field, why)| ConfigError::Nonsense {
            file: file.to_owned(),
            field,
            why,
        })?;
    config.resolve(file.parent().unwrap_or(Path::new("")));
    Ok(config)
}

/// Turns a parser's error, which spans lines, into one sentence that names line and field.
pub(crate) fn wrong(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let why = error.message().lines().collect::<Vec<_>>().join(", ");
    let span = error.span().unwrap_or_default();
    // What the file as a whole lacks spans the whole file.
    if span.start == 0 && why.starts_with("missing field") {
        let file = file.to_owned();
        return ConfigError::Missing { file, why };
    }
    let start = span.start.min(text.len());
    let line = text.as_bytes()[..start]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    ConfigError::Wrong {
        file: file.to_owned(),
        line: line + 1,
        text: text.lines().nth(line).unwrap_or_default().trim().to_owned(),
        why,
    }
}

/// A certificate, its private key, and the authority that the other side must be signed by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualTls {
    /// PEM: the authority of the cluster.
    pub ca: PathBuf,
    /// PEM: our certificate, and what lies between it and the authority.
    pub cert: PathBuf,
    /// PEM: our private key.
    pub key: PathBuf,
}

impl MutualTls {
    fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.ca, &mut self.cert, &mut self.key] {
            *path = folder.join(&*path);
        }
    }
}

/// How patient the nodes are with each other. All nodes of a cluster should agree on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// How often a leader is heard of. Must exceed the worst round trip between regions.
    pub heartbeat_ms: u64,
    /// A follower that heard nothing for a time between these two asks for votes.
    pub election_ms: [u64; 2],
}

impl Timing {
    /// How often a leader is heard of.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    /// The shortest and longest silence before an election.
    pub fn election(&self) -> (Duration, Duration) {
        let [min, max] = self.election_ms;
        (Duration::from_millis(min), Duration::from_millis(max))
    }

    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let [min, max] = self.election_ms;
        if self.heartbeat_ms < 10 {
            return Err(("timing.heartbeat_ms", "must be at least 10".into()));
        }
        if min < 2 * self.heartbeat_ms {
            let why = format!(
                "the first must be at least twice heartbeat_ms ({})",
                self.heartbeat_ms
            );
            return Err(("timing.election_ms", why));
        }
        if max <= min {
            return Err((
                "timing.election_ms",
                format!("the second must be greater than the first ({min})"),
            ));
        }
        if max > 60_000 {
            return Err((
                "timing.election_ms",
                "more than a minute without a leader".into(),
            ));
        }
        Ok(())
    }
}

/// A cluster's name is part of messages, paths and metrics.
pub(crate) fn check_name(field: &'static str, name: &str) -> Result<(), (&'static str, String)> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 40 || !name.bytes().all(fits) {
        let why = format!("`{name}` is not 1 to 40 of a-z, 0-9 and -");
        return Err((field, why));
    }
    Ok(())
}

/// `host:port`, with a port that can be dialled.
pub(crate) fn check_address(
    field: &'static str,
    address: &str,
) -> Result<(), (&'static str, String)> {
    let port = address
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .map(|(_, port)| port);
    match port.map(str::parse::<u16>) {
        Some(Ok(port)) if port > 0 => Ok(()),
        _ => Err((field, format!("`{address}` is not host:port"))),
    }
}

/// Refuses the one address that would publish an operator's port by accident.
pub(crate) fn check_distinct(
    field: &'static str,
    one: SocketAddr,
    other: SocketAddr,
) -> Result<(), (&'static str, String)> {
    if one.port() != 0 && one == other {
        return Err((field, format!("{one} is already used by `listen`")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
