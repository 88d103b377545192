//! What a load asks of whom, and how often.

use crate::history::clock::Clock;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a load asks of whom.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// URLs of frontends, `https://host:port`; each request goes to one of them.
    pub endpoints: Vec<String>,
    /// The file of the authority that signed their certificates; none is needed for `http://`.
    pub ca: Option<PathBuf>,
    /// On whose books. More than one touch more than one group.
    pub partners: Vec<PartnerKey>,
    /// What is asked, and how often.
    pub mix: Mix,
    /// What all chance is drawn from.
    pub seed: u64,
    /// What all keys begin with: runs on the same books need different ones.
    pub run: String,
    /// The clock of the history.
    pub clock: Clock,
}

/// A partner's key, with scopes to read and to write payments and the ledger.
#[derive(Clone)]
pub struct PartnerKey {
    /// What it is called in sessions.
    pub name: String,
    /// `sk_…`.
    pub secret: String,
    /// The shard group that holds its money; nothing: the answers will tell.
    pub group: Option<u64>,
}

/// What is asked, and how often. Shares are percent of what a session does; what is left over are
/// payments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Wallets of each partner that hold plenty.
    pub wallets: usize,
    /// Wallets of each partner that run dry: their payments are refused, now and then.
    pub dry_wallets: usize,
    /// What a wallet is funded with, minor units; a dry one holds a thousandth of it.
    pub funds: u64,
    /// Sessions of each partner, which ask one thing after the other. With `per_second` it is how
    /// many there are at least.
    pub sessions: usize,
    /// Operations a second over all partners, begun in time however long the answers take;
    /// nothing: sessions go on as soon as they are answered.
    pub per_second: Option<f64>,
    /// Sessions of each partner that use a small wallet of their own, at no great speed: short
    /// histories, which can be searched for an order even while everything else piles up.
    pub probes: usize,
    /// Payments that take from one hot account of each partner.
    pub hot_percent: u8,
    /// Linearizable reads of a balance.
    pub read_percent: u8,
    /// Transfers, which fill wallets again.
    pub transfer_percent: u8,
    /// Keys that were answered long ago, sent again; a tenth of them with another request.
    pub replay_percent: u8,
    /// Payments that are sent to two frontends at the same time.
    pub duplicate_percent: u8,
    /// How long an attempt waits for its answer.
    pub attempt_ms: u64,
    /// How long a session insists on an answer for one key.
    pub insist_ms: u64,
}

impl LoadOptions {
    /// The usual mix on these books.
    pub fn new(endpoints: Vec<String>, ca: Option<PathBuf>, partners: Vec<PartnerKey>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_micros());
        LoadOptions {
            endpoints,
            ca,
            partners,
            mix: Mix::default(),
            seed: 1,
            run: format!("run-{now:x}"),
            clock: Clock::start(),
        }
    }
}

impl Default for Mix {
    fn default() -> Self {
        Mix {
            wallets: 6,
            dry_wallets: 1,
            funds: 1_000_000_000,
            sessions: 8,
            per_second: None,
            probes: 3,
            hot_percent: 20,
            read_percent: 15,
            transfer_percent: 5,
            replay_percent: 4,
            duplicate_percent: 4,
            attempt_ms: 5_000,
            insist_ms: 60_000,
        }
    }
}

/// Without the secret.
impl fmt::Debug for PartnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartnerKey")
            .field("name", &self.name)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
