//! *agreement*: replicas of a group that applied the same entries have the same state, by its hash.
//!
//! The final books are read from one replica of each group; equal hashes on all of them are what
//! ties the others to these books.

use crate::history::{History, Replica};
use crate::verdict::{Finding, Verdict, Wrongs};
use std::collections::{BTreeMap, BTreeSet};

/// Compares the hashes of each group's replicas.
pub fn check(history: &History) -> Verdict {
    let mut wrongs = Wrongs::new("agreement");
    let mut groups: BTreeMap<u64, Vec<&Replica>> = BTreeMap::new();
    for replica in &history.replicas {
        groups.entry(replica.group).or_default().push(replica);
    }
    let mut lack = None;
    for (group, replicas) in &groups {
        disagree(*group, replicas, &mut wrongs);
        lack = lack.or_else(|| lacking(*group, replicas));
    }
    let otherwise = match (lack, groups.len()) {
        (Some(lack), _) => Finding::Inconclusive(lack),
        (None, 0) => Finding::Inconclusive("no replica said what its state is".into()),
        (None, count) => {
            let fewest = groups.values().map(|replicas| nodes(replicas).len()).min();
            let fewest = fewest.unwrap_or_default();
            Finding::Pass(format!(
                "{count} groups, {fewest} equal replicas or more of each"
            ))
        }
    };
    wrongs.or(history, otherwise)
}

/// The final states of the groups that the books were read from, in words; nothing if they are not
/// known to be equal on all replicas.
pub(super) fn proven(history: &History) -> Option<String> {
    match check(history).finding {
        Finding::Pass(found) => Some(found),
        Finding::Fail { .. } | Finding::Inconclusive(_) => None,
    }
}

fn disagree(group: u64, replicas: &[&Replica], wrongs: &mut Wrongs) {
    let mut first: BTreeMap<u64, (&Replica, &str)> = BTreeMap::new();
    for replica in replicas {
        let Some(hash) = &replica.hash else { continue };
        let (other, seen) = *first.entry(replica.applied).or_insert((replica, hash));
        if seen != hash {
            wrongs.books(format_args!(
                "group {group} at entry {}: {} has the state {seen}, {} has {hash}",
                replica.applied, other.node, replica.node
            ));
        }
    }
}

/// What is missing to say that all of them ended alike.
fn lacking(group: u64, replicas: &[&Replica]) -> Option<String> {
    let last = replicas.iter().map(|replica| replica.applied).max()?;
    let there = |replica: &&&Replica| replica.applied == last && replica.hash.is_some();
    let ended: BTreeSet<&str> = replicas
        .iter()
        .filter(there)
        .map(|one| &*one.node)
        .collect();
    let missing = nodes(replicas)
        .into_iter()
        .find(|node| !ended.contains(node));
    if let Some(node) = missing {
        return Some(format!(
            "{node} did not say its state of group {group} at entry {last}"
        ));
    }
    (ended.len() < 2).then(|| format!("only one replica of group {group} was asked"))
}

fn nodes<'a>(replicas: &[&'a Replica]) -> BTreeSet<&'a str> {
    replicas.iter().map(|replica| &*replica.node).collect()
}
