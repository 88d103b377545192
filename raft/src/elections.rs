//! When followers stand for election, and how long they keep to the leader they have.
//!
//! openraft takes one pair of numbers for two things: a follower keeps to its leader, refusing its
//! vote to others, for the *greater* one; and only after that it waits, for a time drawn from
//! between the two, before it stands itself. Given the times that an operator means, 400 to 700 ms,
//! it would stand after 1,100 to 1,400. So the time meant is divided: the first half is the
//! leader's lease, and what is drawn is the rest.

use crate::limits;
use crate::options::HostOptions;
use std::time::Duration;

/// What openraft is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elections {
    /// How long a leader that was heard of is kept to. Reads rely on it.
    pub(crate) lease: Duration,
    /// The shortest time waited beyond that; the longest is as long as the lease. Votes have as
    /// long to arrive.
    pub(crate) least: Duration,
}

impl Elections {
    pub(crate) fn of(options: &HostOptions) -> Elections {
        let (min, max) = options.election_timeout;
        // Two heartbeats may be lost or late, whatever was configured.
        let lease = (max / 2).max(options.heartbeat * 5 / 2);
        let least = min.saturating_sub(lease).max(options.heartbeat * 3 / 2);
        // Both are drawn from, in whole milliseconds: there must be something between.
        let least = least.min(lease.saturating_sub(Duration::from_millis(2)));
        Elections { lease, least }
    }

    /// How old a quorum's acknowledgement may be for a read that asks nobody.
    pub(crate) fn for_reads(&self) -> Duration {
        self.lease * limits::LEASE_PART.0 / limits::LEASE_PART.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use florin_ledger::id::NodeId;

    #[test]
    fn followers_stand_within_the_time_that_is_meant() {
        // heartbeat, meant; lease, and the time within which a follower stands.
        let rows = [
            (100, (400, 700), 350, (500, 700)),
            (150, (600, 900), 450, (675, 900)),
            (150, (500, 900), 450, (675, 900)),
            (250, (750, 1_500), 750, (1_125, 1_500)),
            (50, (150, 300), 150, (225, 300)),
            (50, (900, 1_000), 500, (900, 1_000)),
            // Too short for its heartbeat: never at the cost of a leader that is well.
            (200, (400, 410), 500, (800, 1_000)),
        ];
        for (heartbeat, (min, max), lease, stands) in rows {
            let millis = Duration::from_millis;
            let mut options = HostOptions::new(NodeId(1), "c", 1, "r", "a:1");
            options.heartbeat = millis(heartbeat);
            options.election_timeout = (millis(min), millis(max));
            let elections = Elections::of(&options);
            assert_eq!(elections.lease, millis(lease), "{min} {max}");
            let found = (elections.lease + elections.least, elections.lease * 2);
            assert_eq!(found, (millis(stands.0), millis(stands.1)), "{min} {max}");
            assert!(elections.for_reads() < elections.lease);
        }
    }
}
