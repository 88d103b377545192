//! Protocol buffers, read strictly and without copies.
//!
//! Generated readers skip fields that they do not know and let the last of two win. Where money
//! is asked for, both are errors, as they are in JSON; hence this reader.

use super::fields::{CurrencyCode, Whole, short};
use crate::code::Code;
use crate::limits;
use crate::problem::Problem;
use florin_ledger::amount::{Amount, Currency};
use florin_ledger::command::Text;
use florin_ledger::id::Id;
use prost::encoding::{WireType, decode_key, decode_varint};

/// The fields of one message that were not read yet.
pub(crate) struct Fields<'a>(&'a [u8]);

/// The value of a field, as it lies on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A number or a truth value.
    Number(u64),
    /// Bytes, text or a message.
    Bytes(&'a [u8]),
    /// A kind that no field of ours has.
    Other,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields(message)
    }

    /// The next field's number and value.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Problem> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let rest = &mut self.0;
        let (number, kind) = decode_key(rest).map_err(malformed)?;
        let value = match kind {
            WireType::Varint => Value::Number(decode_varint(rest).map_err(malformed)?),
            WireType::LengthDelimited => {
                let length = decode_varint(rest).map_err(malformed)?;
                Value::Bytes(take(rest, length)?)
            }
            WireType::ThirtyTwoBit => take(rest, 4).map(|_| Value::Other)?,
            WireType::SixtyFourBit => take(rest, 8).map(|_| Value::Other)?,
            WireType::StartGroup | WireType::EndGroup => {
                return Err(malformed("it holds a group"));
            }
        };
        Ok(Some((number, value)))
    }
}

impl<'a> Value<'a> {
    /// An identifier: 16 bytes.
    pub(crate) fn id(self) -> Result<Id, String> {
        let bytes = self.bytes()?;
        let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| "16 bytes are expected".to_owned())?;
        Ok(Id(u128::from_be_bytes(bytes)))
    }

    /// Minor units.
    pub(crate) fn amount(self) -> Result<Amount, String> {
        let Whole(minor) = self.whole::<1, { limits::AMOUNT }>()?;
        Amount::new(i128::from(minor)).map_err(|error| error.to_string())
    }

    /// A number within bounds.
    pub(crate) fn whole<const MIN: u64, const MAX: u64>(self) -> Result<Whole<MIN, MAX>, String> {
        match self {
            Value::Number(number) if (MIN..=MAX).contains(&number) => Ok(Whole(number)),
            _ => Err(format!("an integer from {MIN} to {MAX} is expected")),
        }
    }

    /// A truth value.
    pub(crate) fn truth(self) -> Result<bool, String> {
        match self {
            Value::Number(0) => Ok(false),
            Value::Number(1) => Ok(true),
            _ => Err("true or false is expected".to_owned()),
        }
    }

    /// An ISO 4217 code.
    pub(crate) fn currency(self) -> Result<CurrencyCode, String> {
        let currency = Currency::parse(self.text()?);
        currency
            .map(CurrencyCode)
            .map_err(|error| error.to_string())
    }

    /// Text of 1 to `max` characters.
    pub(crate) fn short(self, max: usize) -> Result<Text, String> {
        short(self.text()?, max)
    }

    /// Text.
    pub(crate) fn text(self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "UTF-8 is expected".to_owned())
    }

    /// Bytes, or the message that they are.
    pub(crate) fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) | Value::Other => {
                Err("a value of another type is expected".to_owned())
            }
        }
    }
}

/// Keeps the value of a field that may be given once.
pub(crate) fn put<T>(
    slot: &mut Option<T>,
    name: &'static str,
    value: Result<T, String>,
) -> Result<(), Problem> {
    if slot.is_some() {
        return Err(Problem::invalid(name, format!("{name} is given twice")));
    }
    *slot = Some(about(name, value)?);
    Ok(())
}

/// Names the field that a value is wrong in.
pub(crate) fn about<T>(name: &'static str, value: Result<T, String>) -> Result<T, Problem> {
    value.map_err(|error| Problem::invalid(name, format!("{name}: {error}")))
}

/// The value of a field that must be there.
pub(crate) fn required<T>(slot: Option<T>, name: &'static str) -> Result<T, Problem> {
    slot.ok_or_else(|| {
        Problem::new(Code::ParameterMissing, format!("{name} is required")).about(name)
    })
}

/// A field that the message does not have.
pub(crate) fn unknown(number: u32) -> Problem {
    let detail = format!("the message has no field number {number}");
    Problem::new(Code::ParameterUnknown, detail).about(number.to_string())
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8], Problem> {
    let split = usize::try_from(length)
        .ok()
        .and_then(|length| rest.split_at_checked(length));
    let (taken, left) = split.ok_or_else(|| malformed("a field is longer than the message"))?;
    *rest = left;
    Ok(taken)
}

fn malformed(why: impl std::fmt::Display) -> Problem {
    let detail = format!("the body is not the protobuf message of this route: {why}");
    Problem::new(Code::MalformedProtobuf, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the fields, or nothing if the bytes are malformed.
    fn read(bytes: &[u8]) -> Option<Vec<u32>> {
        let mut fields = Fields::of(bytes);
        let mut numbers = Vec::new();
        loop {
            match fields.next() {
                Ok(Some((number, _))) => numbers.push(number),
                Ok(None) => return Some(numbers),
                Err(problem) => {
                    assert_eq!(problem.code, Code::MalformedProtobuf);
                    return None;
                }
            }
        }
    }

    #[test]
    fn fields_are_found_and_what_is_none_is_malformed() {
        let rows: &[(&[u8], Option<&[u32]>)] = &[
            (b"", Some(&[])),
            (b"\x08\x01\x12\x02ab", Some(&[1, 2])),
            (b"\x0d\0\0\0\0\x11\0\0\0\0\0\0\0\0", Some(&[1, 2])),
            (b"\x08", None),
            (b"\x08\xff", None),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", None),
            (b"\x12\x03ab", None),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\x0d\0\0\0", None),
            (b"\x0b\x0c", None),
            (b"\x00\x01", None),
            (b"{\"atomic\":true}", None),
        ];
        for (bytes, expected) in rows {
            assert_eq!(read(bytes).as_deref(), *expected, "{bytes:?}");
        }
    }
}
