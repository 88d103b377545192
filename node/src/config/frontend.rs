//! What a frontend's configuration holds.

use super::{Checked, MutualTls, Reach, check_address, check_distinct, check_name};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration of `florin api`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontendConfig {
    /// The cluster's name: a frontend never talks to another cluster's nodes.
    pub cluster: String,
    /// For people.
    pub name: String,
    /// Where it runs: stale reads prefer a replica of the same region.
    pub region: String,
    /// Where it listens for partners (HTTPS).
    pub listen: SocketAddr,
    /// Where it listens for operators (/healthz, /readyz, /metrics, /admin/v1). Keep it private.
    pub admin_listen: SocketAddr,
    /// `host:port` of some nodes; the others are learnt from them.
    pub seeds: Vec<String>,
    /// How many frontends the cluster has: each gives out its part of a partner's rate limit.
    #[serde(default = "alone")]
    pub frontends: u32,
    /// The file that holds the operators' token, at least 32 characters.
    pub operator_token_file: PathBuf,
    /// What partners see.
    pub https: ServerTls,
    /// Who it is to the nodes.
    pub nodes: MutualTls,
    /// How long a request may take.
    #[serde(default)]
    pub deadlines: Deadlines,
    /// Nodes that are dialled elsewhere than where they say.
    #[serde(default)]
    pub reach: Reach,
}

/// A certificate that clients see, and its private key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// PEM: the certificate, and what lies between it and its authority.
    pub cert: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// How long a request may take before its sender gets an honest "no" or "unknown".
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// From a request's last byte to its answer.
    pub request_ms: u64,
    /// After how long an unanswered attempt is made again, by the same key, at another node.
    pub attempt_ms: u64,
}

fn alone() -> u32 {
    1
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            request_ms: 10_000,
            attempt_ms: 2_000,
        }
    }
}

impl Deadlines {
    /// From a request's last byte to its answer.
    pub fn request(&self) -> Duration {
        Duration::from_millis(self.request_ms)
    }

    /// After how long an unanswered attempt is made again.
    pub fn attempt(&self) -> Duration {
        Duration::from_millis(self.attempt_ms)
    }
}

impl Checked for FrontendConfig {
    fn check(&self) -> Result<(), (&'static str, String)> {
        check_name("cluster", &self.cluster)?;
        check_name("name", &self.name)?;
        check_name("region", &self.region)?;
        check_distinct("admin_listen", self.admin_listen, self.listen)?;
        if self.seeds.is_empty() {
            return Err(("seeds", "name at least one node".into()));
        }
        for seed in &self.seeds {
            check_address("seeds", seed)?;
        }
        self.reach.check()?;
        if self.frontends == 0 {
            return Err(("frontends", "this one is a frontend: at least 1".into()));
        }
        if !(100..=120_000).contains(&self.deadlines.request_ms) {
            return Err(("deadlines.request_ms", "must be from 100 to 120000".into()));
        }
        if !(50..=self.deadlines.request_ms).contains(&self.deadlines.attempt_ms) {
            return Err((
                "deadlines.attempt_ms",
                "must be from 50 to deadlines.request_ms".into(),
            ));
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        self.operator_token_file = folder.join(&self.operator_token_file);
        self.https.cert = folder.join(&self.https.cert);
        self.https.key = folder.join(&self.https.key);
        self.nodes.resolve(folder);
    }
}
