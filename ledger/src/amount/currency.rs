//! ISO 4217 currencies.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::LazyLock;

/// An ISO 4217 currency that has minor units, by its alphabetic code, upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "[u8; 3]", into = "[u8; 3]")]
pub struct Currency([u8; 3]);

/// Why a text is no currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCurrencyError {
    /// ISO 4217 does not know it.
    #[error("an ISO 4217 code of three upper-case letters is expected")]
    Unknown,
    /// Gold, drawing rights, test codes: ISO 4217 gives them no minor unit.
    #[error("this currency has no minor unit, so no amounts can be kept in it")]
    NoMinorUnit,
}

/// By code: 0 for unknown, 1 for no minor unit, else 2 more than the exponent. Commands are
/// decoded on the way of every payment, so this is a look-up and no comparison of names.
static CURRENCIES: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let letters = b'A'..=b'Z';
    let mut table = Vec::with_capacity(26 * 26 * 26);
    for first in letters.clone() {
        for second in letters.clone() {
            for third in letters.clone() {
                let code = [first, second, third];
                let known = std::str::from_utf8(&code)
                    .ok()
                    .and_then(iso_currency::Currency::from_code);
                let cell = match known.map(|currency| currency.exponent()) {
                    None => 0,
                    Some(None) => 1,
                    Some(Some(exponent)) => 2 + u8::try_from(exponent).unwrap_or(0),
                };
                table.push(cell);
            }
        }
    }
    table.into_boxed_slice()
});

fn look_up(code: [u8; 3]) -> u8 {
    let mut at = 0;
    for letter in code {
        if !letter.is_ascii_uppercase() {
            return 0;
        }
        at = at * 26 + usize::from(letter - b'A');
    }
    CURRENCIES.get(at).copied().unwrap_or(0)
}

impl Currency {
    /// Reads an upper-case code.
    pub fn parse(code: &str) -> Result<Currency, ParseCurrencyError> {
        let code: [u8; 3] = code
            .as_bytes()
            .try_into()
            .map_err(|_| ParseCurrencyError::Unknown)?;
        Currency::try_from(code)
    }

    /// `"USD"`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the point: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        u32::from(look_up(self.0).saturating_sub(2))
    }
}

impl TryFrom<[u8; 3]> for Currency {
    type Error = ParseCurrencyError;

    fn try_from(code: [u8; 3]) -> Result<Currency, ParseCurrencyError> {
        match look_up(code) {
            0 => Err(ParseCurrencyError::Unknown),
            1 => Err(ParseCurrencyError::NoMinorUnit),
            _ => Ok(Currency(code)),
        }
    }
}

impl From<Currency> for [u8; 3] {
    fn from(currency: Currency) -> [u8; 3] {
        currency.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
