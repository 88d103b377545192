//! *raft*: a term of a group has one leader at most, as far as it is seen from outside. That logs
//! match and that committed entries never change is checked where logs can be seen, in simulation.

use crate::history::History;
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::BTreeMap;

/// Compares who was seen to lead.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("raft");
    let mut terms: BTreeMap<(u64, u64), &str> = BTreeMap::new();
    for seen in &history.leaders {
        let Some(node) = &seen.node else { continue };
        let (group, term) = (seen.group, seen.term);
        let first = *terms.entry((group, term)).or_insert(node);
        if first != *node {
            wrongs.books(format_args!(
                "group {group} had two leaders in term {term}: {first} and, at {} us, {node}",
                seen.at
            ));
        }
    }
    let otherwise = match terms.len() {
        0 => Finding::Inconclusive("nobody looked who leads".into()),
        count => Finding::Pass(format!("{count} terms, one leader in each")),
    };
    wrongs.or(history, otherwise)
}
