//! What can be injected: one name for each class of faults, with its settings.

use super::Target;
use serde::Deserialize;

/// What is done.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "class", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Inject {
    /// SIGKILL; started again when it is healed.
    Kill {},
    /// SIGSTOP; SIGCONT when it is healed. Its connections stay open meanwhile.
    Pause {},
    /// SIGTERM, and started again: what a rolling restart does to each node.
    Restart {},
    /// Nothing passes between it and the other processes, either way.
    Cut {},
    /// Nothing passes one way.
    CutOneWay {
        /// Which way.
        way: Way,
    },
    /// The nodes are halves that see each other only through one node, the bridge. The leader is
    /// in a half.
    Bridge {},
    /// Its links are cut and whole in turn.
    Flapping {
        /// Milliseconds of each.
        period_ms: u64,
    },
    /// Packets arrive later.
    Delay {
        /// Milliseconds one way.
        ms: u64,
        /// How far it may lie from that.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// Packets are lost.
    Loss {
        /// How many.
        percent: f64,
    },
    /// Packets are overtaken.
    Reorder {
        /// How many.
        percent: f64,
    },
    /// Packets arrive twice.
    Duplicate {
        /// How many.
        percent: f64,
    },
    /// Little passes in a second.
    Throttle {
        /// How much.
        kib_per_second: u64,
    },
    /// Each sync of its log takes longer.
    SlowDisk {
        /// Milliseconds.
        ms: u64,
    },
    /// The next sync of its log fails.
    FsyncError {},
    /// The next write of its log fails.
    WriteError {},
    /// No room is left on its disk.
    DiskFull {},
    /// Its machine loses power: the process ends, and what was not synced is lost.
    PowerCut {},
    /// Bits of its log that were written are the other way round when it starts again.
    BitFlips {
        /// How many.
        bits: u32,
        /// In which of its files.
        #[serde(default)]
        part: Files,
    },
    /// Its log ends early when it starts again.
    TruncatedLog {},
    /// The last write of its log was torn.
    TornLog {},
    /// A sector of its log that was synced is zeros.
    LostWrite {},
    /// Its disk is empty; it is brought back as operators do it.
    DiskWiped {},
    /// Its wall clock is wrong.
    ClockJump {
        /// By so many seconds; negative: back.
        seconds: i64,
    },
    /// The process ends itself at a failpoint that is made to be reached.
    Crash {
        /// While it does what.
        during: Joint,
    },
    /// More sessions than the cluster can serve, on books of their own.
    Overload {
        /// How many.
        sessions: usize,
    },
    /// Sessions that all pay from and to one account.
    HotAccount {
        /// How many.
        sessions: usize,
    },
}

/// Which way nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// It hears nobody, and everybody hears it.
    In,
    /// It hears everybody, and nobody hears it.
    Out,
}

/// Which files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Files {
    /// Of the log.
    #[default]
    Log,
    /// Of the ledger store.
    Store,
}

/// What a process is doing when it ends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Joint {
    /// The leader sends a snapshot to a follower that was down for long.
    SendingSnapshot,
    /// A follower that was down for long installs a snapshot.
    InstallingSnapshot,
    /// It purges its log.
    Purging,
    /// The leader takes a node out of the group, or in.
    ChangingMembership,
}

impl Inject {
    /// The class, as scenarios and reports name it.
    pub fn class(&self) -> &'static str {
        match self {
            Inject::Kill {} => "kill",
            Inject::Pause {} => "pause",
            Inject::Restart {} => "restart",
            Inject::Cut {} => "cut",
            Inject::CutOneWay { .. } => "cut-one-way",
            Inject::Bridge {} => "bridge",
            Inject::Flapping { .. } => "flapping",
            Inject::Delay { .. } => "delay",
            Inject::Loss { .. } => "loss",
            Inject::Reorder { .. } => "reorder",
            Inject::Duplicate { .. } => "duplicate",
            Inject::Throttle { .. } => "throttle",
            Inject::SlowDisk { .. } => "slow-disk",
            Inject::FsyncError {} => "fsync-error",
            Inject::WriteError {} => "write-error",
            Inject::DiskFull {} => "disk-full",
            Inject::PowerCut {} => "power-cut",
            Inject::BitFlips { .. } => "bit-flips",
            Inject::TruncatedLog {} => "truncated-log",
            Inject::TornLog {} => "torn-log",
            Inject::LostWrite {} => "lost-write",
            Inject::DiskWiped {} => "disk-wiped",
            Inject::ClockJump { .. } => "clock-jump",
            Inject::Crash { during } => during.class(),
            Inject::Overload { .. } => "overload",
            Inject::HotAccount { .. } => "hot-account",
        }
    }

    /// Whether it is done to links.
    pub fn needs_network(&self) -> bool {
        matches!(
            self,
            Inject::Cut {}
                | Inject::CutOneWay { .. }
                | Inject::Bridge {}
                | Inject::Flapping { .. }
                | Inject::Delay { .. }
                | Inject::Loss { .. }
                | Inject::Reorder { .. }
                | Inject::Duplicate { .. }
                | Inject::Throttle { .. }
        )
    }

    /// Whether it needs a fabric that carries packets.
    pub fn needs_packets(&self) -> bool {
        matches!(
            self,
            Inject::Loss { .. } | Inject::Reorder { .. } | Inject::Duplicate { .. }
        )
    }

    /// Whether it needs a disk whose power can be cut.
    pub fn needs_power(&self) -> bool {
        matches!(self, Inject::PowerCut {})
    }

    /// Whether it needs a disk that can fill up.
    pub fn needs_small_disk(&self) -> bool {
        matches!(self, Inject::DiskFull {})
    }

    /// Whether it needs a `florin` that was built with failpoints.
    pub fn needs_failpoints(&self) -> bool {
        matches!(
            self,
            Inject::SlowDisk { .. }
                | Inject::FsyncError {}
                | Inject::WriteError {}
                | Inject::ClockJump { .. }
                | Inject::Crash { .. }
        )
    }

    /// Whether copies of data are destroyed by it.
    pub fn destroys(&self) -> bool {
        matches!(
            self,
            Inject::BitFlips { .. }
                | Inject::TruncatedLog {}
                | Inject::TornLog {}
                | Inject::LostWrite {}
                | Inject::DiskWiped {}
        )
    }

    /// Whether it makes sense to do it to them.
    pub(super) fn allows(&self, target: Target) -> bool {
        match self {
            Inject::Overload { .. } | Inject::HotAccount { .. } => target == Target::Clients,
            Inject::Bridge {} => target == Target::Leader,
            Inject::Kill {} | Inject::Pause {} | Inject::Restart {} => {
                !matches!(target, Target::Links | Target::Clients)
            }
            Inject::Delay { .. }
            | Inject::Loss { .. }
            | Inject::Reorder { .. }
            | Inject::Duplicate { .. }
            | Inject::Throttle { .. } => !matches!(target, Target::Clients | Target::Each),
            Inject::Cut {} | Inject::CutOneWay { .. } | Inject::Flapping { .. } => {
                !matches!(target, Target::Clients | Target::Links | Target::All)
            }
            Inject::Crash { during } => match during {
                Joint::SendingSnapshot | Joint::ChangingMembership => target == Target::Leader,
                Joint::InstallingSnapshot => target == Target::Follower,
                Joint::Purging => matches!(target, Target::Leader | Target::Follower),
            },
            // What is left is done to nodes.
            _ => !matches!(
                target,
                Target::Links | Target::Clients | Target::Frontend | Target::LeaderRegion
            ),
        }
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let percent = match self {
            Inject::Loss { percent }
            | Inject::Reorder { percent }
            | Inject::Duplicate { percent } => *percent,
            _ => 1.0,
        };
        if !(0.0 < percent && percent <= 100.0) {
            return Err((
                "fault.inject.percent",
                "must be above 0, at most 100".into(),
            ));
        }
        match self {
            Inject::Flapping { period_ms: 0..50 } => Err((
                "fault.inject.period_ms",
                "must be at least 50: connections take that long".into(),
            )),
            Inject::Throttle { kib_per_second: 0 } => {
                Err(("fault.inject.kib_per_second", "must be at least 1".into()))
            }
            Inject::Overload { sessions: 0 } | Inject::HotAccount { sessions: 0 } => {
                Err(("fault.inject.sessions", "must be at least 1".into()))
            }
            _ => Ok(()),
        }
    }
}

impl Joint {
    fn class(self) -> &'static str {
        match self {
            Joint::SendingSnapshot => "killed-sending-snapshot",
            Joint::InstallingSnapshot => "killed-installing-snapshot",
            Joint::Purging => "killed-purging",
            Joint::ChangingMembership => "killed-changing-membership",
        }
    }
}
