//! When something is broken, and when it is mended again.

use crate::config::{Class, Config};
use crate::dice::Dice;
use crate::system;
use florin_chaos::history::Fault;
use florin_ledger::id::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Two hosts of the network.
pub(crate) type Pair = (String, String);

/// How something is mended.
#[derive(Clone, Debug)]
pub(crate) enum Mend {
    /// A computer that is down starts.
    Start(NodeId),
    /// A computer is killed and starts again, so that it reads what its disk holds.
    Restart(NodeId),
    /// Messages pass again.
    Repair(Vec<Pair>),
    /// What was kept back arrives.
    Release(Vec<Pair>),
    /// Messages take as long as usual.
    Hasten(Vec<Pair>),
    /// No message is lost by chance.
    Keep(Vec<Pair>),
    /// The wall clock is right.
    Clock(NodeId),
    /// The disk is fast.
    Speed(NodeId),
    /// The disk has room.
    Room(NodeId),
    /// The second half of a trap: those who backed the leader start again, and it is cut off.
    Spring(Trapped),
}

/// A leader in a trap.
#[derive(Clone, Debug)]
pub(crate) struct Trapped {
    pub(crate) leader: NodeId,
    /// Cannot hear the leader any more, and stands for election.
    pub(crate) rival: NodeId,
}

/// Everything that is broken, and the dice that decide what will be.
pub(crate) struct Chaos {
    pub(crate) dice: Dice,
    /// When something is broken next.
    pub(crate) next: Duration,
    pub(crate) active: bool,
    mends: Vec<(Duration, Mend)>,
    /// How often each class happened.
    pub(crate) counts: BTreeMap<Class, u64>,
    /// Computers whose disks may hold something else than what was written.
    pub(crate) damaged: BTreeSet<NodeId>,
    /// Computers that lost their ledger and have not got it back yet.
    pub(crate) lacking: BTreeSet<NodeId>,
    /// Pairs that cannot talk.
    pub(crate) cut: BTreeSet<Pair>,
}

impl Chaos {
    pub(crate) fn new(config: &Config) -> Chaos {
        Chaos {
            dice: Dice::new(config.seed, "faults"),
            next: Duration::ZERO,
            active: false,
            mends: Vec::new(),
            counts: BTreeMap::new(),
            damaged: BTreeSet::new(),
            lacking: BTreeSet::new(),
            cut: BTreeSet::new(),
        }
    }

    /// Milliseconds between two bounds.
    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.dice.between(low, high))
    }

    pub(crate) fn mend_at(&mut self, at: Duration, mend: Mend) {
        self.mends.push((at, mend));
    }

    /// What is to be mended by now, in the order in which it is due.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<Mend> {
        let mends = std::mem::take(&mut self.mends);
        let (mut due, later): (Vec<_>, Vec<_>) = mends.into_iter().partition(|(at, _)| *at <= now);
        self.mends = later;
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, mend)| mend).collect()
    }

    /// Whether this computer will start by itself.
    pub(crate) fn will_start(&self, node: NodeId) -> bool {
        let starts = |mend: &Mend| matches!(mend, Mend::Start(other) if *other == node);
        self.mends.iter().any(|(_, mend)| starts(mend))
    }

    /// Starts what would start later now.
    pub(crate) fn hurry(&mut self) {
        for (at, _) in &mut self.mends {
            *at = Duration::ZERO;
        }
    }
}

/// What is written into the history of something that was broken.
pub(crate) fn fault(class: Class, targets: &[String], what: String, lasts: Duration) -> Fault {
    let now = system::micros();
    let micros = u64::try_from(lasts.as_micros()).unwrap_or(0);
    Fault {
        what,
        class: format!("{class:?}"),
        targets: targets.to_vec(),
        began: now,
        ended: Some(now + micros),
        healed: Some(now + micros),
        evidence: Some("the simulation did it".to_owned()),
        ..Fault::default()
    }
}
