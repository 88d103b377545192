//! Every mutant, and what it does.

use crate::sites::same;

/// A known mistake that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutant {
    /// Its name, in `mutant!` and in orders.
    pub name: &'static str,
    /// What the product does wrongly with it.
    pub what: &'static str,
    /// False if the product lacks what the mistake would be made in.
    pub live: bool,
}

const fn live(name: &'static str, what: &'static str) -> Mutant {
    let live = true;
    Mutant { name, what, live }
}

/// The number of a mutant in [`MUTANTS`]. Fails to compile for a name that is not there.
pub const fn mutant_number(name: &str) -> usize {
    let mut number = 0;
    while number < MUTANTS.len() {
        if same(MUTANTS[number].name, name) {
            return number;
        }
        number += 1;
    }
    panic!("no mutant has this name: see MUTANTS")
}

/// All mutants.
pub const MUTANTS: &[Mutant] = &[
    live(
        "acknowledge-before-commit",
        "the leader counts an entry as held by a peer as soon as it is sent, and answers",
    ),
    live(
        "flush-without-fsync",
        "the log reports a round as durable after the write, without the sync",
    ),
    live(
        "go-on-after-failed-fsync",
        "the log takes a failed sync for a success and goes on",
    ),
    live(
        "vote-not-persisted",
        "a vote is reported as saved but not written into the log",
    ),
    live(
        "keys-left-out-of-snapshot",
        "a replica that installs a snapshot does not take over the remembered keys",
    ),
    live(
        "duplicates-caught-in-frontend-only",
        "the ledger forgets keys; each frontend remembers the answers that it gave itself",
    ),
    live(
        "key-recorded-apart",
        "the journal with the keys and the balances are written in two batches",
    ),
    live(
        "stale-read-from-paused-leader",
        "a leader answers reads without looking at its lease",
    ),
    live(
        "wall-clock-in-apply",
        "each replica applies a batch at the time of its own clock",
    ),
    live(
        "hash-map-order-in-apply",
        "each replica applies the commands of a batch in the order of a hash map",
    ),
    Mutant {
        name: "credit-without-debit-across-shards",
        what: "a transfer across shards credits one side and drops the debit of the other",
        live: false,
    },
    live(
        "checksums-off",
        "records of the log and snapshots are taken without comparing their checksums",
    ),
    live(
        "time-out-reported-as-failure",
        "a payment whose outcome is unknown is answered as one that was surely not made",
    ),
    live(
        "state-ahead-of-log",
        "the store is written without waiting until the log holds the entries durably",
    ),
    live(
        "lease-kept-across-restart",
        "a node that starts grants votes at once, though leases given before still hold",
    ),
];
