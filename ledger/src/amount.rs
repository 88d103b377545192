//! Amounts and currencies.

mod currency;
mod decimal;

pub use currency::{Currency, ParseCurrencyError};
pub use decimal::{ParseAmountError, amount_from_decimal};

use serde::{Deserialize, Serialize};

/// A positive amount of minor units; never zero or negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i128", into = "i128")]
pub struct Amount(i128);

/// Zero or less is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount must be greater than zero")]
pub struct NotPositive;

impl Amount {
    /// Accepts what is greater than zero.
    pub const fn new(minor: i128) -> Result<Amount, NotPositive> {
        if minor > 0 {
            Ok(Amount(minor))
        } else {
            Err(NotPositive)
        }
    }

    /// From whole minor units, as they stand in a request.
    pub fn from_minor(minor: i64) -> Result<Amount, NotPositive> {
        Amount::new(i128::from(minor))
    }

    /// Minor units.
    pub const fn get(self) -> i128 {
        self.0
    }
}

impl TryFrom<i128> for Amount {
    type Error = NotPositive;

    fn try_from(minor: i128) -> Result<Amount, NotPositive> {
        Amount::new(minor)
    }
}

impl From<Amount> for i128 {
    fn from(amount: Amount) -> i128 {
        amount.0
    }
}
