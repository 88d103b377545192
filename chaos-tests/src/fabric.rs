//! The network between the processes of a cluster, which can be broken.
//!
//! Two fabrics stand behind one trait: [`tun`] gives every process a network namespace and carries
//! their IP packets itself, so that packets can be lost, late, doubled and out of order; it needs
//! root. [`proxy`] needs nothing: connections pass through it byte by byte, which can be cut, late
//! and slow. What befalls a packet is drawn from the fabric's seed, for each link by itself; every
//! change of a link is written down with its time and reason, and every link counts what passed.

pub mod dice;
pub mod lane;
pub mod lanes;
pub mod link;
pub mod proxy;
pub mod tun;

pub use link::{Change, Counters, Host, Link};

use std::fmt;

/// Why a link was not changed: one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FabricError {
    /// This fabric cannot do it; another might.
    #[error("the {fabric} fabric cannot {what}")]
    Unable {
        /// Which fabric.
        fabric: &'static str,
        /// What was asked for.
        what: String,
    },
    /// There is no such link.
    #[error("no link from {from} to {to}")]
    NoLink {
        /// Who sends.
        from: Host,
        /// Who receives.
        to: Host,
    },
    /// The link's numbers make no sense.
    #[error("not a link: {0}")]
    Nonsense(String),
}

/// The network of a cluster: directed links between its hosts.
pub trait Fabric: Send + Sync + fmt::Debug {
    /// `tun` or `proxy`.
    fn kind(&self) -> &'static str;

    /// Who is connected.
    fn hosts(&self) -> Vec<Host>;

    /// Whether links can be made like this one.
    fn can(&self, link: &Link) -> Result<(), FabricError>;

    /// Makes the link from one host to another like this. What is under way already stays so.
    fn set(&self, from: Host, to: Host, link: Link, why: &str) -> Result<(), FabricError>;

    /// What the link is like now.
    fn link(&self, from: Host, to: Host) -> Result<Link, FabricError>;

    /// What it carried so far.
    fn counters(&self, from: Host, to: Host) -> Result<Counters, FabricError>;

    /// Every change so far, in order.
    fn changes(&self) -> Vec<Change>;

    /// Makes every link that is not so a perfect one.
    fn heal_all(&self, why: &str) {
        let hosts = self.hosts();
        for from in &hosts {
            for to in &hosts {
                let impaired = self
                    .link(*from, *to)
                    .is_ok_and(|link| link != Link::default());
                if impaired {
                    let _perfect_links_are_always_possible =
                        self.set(*from, *to, Link::default(), why);
                }
            }
        }
    }
}
