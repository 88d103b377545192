//! What a seed expands into: the cluster, the load, and which classes of faults may happen.
//!
//! Swarm: each seed leaves some classes out, because faults can hide each other, and a run in
//! which everything breaks all the time shows little.

use crate::dice::Dice;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// A class of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A process is killed: what the kernel holds stays.
    Kill,
    /// Power fails: what was not synced is lost or torn; peers hear nothing.
    PowerCut,
    /// All nodes lose power at once.
    PowerCutAll,
    /// A node hands over and stops in order.
    Stop,
    /// Power fails in the middle of a write or sync.
    TornWrite,
    /// Nodes in two parts that cannot reach each other.
    Partition,
    /// Messages pass in one direction only.
    OneWay,
    /// Two parts that only one node can reach both of.
    Bridge,
    /// Messages are kept back and arrive later, all at once.
    Hold,
    /// Messages take long.
    Delay,
    /// Messages are lost at random.
    Loss,
    /// A leader is cut off from its followers while a frontend still reaches it.
    Deposed,
    /// As that, and the followers who backed it start again at that moment.
    LeaseTrap,
    /// A node's wall clock jumps.
    Clock,
    /// A disk is slow.
    SlowDisk,
    /// A sync fails: the process ends.
    SyncError,
    /// A write fails: the process ends.
    WriteError,
    /// The disk fills up.
    FullDisk,
    /// A write lands in another place.
    Misdirect,
    /// A bit flips in the log.
    BitFlip,
    /// A node loses its disk and is brought back under another incarnation.
    Wipe,
    /// A node loses its ledger store but not its log.
    LostStore,
    /// Leadership is handed over.
    Transfer,
    /// A node is down until the log it needs is purged, and must be sent a snapshot.
    Lag,
    /// A node dies at a named place of the code.
    Failpoint,
}

/// All of them.
pub(crate) const CLASSES: [Class; 25] = [
    Class::Kill,
    Class::PowerCut,
    Class::PowerCutAll,
    Class::Stop,
    Class::TornWrite,
    Class::Partition,
    Class::OneWay,
    Class::Bridge,
    Class::Hold,
    Class::Delay,
    Class::Loss,
    Class::Deposed,
    Class::LeaseTrap,
    Class::Clock,
    Class::SlowDisk,
    Class::SyncError,
    Class::WriteError,
    Class::FullDisk,
    Class::Misdirect,
    Class::BitFlip,
    Class::Wipe,
    Class::LostStore,
    Class::Transfer,
    Class::Lag,
    Class::Failpoint,
];

/// How the run with one seed is set up.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) seed: u64,
    pub(crate) nodes: u64,
    /// Groups beside the directory, with a partner in each.
    pub(crate) groups: u32,
    /// Sessions on each of the two frontends.
    pub(crate) sessions: u64,
    /// Wallets of each partner.
    pub(crate) wallets: u64,
    /// The longest a session rests between two requests.
    pub(crate) rest: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) election: (Duration, Duration),
    pub(crate) latency: (Duration, Duration),
    pub(crate) checkpoint: Duration,
    pub(crate) keep_checkpoints: usize,
    /// How long faults go on.
    pub(crate) chaos: Duration,
    /// The longest time between the beginnings of two faults.
    pub(crate) pace: Duration,
    pub(crate) classes: BTreeSet<Class>,
}

impl Config {
    /// The same for the same seed, always.
    pub(crate) fn of(seed: u64) -> Config {
        let mut dice = Dice::new(seed, "config");
        let heartbeat = dice.between(60, 150);
        let election = heartbeat * dice.between(3, 5);
        let slow = dice.between(1, 12);
        let mut classes = CLASSES.to_vec();
        dice.shuffle(&mut classes);
        // A few, about half, or nearly all.
        let kept = match dice.roll(3) {
            0 => dice.between(2, 5),
            1 => dice.between(8, 14),
            _ => dice.between(18, 25),
        };
        let kept = usize::try_from(kept).unwrap_or(classes.len());
        Config {
            seed,
            nodes: if dice.chance(70) { 3 } else { 5 },
            groups: if dice.chance(70) { 1 } else { 2 },
            sessions: dice.between(2, 6),
            wallets: dice.between(1, 5),
            rest: Duration::from_millis(dice.between(5, 120)),
            heartbeat: Duration::from_millis(heartbeat),
            election: (
                Duration::from_millis(election),
                Duration::from_millis(election * 3 / 2),
            ),
            latency: (
                Duration::from_millis(1),
                Duration::from_millis(slow.min(heartbeat / 4)),
            ),
            checkpoint: Duration::from_millis(dice.between(400, 3_000)),
            keep_checkpoints: usize::try_from(dice.between(1, 3)).unwrap_or(1),
            chaos: Duration::from_millis(dice.between(8_000, 14_000)),
            pace: Duration::from_millis(dice.between(300, 2_000)),
            classes: classes.into_iter().take(kept).collect(),
        }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} nodes, {} groups, 2 frontends with {} sessions each, {} wallets, rests up to {:?}",
            self.seed, self.nodes, self.groups, self.sessions, self.wallets, self.rest
        )?;
        writeln!(
            f,
            "  heartbeat {:?}, elections {:?}, messages take {:?}, checkpoints every {:?} ({} kept)",
            self.heartbeat, self.election, self.latency, self.checkpoint, self.keep_checkpoints
        )?;
        write!(
            f,
            "  faults for {:?}, at most {:?} apart: {:?}",
            self.chaos, self.pace, self.classes
        )
    }
}
