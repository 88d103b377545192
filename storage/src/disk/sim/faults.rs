//! What can go wrong with a simulated disk.

/// What shall go wrong. A counter says how many calls still go well.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The power fails at a later call that changes something; see [`SimDisk::power_cut`].
    ///
    /// [`SimDisk::power_cut`]: super::SimDisk::power_cut
    pub cut_after: Option<u64>,
    /// Writes fail with EIO from then on.
    pub fail_writes_after: Option<u64>,
    /// Syncs of files fail with EIO from then on; what was to be synced is not durable, and a
    /// later sync will not make it so.
    pub fail_syncs_after: Option<u64>,
    /// One write goes to this place instead of its own.
    pub misdirect: Option<Misdirected>,
    /// Reads that touch these bytes of the file fail with EIO.
    pub unreadable: Option<(String, u64)>,
}

/// A write that goes astray.
#[derive(Debug, Clone)]
pub struct Misdirected {
    /// How many writes go well before.
    pub after: u64,
    /// The file that is hit.
    pub name: String,
    /// Where it is hit.
    pub offset: u64,
}

/// What was asked of the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that change something, of any kind.
    pub changes: u64,
    /// Writes to files.
    pub writes: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Bytes written.
    pub bytes: u64,
}

impl Faults {
    /// Whether the counter has run out.
    pub(super) fn spend(left: &mut Option<u64>) -> bool {
        match left {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }
}

/// Numbers that look random and are not (splitmix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}
