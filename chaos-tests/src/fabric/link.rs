//! What a link is like, between whom, and what it counts.

use super::FabricError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, SystemTime};

/// The longest delay that a link may have.
const LONGEST: Duration = Duration::from_secs(60);

/// Who sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// A node, by its number.
    Node(u64),
    /// A frontend, by its place in the topology, from 0.
    Frontend(usize),
    /// Whoever asks: load, operators, and the drill itself.
    Client,
}

/// What happens to what is sent from one host to another. The default is a perfect link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// Nothing passes.
    pub cut: bool,
    /// How long it takes, one way.
    pub delay: Duration,
    /// How far the delay of a packet may lie from that, evenly spread. Packets stay in order.
    pub jitter: Duration,
    /// The part of the packets that is lost, from 0 to 1.
    pub loss: f64,
    /// The part of the packets that arrives twice, from 0 to 1.
    pub duplicate: f64,
    /// The part of the packets that is overtaken by others, from 0 to 1.
    pub reorder: f64,
    /// At most this much passes.
    pub bytes_per_second: Option<u64>,
}

/// What a link carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Packets (or pieces of a stream) that were handed on.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that were not handed on: the link was cut, lost them or was full.
    pub dropped: u64,
    /// Packets that were handed on later than they came.
    pub delayed: u64,
    /// Packets that were handed on twice.
    pub duplicated: u64,
    /// Packets that others overtook.
    pub reordered: u64,
}

/// A change of a link.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// When, by this machine's clock.
    pub at: SystemTime,
    /// Since the fabric was made.
    pub after: Duration,
    /// Who sends.
    pub from: Host,
    /// Who receives.
    pub to: Host,
    /// What the link is like since then.
    pub link: Link,
    /// Why it was changed.
    pub why: String,
}

impl Link {
    /// Nothing passes.
    pub fn cut() -> Link {
        Link {
            cut: true,
            ..Link::default()
        }
    }

    /// Everything arrives this much later.
    pub fn delayed(delay: Duration) -> Link {
        Link {
            delay,
            ..Link::default()
        }
    }

    /// Refuses numbers that make no sense.
    pub fn check(&self) -> Result<(), FabricError> {
        let parts = [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
        ];
        if let Some((name, part)) = parts.iter().find(|(_, part)| !(0.0..=1.0).contains(part)) {
            return Err(FabricError::Nonsense(format!(
                "{name} of {part} is not from 0 to 1"
            )));
        }
        if self.delay + self.jitter > LONGEST {
            return Err(FabricError::Nonsense(format!("later than {LONGEST:?}")));
        }
        if self.bytes_per_second == Some(0) {
            return Err(FabricError::Nonsense("0 bytes a second: cut it".into()));
        }
        Ok(())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Node(id) => write!(f, "node {id}"),
            Host::Frontend(at) => write!(f, "frontend {at}"),
            Host::Client => f.write_str("client"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change {
            from,
            to,
            link,
            why,
            after,
            ..
        } = self;
        write!(
            f,
            "{:.3} s: {from} -> {to}: {link} ({why})",
            after.as_secs_f64()
        )
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut {
            return f.write_str("cut");
        }
        if *self == Link::default() {
            return f.write_str("perfect");
        }
        let mut said = Vec::new();
        if !self.delay.is_zero() || !self.jitter.is_zero() {
            said.push(format!("{:?} ± {:?}", self.delay, self.jitter));
        }
        for (part, name) in [
            (self.loss, "lost"),
            (self.duplicate, "doubled"),
            (self.reorder, "overtaken"),
        ] {
            if part > 0.0 {
                said.push(format!("{:.1} % {name}", part * 100.0));
            }
        }
        if let Some(rate) = self.bytes_per_second {
            said.push(format!("{rate} bytes/s"));
        }
        f.write_str(&said.join(", "))
    }
}
