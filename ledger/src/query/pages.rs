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

/// A page of a ledger's objects of a kind that are wanted.
pub(super) fn filtered<T>(
    records: &impl Records,
    ledger: LedgerId,
    kind: Kind,
    page: &Page,
    read: impl Fn(Id) -> Option<T>,
    wanted: impl Fn(&T) -> bool,
) -> List<T> {
    let Some(part) = Part::of(page) else {
        return nothing();
    };
    let (range, newest_first) = (part.range.clone(), part.newest_first);
    let ids = listed(records, ledger, kind, range, newest_first, part.limit + 1);
    let items = ids.filter_map(read).filter(wanted);
    part.list(items.take(part.limit + 1).collect())
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

/// Identifiers in a range, read some at a time: at first as many as a page needs if all are wanted.
pub(super) fn listed(
    records: &impl Records,
    ledger: LedgerId,
    kind: Kind,
    range: RangeInclusive<Id>,
    newest_first: bool,
    first: usize,
) -> impl Iterator<Item = Id> {
    let mut size = first;
    let mut rest = (!range.is_empty()).then_some(range);
    let mut chunk = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if let Some(id) = chunk.next() {
            return Some(id);
        }
        let range = rest.take()?;
        let ids = records.list(ledger, kind, range.clone(), newest_first, size);
        if let (Some(last), true) = (ids.last(), ids.len() == size) {
            rest = beyond(&range, *last, newest_first);
            size = limits::LIST_CHUNK;
        }
        chunk = ids.into_iter();
        chunk.next()
    })
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
