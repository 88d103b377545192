//! Which directed test notices which mistake.

/// A test of the product's own suites that must fail with a mistake planted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Killer {
    pub(super) mutant: &'static str,
    pub(super) package: &'static str,
    /// The test program: cargo's name of its target.
    pub(super) target: &'static str,
    /// `room: path::of::the::test`.
    pub(super) test: &'static str,
}

impl Killer {
    /// The test's path in its program.
    pub(super) fn name(&self) -> &'static str {
        self.test.split(": ").last().unwrap_or(self.test)
    }
}

const fn log(mutant: &'static str, test: &'static str) -> Killer {
    let (package, target) = ("florin-storage", "log");
    Killer {
        mutant,
        package,
        target,
        test,
    }
}

const fn storage(mutant: &'static str, test: &'static str) -> Killer {
    let (package, target) = ("florin-storage", "florin_storage");
    Killer {
        mutant,
        package,
        target,
        test,
    }
}

const fn raft(mutant: &'static str, test: &'static str) -> Killer {
    let (package, target) = ("florin-raft", "cluster");
    Killer {
        mutant,
        package,
        target,
        test,
    }
}

const fn shards(mutant: &'static str, test: &'static str) -> Killer {
    let (package, target) = ("florin-shards", "florin_shards");
    Killer {
        mutant,
        package,
        target,
        test,
    }
}

/// At least one for each mutant that lives.
pub(super) const KILLERS: &[Killer] = &[
    raft(
        "acknowledge-before-commit",
        "raft: frozen::what_the_peers_do_not_keep_is_not_acknowledged",
    ),
    log(
        "flush-without-fsync",
        "storage: model::a_restart_finds_what_was_answered_and_nothing_invented",
    ),
    log(
        "go-on-after-failed-fsync",
        "storage: failing::after_a_failed_sync_or_write_nothing_succeeds",
    ),
    raft(
        "vote-not-persisted",
        "raft: failures::no_node_forgets_a_term_that_it_has_seen",
    ),
    storage(
        "keys-left-out-of-snapshot",
        "storage: replica::tests::snapshots::a_snapshot_taken_under_load_installs_as_of_its_position",
    ),
    raft(
        "duplicates-caught-in-frontend-only",
        "raft: failures::what_was_acknowledged_survives_the_leaders_death",
    ),
    storage(
        "key-recorded-apart",
        "storage: replica::tests::crashes::a_crash_while_persisting_loses_nothing_that_the_log_still_has",
    ),
    raft(
        "stale-read-from-paused-leader",
        "raft: frozen::a_frozen_leader_answers_no_read_that_is_stale",
    ),
    raft(
        "wall-clock-in-apply",
        "raft: failures::what_was_acknowledged_survives_the_leaders_death",
    ),
    raft(
        "hash-map-order-in-apply",
        "raft: life::many_callers_are_answered_each",
    ),
    log(
        "checksums-off",
        "storage: damage::a_flipped_bit_anywhere_is_seen",
    ),
    shards(
        "time-out-reported-as-failure",
        "shards: tests::routing::the_deadline_is_told_truthfully",
    ),
    raft(
        "state-ahead-of-log",
        "raft: frozen::a_ledger_is_never_ahead_of_its_log",
    ),
    raft(
        "lease-kept-across-restart",
        "raft: frozen::a_node_that_comes_back_while_a_lease_may_hold_makes_no_leader",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use florin_failpoints::MUTANTS;

    #[test]
    fn every_living_mutant_has_a_killer_and_no_killer_hunts_another() {
        for mutant in MUTANTS {
            let hunted = KILLERS.iter().any(|killer| killer.mutant == mutant.name);
            assert_eq!(hunted, mutant.live, "{}", mutant.name);
        }
        for killer in KILLERS {
            let known = MUTANTS.iter().any(|mutant| mutant.name == killer.mutant);
            assert!(known, "{killer:?}");
        }
    }
}
