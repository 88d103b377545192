//! What the ledger decided, as far as the headers of an answer show it.

use crate::request_id::RequestId;
use florin_ledger::id::GroupId;
use florin_ledger::id::LedgerId;
use florin_shards::Submitted;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;

/// Which write an answer reflects.
pub(crate) const CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("consistency-token");
/// Whether the answer is one that was given before.
pub(crate) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A decision's name, place and age.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    /// Made from the decision's position: every replay carries the same one.
    pub(crate) request_id: RequestId,
    pub(crate) token: Token,
    pub(crate) replayed: bool,
}

/// A consistency token: `<group>-<index>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) group: GroupId,
    pub(crate) index: u64,
}

impl Decided {
    pub(crate) fn of(ledger: LedgerId, submitted: &Submitted) -> Decided {
        Decided {
            request_id: RequestId::decided(ledger, submitted.decision.position),
            token: Token {
                group: submitted.group,
                index: submitted.index,
            },
            replayed: submitted.decision.replayed,
        }
    }

    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        self.token.stamp(headers);
        if self.replayed {
            headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        }
    }
}

impl Token {
    /// Reads a token; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Token> {
        let (group, index) = text.split_once('-')?;
        Some(Token {
            group: GroupId(number(group)?.try_into().ok()?),
            index: number(index)?,
        })
    }

    pub(crate) fn stamp(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&self.to_string()) {
            headers.insert(CONSISTENCY_TOKEN, value);
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.group.0, self.index)
    }
}

/// Digits only: `u64::from_str` would take a sign as well.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}
