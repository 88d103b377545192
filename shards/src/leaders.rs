//! Who leads which group, as far as is known. Only a guess, corrected by whoever is asked.

use florin_ledger::id::{GroupId, NodeId};
use parking_lot::RwLock;
use std::collections::HashMap;
use tokio::sync::watch;

/// The known leaders, and a way to hear of changes.
#[derive(Debug)]
pub(crate) struct Leaders {
    known: RwLock<HashMap<GroupId, Known>>,
    changes: watch::Sender<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    term: u64,
    node: Option<NodeId>,
}

impl Leaders {
    pub(crate) fn new() -> Leaders {
        Leaders {
            known: RwLock::default(),
            changes: watch::Sender::new(0),
        }
    }

    pub(crate) fn of(&self, group: GroupId) -> Option<NodeId> {
        self.known.read().get(&group).and_then(|known| known.node)
    }

    /// A replica says who leads in its term. News of an older term than what is known is old.
    pub(crate) fn learn(&self, group: GroupId, term: u64, node: Option<NodeId>) {
        let newer = self.change(group, |known| {
            // Within a term there is one leader, so a replica that does not know it has less to say.
            if term > known.term || (term == known.term && node.is_some()) {
                *known = Known { term, node };
            }
        });
        if newer {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// A replica that was asked said who leads, without its term. Wakes nobody: replicas that
    /// point at each other during an election would keep everyone awake.
    pub(crate) fn hinted(&self, group: GroupId, node: NodeId) {
        self.change(group, |known| known.node = Some(node));
    }

    /// This node was taken for the leader, and is not or cannot be reached.
    pub(crate) fn not(&self, group: GroupId, node: NodeId) {
        self.change(group, |known| {
            if known.node == Some(node) {
                known.node = None;
            }
        });
    }

    /// Wakes when some group has a new leader.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Says whether another leader is known now.
    fn change(&self, group: GroupId, how: impl FnOnce(&mut Known)) -> bool {
        let mut known = self.known.write();
        let entry = known.entry(group).or_default();
        let before = *entry;
        how(entry);
        entry.node.is_some() && *entry != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: GroupId = GroupId(3);
    const X: NodeId = NodeId(1);
    const Y: NodeId = NodeId(2);

    #[test]
    fn newer_terms_win() {
        let leaders = Leaders::new();
        let changes = leaders.changes();
        leaders.learn(G, 5, Some(X));
        assert!(changes.has_changed().unwrap());
        assert_eq!(leaders.of(G), Some(X));
        leaders.learn(G, 4, Some(Y));
        leaders.learn(G, 5, None);
        assert_eq!(
            leaders.of(G),
            Some(X),
            "an older term and a replica that knows less change nothing"
        );
        leaders.learn(G, 6, None);
        assert_eq!(leaders.of(G), None, "an election is on");
        leaders.learn(G, 5, Some(X));
        assert_eq!(leaders.of(G), None);
        leaders.learn(G, 6, Some(Y));
        assert_eq!(leaders.of(G), Some(Y));
        leaders.not(G, X);
        assert_eq!(leaders.of(G), Some(Y));
        leaders.not(G, Y);
        assert_eq!(leaders.of(G), None);
        leaders.hinted(G, X);
        assert_eq!(leaders.of(G), Some(X));
    }
}
