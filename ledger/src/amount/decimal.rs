//! Amounts written as decimals.

use super::{Amount, Currency};
use rust_decimal::Decimal;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountError {
    /// Not digits with at most one point between them.
    #[error("digits with at most one point between them are expected, such as 12.34")]
    Form,
    /// A minus.
    #[error("an amount must not be negative")]
    Negative,
    /// Nothing.
    #[error("an amount must be greater than zero")]
    Zero,
    /// More digits after the point than the currency has.
    #[error("the currency has {exponent} digits after the point")]
    TooPrecise {
        /// What the currency has.
        exponent: u32,
    },
    /// Too large to be kept exactly.
    #[error("the amount is too large")]
    TooLarge,
}

/// `"12.34"` and USD make 1234. Exact or an error: nothing is rounded.
///
/// `Decimal` would accept underscores and exponents and, in its lenient form, round what it
/// cannot hold. The form is therefore checked here first, and the strict form is used.
pub fn amount_from_decimal(text: &str, currency: Currency) -> Result<Amount, ParseAmountError> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) {
        return Err(ParseAmountError::Form);
    }
    if unsigned.len() < text.len() {
        return Err(ParseAmountError::Negative);
    }
    let exponent = currency.exponent();
    if fraction.is_some_and(|fraction| fraction.len() > exponent as usize) {
        return Err(ParseAmountError::TooPrecise { exponent });
    }
    let value = Decimal::from_str_exact(text).map_err(|_| ParseAmountError::TooLarge)?;
    let missing = exponent
        .checked_sub(value.scale())
        .ok_or(ParseAmountError::TooPrecise { exponent })?;
    let minor = 10_i128
        .checked_pow(missing)
        .and_then(|factor| value.mantissa().checked_mul(factor))
        .ok_or(ParseAmountError::TooLarge)?;
    Amount::new(minor).map_err(|_| ParseAmountError::Zero)
}
