//! Amounts and currencies.

use serde::{Deserialize, Serialize};

/// A positive amount of minor units; never zero or negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Amount(pub(crate) i128);

/// An ISO 4217 currency by its alphabetic code, upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Currency(pub(crate) [u8; 3]);
