//! Query parameters.

use crate::code::Code;
use crate::limits;
use crate::problem::Problem;
use florin_ledger::amount::Currency;
use florin_ledger::command::Text;
use florin_ledger::id::{Id, Timestamp};
use florin_ledger::query::{EntryPage, List, Page};
use std::str::FromStr;

/// The query parameters that were not taken yet. What is left at the end is unknown.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(query: Option<&str>) -> Result<Params, Problem> {
        let mut params: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&') {
            if pair.is_empty() {
                continue;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                let detail = "the query string is not valid percent-encoded UTF-8";
                return Err(Problem::new(Code::ParameterInvalid, detail));
            };
            if params.iter().any(|(held, _)| *held == name) {
                let detail = format!("{name} is given twice");
                return Err(Problem::invalid(name, detail));
            }
            params.push((name, value));
        }
        Ok(Params(params))
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(held, _)| held == name)?;
        Some(self.0.swap_remove(at).1)
    }

    pub(crate) fn take_id(
        &mut self,
        name: &'static str,
        prefix: &'static str,
    ) -> Result<Option<Id>, Problem> {
        self.take_as(name, |text| {
            Id::parse(prefix, text).map_err(|error| error.to_string())
        })
    }

    pub(crate) fn take_time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Problem> {
        self.take_as(name, time)
    }

    pub(crate) fn take_currency(&mut self) -> Result<Option<Currency>, Problem> {
        self.take_as("currency", |text| {
            Currency::parse(text).map_err(|error| error.to_string())
        })
    }

    pub(crate) fn take_reference(&mut self) -> Result<Option<Text>, Problem> {
        self.take_as("reference", |text| {
            super::fields::short(text, limits::REFERENCE)
        })
    }

    pub(crate) fn take_as<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        self.take(name)
            .map(|text| {
                read(&text).map_err(|error| Problem::invalid(name, format!("{name}: {error}")))
            })
            .transpose()
    }

    /// Every parameter must have been taken.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::new(
                Code::ParameterUnknown,
                format!("there is no query parameter {name} here"),
            )
            .about(name)),
        }
    }
}

/// Which part of a list of objects with this prefix.
pub(crate) fn page(params: &mut Params, prefix: &'static str) -> Result<Page, Problem> {
    let page = Page {
        limit: limit(params)?,
        starting_after: params.take_id("starting_after", prefix)?,
        ending_before: params.take_id("ending_before", prefix)?,
        created_from: bound(params, "created[gte]", "created[gt]", |time| {
            Timestamp(time.0.saturating_add(1))
        })?,
        created_to: bound(params, "created[lte]", "created[lt]", |time| {
            Timestamp(time.0.saturating_sub(1))
        })?,
    };
    exclusive(page.starting_after.is_some(), page.ending_before.is_some())?;
    Ok(page)
}

/// Which part of an account's entries: its cursors are sequences.
pub(crate) fn entry_page(params: &mut Params) -> Result<EntryPage, Problem> {
    let page = EntryPage {
        limit: limit(params)?,
        starting_after: params.take_as("starting_after", sequence)?,
        ending_before: params.take_as("ending_before", sequence)?,
    };
    exclusive(page.starting_after.is_some(), page.ending_before.is_some())?;
    Ok(page)
}

/// An entry's number.
pub(crate) fn sequence(text: &str) -> Result<u64, String> {
    integer(text).ok_or_else(|| "a sequence, an integer, is expected".to_owned())
}

/// An RFC 3339 time. A `+` that was not percent-encoded arrives as a space.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(&text.replace(' ', "+")).map_err(|error| error.to_string())
}

fn limit(params: &mut Params) -> Result<u16, Problem> {
    let limit = params.take_as("limit", |text| {
        integer(text)
            .filter(|limit| (1..=limits::PAGE).contains(limit))
            .ok_or_else(|| "an integer from 1 to 100 is expected".to_owned())
    })?;
    Ok(limit.unwrap_or(limits::PAGE_DEFAULT))
}

fn bound(
    params: &mut Params,
    inclusive: &'static str,
    exclusive: &'static str,
    inside: impl FnOnce(Timestamp) -> Timestamp,
) -> Result<Option<Timestamp>, Problem> {
    match (params.take_time(inclusive)?, params.take_time(exclusive)?) {
        (Some(_), Some(_)) => Err(Problem::invalid(
            exclusive,
            format!("{inclusive} and {exclusive} exclude each other"),
        )),
        (Some(time), None) => Ok(Some(time)),
        (None, Some(time)) => Ok(Some(inside(time))),
        (None, None) => Ok(None),
    }
}

fn exclusive(after: bool, before: bool) -> Result<(), Problem> {
    if after && before {
        let detail = "starting_after and ending_before exclude each other";
        return Err(Problem::invalid("ending_before", detail));
    }
    Ok(())
}

fn integer<T: FromStr>(text: &str) -> Option<T> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Undoes percent-encoding and the `+` of forms.
fn decode(text: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => plain.push(b' '),
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                plain.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => plain.push(other),
        }
    }
    String::from_utf8(plain).ok()
}

/// A page of what is at hand whole, newest first.
pub(crate) fn page_of<T>(
    mut params: Params,
    prefix: &'static str,
    newest_first: impl DoubleEndedIterator<Item = (Id, T)>,
) -> Result<List<T>, Problem> {
    let limit = usize::from(limit(&mut params)?);
    let after = params.take_id("starting_after", prefix)?;
    let before = params.take_id("ending_before", prefix)?;
    params.finish()?;
    exclusive(after.is_some(), before.is_some())?;
    // One more than the page shows whether there is more.
    let mut items: Vec<T> = match before {
        Some(before) => newest_first
            .rev()
            .filter(|(id, _)| *id > before)
            .map(|(_, item)| item)
            .take(limit + 1)
            .collect(),
        None => newest_first
            .filter(|(id, _)| after.is_none_or(|after| *id < after))
            .map(|(_, item)| item)
            .take(limit + 1)
            .collect(),
    };
    let has_more = items.len() > limit;
    items.truncate(limit);
    if before.is_some() {
        items.reverse();
    }
    Ok(List { items, has_more })
}
