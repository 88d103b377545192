//! What the records written so far say about each group.
//!
//! The writer keeps these books as it writes, and recovery keeps them as it reads: the same code,
//! so a summary written at the start of a segment is what a reader of all earlier segments knows.

use super::limits::SUMMARY_BYTES_PER_GROUP;
use crate::position::LogPosition;
use florin_ledger::id::GroupId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// One change, as a record tells it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    Entry(LogPosition),
    Mend(LogPosition),
    Vote(&'a [u8]),
    Truncate(Option<LogPosition>),
    Purge(LogPosition),
    Create,
    Remove,
}

/// The state of one group, as a summary holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupState {
    pub(super) vote: Option<Vec<u8>>,
    pub(super) purged: Option<LogPosition>,
    /// The index of the first entry that is there; none if there are no entries.
    pub(super) first: Option<u64>,
    pub(super) last: Option<LogPosition>,
    /// Found damaged at an earlier start.
    pub(super) faulty: bool,
}

/// One group: its state, and which segments hold its entries.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupBook {
    pub(super) state: GroupState,
    extents: VecDeque<Extent>,
}

/// A run of entries in one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    segment: u64,
    first: u64,
    last: u64,
}

/// All groups.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    pub(super) groups: BTreeMap<GroupId, GroupBook>,
}

impl Books {
    /// The books at the start of a segment, by its summary.
    pub(super) fn from_summary(bytes: &[u8]) -> Option<Books> {
        let states: Vec<(GroupId, GroupState)> = postcard::from_bytes(bytes).ok()?;
        let groups = states.into_iter().map(|(group, state)| {
            let extents = VecDeque::new();
            (group, GroupBook { state, extents })
        });
        Some(Books {
            groups: groups.collect(),
        })
    }

    /// The summary for the start of a segment.
    pub(super) fn summary(&self) -> Vec<u8> {
        let states: Vec<_> = self.groups.iter().map(|(id, g)| (id, &g.state)).collect();
        let bytes = postcard::to_stdvec(&states).unwrap_or_default();
        assert!(bytes.len() <= Self::summary_bound(self.groups.len()) && !bytes.is_empty());
        bytes
    }

    /// The length that a summary of so many groups has at most.
    pub(super) fn summary_bound(groups: usize) -> usize {
        16 + groups * SUMMARY_BYTES_PER_GROUP
    }

    /// Enters one record of `segment`. An error says what does not fit with the records before.
    pub(super) fn enter(
        &mut self,
        group: GroupId,
        change: Change<'_>,
        segment: u64,
    ) -> Result<(), String> {
        match change {
            Change::Create => match self.groups.insert(group, GroupBook::default()) {
                None => Ok(()),
                Some(_) => Err("created twice".into()),
            },
            Change::Remove => match self.groups.remove(&group) {
                Some(_) => Ok(()),
                None => Err("removed but never created".into()),
            },
            change => match self.groups.get_mut(&group) {
                Some(book) => book.enter(change, segment),
                None => Err("has records but was never created".into()),
            },
        }
    }

    /// The oldest segment that holds an entry somebody needs, and the group that needs it.
    pub(super) fn oldest_needed(&self) -> Option<(u64, GroupId)> {
        let needed = self.groups.iter().filter_map(|(group, book)| {
            let first = book.extents.front()?;
            Some((first.segment, *group))
        });
        needed.min()
    }
}

impl GroupBook {
    fn enter(&mut self, change: Change<'_>, segment: u64) -> Result<(), String> {
        let state = &mut self.state;
        match change {
            Change::Entry(position) => {
                if let Some(expected) = state.next_index()
                    && expected != position.index
                {
                    let found = position.index;
                    return Err(format!("entry {found} where {expected} should follow"));
                }
                state.first.get_or_insert(position.index);
                state.last = Some(position);
                match self.extents.back_mut() {
                    Some(extent) if extent.segment == segment => extent.last = position.index,
                    _ => self.extents.push_back(Extent {
                        segment,
                        first: position.index,
                        last: position.index,
                    }),
                }
            }
            Change::Mend(position) => {
                // Its first record stands in an earlier segment, which goes before this one does.
                let last = state.last.map(|last| last.index);
                let held = state.first <= Some(position.index) && last >= Some(position.index);
                if !held {
                    return Err(format!("entry {position} is mended, and was never there"));
                }
            }
            Change::Vote(vote) => state.vote = Some(vote.to_vec()),
            Change::Truncate(kept) => {
                state.last = kept;
                if state.first > kept.map(|kept| kept.index) {
                    state.first = None;
                }
                self.drop_after(kept.map(|kept| kept.index));
            }
            Change::Purge(upto) => {
                state.purged = Some(upto);
                state.last = state.last.filter(|last| last.index > upto.index);
                state.first = state
                    .first
                    .filter(|_| state.last.is_some())
                    .map(|first| first.max(upto.index + 1));
                state.last = state.last.or(Some(upto));
                self.drop_up_to(upto.index);
            }
            Change::Create | Change::Remove => {}
        }
        Ok(())
    }

    fn drop_after(&mut self, kept: Option<u64>) {
        while let Some(extent) = self.extents.back_mut() {
            if kept.is_some_and(|kept| kept >= extent.first) {
                extent.last = extent.last.min(kept.unwrap_or(0));
                return;
            }
            self.extents.pop_back();
        }
    }

    fn drop_up_to(&mut self, upto: u64) {
        while let Some(extent) = self.extents.front_mut() {
            if extent.last > upto {
                extent.first = extent.first.max(upto + 1);
                return;
            }
            self.extents.pop_front();
        }
    }

    /// Whether the segments at hand hold every entry that should be there.
    pub(super) fn is_covered(&self) -> bool {
        self.state.first == self.extents.front().map(|extent| extent.first)
    }
}

impl GroupState {
    /// The index that the next entry must have; an empty log takes any.
    pub(super) fn next_index(&self) -> Option<u64> {
        self.last.map(|last| last.index + 1)
    }
}
