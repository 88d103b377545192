//! Keeps foreign bytes from nesting refusals until the stack ends.

use super::Refusal;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::cell::Cell;

thread_local! {
    /// The reason of a refused batch is being read.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Reads the reason of a refused batch, which is never a refused batch itself.
pub(super) fn not_nested<'de, D: Deserializer<'de>>(from: D) -> Result<Box<Refusal>, D::Error> {
    if INSIDE.replace(true) {
        return Err(D::Error::custom("a refused batch within a refused batch"));
    }
    let why = Refusal::deserialize(from);
    INSIDE.set(false);
    why.map(Box::new)
}
