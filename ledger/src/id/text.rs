//! The text form of identifiers: a prefix and 26 characters of lower-case Crockford base 32.

use super::Id;
use std::fmt;

/// Without i, l, o and u, which are misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters after the prefix: 130 bits, the first two of them 0.
const LENGTH: usize = 26;

/// Why a text is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// Another prefix, or none.
    #[error("an identifier that begins with {0} is expected")]
    Prefix(&'static str),
    /// Too short or too long.
    #[error("26 characters are expected after the prefix")]
    Length,
    /// Not of the alphabet; upper case is not accepted, so that equal identifiers are equal texts.
    #[error("only the characters 0-9 and a-z without i, l, o and u are expected after the prefix")]
    Character,
    /// More than 128 bits.
    #[error("the first character after the prefix must be 0 to 7")]
    Overflow,
}

impl Id {
    /// Reads an identifier with that prefix (see [`super::prefix`]), strictly.
    pub fn parse(prefix: &'static str, text: &str) -> Result<Id, ParseIdError> {
        let digits = text
            .strip_prefix(prefix)
            .ok_or(ParseIdError::Prefix(prefix))?;
        if digits.len() != LENGTH {
            return Err(ParseIdError::Length);
        }
        let mut number: u128 = 0;
        for (at, byte) in digits.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|&letter| letter == byte);
            let digit = digit.ok_or(ParseIdError::Character)? as u128;
            if at == 0 && digit > 7 {
                return Err(ParseIdError::Overflow);
            }
            number = number << 5 | digit;
        }
        Ok(Id(number))
    }

    /// Prints with that prefix.
    pub fn display(self, prefix: &'static str) -> DisplayId {
        DisplayId { prefix, id: self }
    }
}

/// An identifier that prints with a prefix.
#[derive(Clone, Copy, Debug)]
pub struct DisplayId {
    prefix: &'static str,
    id: Id,
}

impl fmt::Display for DisplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [b'0'; LENGTH];
        for (at, digit) in digits.iter_mut().enumerate() {
            let bits = (self.id.0 >> (5 * (LENGTH - 1 - at))) as usize & 31;
            *digit = ALPHABET.get(bits).copied().unwrap_or(b'0');
        }
        f.write_str(self.prefix)?;
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}
