//! Lists in pages.

use super::{EntryPage, List, Page};
use crate::id::{Id, LedgerId, Timestamp};
use crate::limits;
use crate::object::{Account, Entry, Kind};
use crate::store::Records;
use std::ops::RangeInclusive;

/// How many objects a page has, whatever was asked for.
fn limit(asked: u16) -> usize {
    usize::from(asked).clamp(1, limits::PAGE)
}

/// What a page asks for: a range of identifiers, and from which end.
struct Part {
    range: RangeInclusive<Id>,
    newest_first: bool,
    limit: usize,
}

impl Part {
    fn of(page: &Page) -> Option<Part> {
        let mut low = Id(0);
        let mut high = Id(u128::MAX);
        if let Some(from) = page.created_from {
            low = Id::new(from.min(Timestamp::MAX), 0, 0);
        }
        if let Some(to) = page.created_to {
            high = Id::new(to.min(Timestamp::MAX), u16::MAX, u64::MAX);
        }
        if let Some(after) = page.starting_after {
            high = high.min(Id(after.0.checked_sub(1)?));
        }
        if let Some(before) = page.ending_before {
            low = low.max(Id(before.0.checked_add(1)?));
        }
        let backwards = page.ending_before.is_some() && page.starting_after.is_none();
        Some(Part {
            range: low..=high,
            newest_first: !backwards,
            limit: limit(page.limit),
        })
    }

    /// Of one object more than the page has, if there is one, in the direction of reading.
    fn list<T>(&self, mut items: Vec<T>) -> List<T> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        if !self.newest_first {
            items.reverse();
        }
        List { items, has_more }
    }
}

fn nothing<T>() -> List<T> {
    List {
        items: Vec::new(),
        has_more: false,
    }
}

/// How far the reading of a list has come.
pub(super) struct Walk {
    part: Option<Part>,
    rest: Option<RangeInclusive<Id>>,
}

impl Walk {
    /// Of a page.
    pub(super) fn of(page: &Page) -> Walk {
        let part = Part::of(page);
        let range = part.as_ref().map(|part| part.range.clone());
        Walk {
            part,
            rest: range.filter(|range| !range.is_empty()),
        }
    }

    /// Of everything from an identifier on, oldest first.
    pub(super) fn since(first: Id) -> Walk {
        let range = first..=Id(u128::MAX);
        let part = Part {
            range: range.clone(),
            newest_first: false,
            limit: usize::MAX - 1,
        };
        Walk {
            part: Some(part),
            rest: Some(range),
        }
    }

    /// Reads a few more objects, and keeps those that `read` finds wanted. True once there are
    /// all, or one more than the page has.
    pub(super) fn piece<T>(
        &mut self,
        records: &impl Records,
        ledger: LedgerId,
        kind: Kind,
        items: &mut Vec<T>,
        mut read: impl FnMut(Id) -> Option<T>,
    ) -> bool {
        let (Some(part), Some(range)) = (&self.part, self.rest.take()) else {
            return true;
        };
        let newest_first = part.newest_first;
        let size = limits::LIST_PIECE;
        let ids = records.list(ledger, kind, range.clone(), newest_first, size);
        if let (Some(last), true) = (ids.last(), ids.len() == size) {
            self.rest = beyond(&range, *last, newest_first);
        }
        for id in ids {
            items.extend(read(id));
            if items.len() > part.limit {
                return true;
            }
        }
        self.rest.is_none()
    }

    /// What was found, as the page has it.
    pub(super) fn list<T>(&self, items: Vec<T>) -> List<T> {
        self.part
            .as_ref()
            .map_or_else(nothing, |part| part.list(items))
    }
}

/// A page of objects that are all there, newest first.
pub(super) fn fit<T>(items: Vec<T>, id: impl Fn(&T) -> Id, page: &Page) -> List<T> {
    let Some(part) = Part::of(page) else {
        return nothing();
    };
    let inside = items
        .into_iter()
        .filter(|item| part.range.contains(&id(item)));
    let mut inside: Vec<T> = inside.collect();
    if !part.newest_first {
        inside.reverse();
    }
    inside.truncate(part.limit + 1);
    part.list(inside)
}

/// What is left of a range after an identifier.
fn beyond(range: &RangeInclusive<Id>, last: Id, newest_first: bool) -> Option<RangeInclusive<Id>> {
    let rest = if newest_first {
        *range.start()..=Id(last.0.checked_sub(1)?)
    } else {
        Id(last.0.checked_add(1)?)..=*range.end()
    };
    (!rest.is_empty()).then_some(rest)
}

/// A page of an account's entries.
pub(super) fn entry_page(
    records: &impl Records,
    ledger: LedgerId,
    account: &Account,
    page: &EntryPage,
) -> List<Entry> {
    let low = page
        .ending_before
        .map_or(1, |before| before.saturating_add(1));
    let high = page
        .starting_after
        .map_or(account.sequence, |after| after.saturating_sub(1));
    let high = high.min(account.sequence);
    let limit = limit(page.limit);
    let newest_first = page.ending_before.is_none() || page.starting_after.is_some();
    if low > high {
        return nothing();
    }
    let part = Part {
        range: Id(0)..=Id(0),
        newest_first,
        limit,
    };
    part.list(records.entries(ledger, account.id, low..=high, newest_first, limit + 1))
}
