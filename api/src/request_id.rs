//! What a request is called: `req_` and 26 characters, like every identifier.
//!
//! A request that the ledger decided is called after its decision, so that every replay carries
//! the name of the first answer, in the body too. All others get a name of this process.

use florin_ledger::id::{Id, LedgerId, Position, Timestamp};
use http::HeaderValue;
use http::header::HeaderName;
use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};

/// On every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const PREFIX: &str = "req_";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(Id);

/// Names the requests of this process.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Random, so that two frontends do not give the same name.
    tag: u64,
    next: AtomicU16,
}

impl RequestId {
    /// The name of what was decided here.
    pub(crate) fn decided(ledger: LedgerId, position: Position) -> RequestId {
        RequestId(position.id(ledger))
    }

    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).unwrap_or(HeaderValue::from_static("req_"))
    }
}

impl RequestIds {
    pub(crate) fn new(tag: u64) -> RequestIds {
        RequestIds {
            tag,
            next: AtomicU16::new(0),
        }
    }

    /// A name that was not given before: 65,536 fit into each microsecond.
    pub(crate) fn next(&self, now: Timestamp) -> RequestId {
        RequestId(Id::new(
            now,
            self.next.fetch_add(1, Ordering::Relaxed),
            self.tag,
        ))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display(PREFIX).fmt(f)
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
