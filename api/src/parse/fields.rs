//! The values that requests are made of.

use crate::limits;
use crate::problem::Problem;
use florin_ledger::amount::{Amount, Currency, amount_from_decimal};
use florin_ledger::command::{Metadata, Text};
use florin_ledger::id::{Id, prefix};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A string that is read by a function, without a copy if it has no escapes.
struct Str<T, F>(F, &'static str, PhantomData<T>);

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Str<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

fn string<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    expecting: &'static str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Str(read, expecting, PhantomData))
}

macro_rules! identifiers {
    ($($(#[doc = $doc:literal])+ $name:ident = $prefix:ident, $expecting:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name(pub(crate) Id);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                string(deserializer, $expecting, |text| {
                    Id::parse(prefix::$prefix, text).map($name).map_err(|error| error.to_string())
                })
            }
        }
    )+};
}

identifiers! {
    /// `acct_…`.
    AccountId = ACCOUNT, "an account's identifier";
    /// `pay_…`.
    PaymentId = PAYMENT, "a payment's identifier";
}

/// An ISO 4217 code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CurrencyCode(pub(crate) Currency);

impl<'de> Deserialize<'de> for CurrencyCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        string(deserializer, "an ISO 4217 code", |text| {
            Currency::parse(text)
                .map(CurrencyCode)
                .map_err(|error| error.to_string())
        })
    }
}

/// Text of 1 to `MAX` characters.
#[derive(Clone, Debug)]
pub(crate) struct Short<const MAX: usize>(pub(crate) Text);

/// A partner's own name for an object.
pub(crate) type Reference = Short<{ limits::REFERENCE }>;
/// What an object is about, for people.
pub(crate) type Description = Short<{ limits::DESCRIPTION }>;

impl<'de, const MAX: usize> Deserialize<'de> for Short<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        string(deserializer, "a string", |text| short(text, MAX).map(Short))
    }
}

pub(super) fn short(text: &str, max: usize) -> Result<Text, String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    // Bytes are at least as many as characters: most texts need not be counted.
    if text.len() > max && text.chars().count() > max {
        return Err(format!("must not be longer than {max} characters"));
    }
    Ok(text.into())
}

/// Whole minor units, 1 to 2^53-1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minor(pub(crate) Amount);

/// Whole minor units, 0 to 2^53-1, or seconds: `MIN` to `MAX`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole<const MIN: u64, const MAX: u64>(pub(crate) u64);

/// How long money is held.
pub(crate) type Seconds = Whole<1, { limits::EXPIRES_IN }>;

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number<const MIN: u64, const MAX: u64>;
        impl<const MIN: u64, const MAX: u64> Visitor<'_> for Number<MIN, MAX> {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an integer from {MIN} to {MAX}")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
                if (MIN..=MAX).contains(&number) {
                    Ok(number)
                } else {
                    Err(E::invalid_value(Unexpected::Unsigned(number), &self))
                }
            }
        }
        deserializer.deserialize_u64(Number::<MIN, MAX>).map(Whole)
    }
}

impl<'de> Deserialize<'de> for Minor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Whole(minor) = Whole::<1, { limits::AMOUNT }>::deserialize(deserializer)?;
        Amount::new(i128::from(minor))
            .map(Minor)
            .map_err(D::Error::custom)
    }
}

/// An amount as a decimal; read once the currency is known.
#[derive(Clone, Debug)]
pub(crate) struct DecimalText(Text);

impl<'de> Deserialize<'de> for DecimalText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        string(deserializer, "a decimal as a string", |text| {
            short(text, 40).map(DecimalText)
        })
    }
}

/// An amount that may be given either way, or not at all.
pub(crate) fn amount(
    minor: Option<Minor>,
    decimal: Option<&DecimalText>,
    currency: Currency,
) -> Result<Option<Amount>, Problem> {
    match (minor, decimal) {
        (None, None) => Ok(None),
        (Some(Minor(amount)), None) => Ok(Some(amount)),
        (Some(_), Some(_)) => Err(Problem::invalid(
            "amount_decimal",
            "amount and amount_decimal exclude each other",
        )),
        (None, Some(DecimalText(text))) => {
            let amount = amount_from_decimal(text, currency).map_err(|error| {
                Problem::invalid("amount_decimal", format!("amount_decimal: {error}"))
            })?;
            if amount.get() > i128::from(limits::AMOUNT) {
                let detail = "amount_decimal: must not be more than 2^53-1 minor units";
                return Err(Problem::invalid("amount_decimal", detail));
            }
            Ok(Some(amount))
        }
    }
}

/// The partner's own notes: sorted by key, no key twice, within their limits.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetadataMap(pub(crate) Metadata);

impl MetadataMap {
    /// Adds one, from wherever it was read.
    pub(crate) fn add(&mut self, key: &str, value: &str) -> Result<(), String> {
        let key = short(key, limits::METADATA_KEY)?;
        let place = self.place(&key)?;
        self.0.insert(place, (key, metadata_value(value)?));
        Ok(())
    }

    /// Where this key belongs, if there is room and it is not there.
    fn place(&self, key: &str) -> Result<usize, String> {
        if self.0.len() == limits::METADATA_KEYS {
            return Err("must not have more than 50 keys".to_owned());
        }
        match self.0.binary_search_by(|(held, _)| (**held).cmp(key)) {
            Ok(_) => Err("has a key twice".to_owned()),
            Err(place) => Ok(place),
        }
    }
}

impl<'de> Deserialize<'de> for MetadataMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Notes;
        impl<'de> Visitor<'de> for Notes {
            type Value = MetadataMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MetadataMap, A::Error> {
                let mut notes = MetadataMap::default();
                while let Some(Short(key)) = map.next_key::<Short<{ limits::METADATA_KEY }>>()? {
                    let place = notes.place(&key).map_err(A::Error::custom)?;
                    let value = map.next_value::<MetadataValue>()?.0;
                    notes.0.insert(place, (key, value));
                }
                Ok(notes)
            }
        }
        deserializer.deserialize_map(Notes)
    }
}

struct MetadataValue(Text);

impl<'de> Deserialize<'de> for MetadataValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        string(deserializer, "a string", |text| {
            metadata_value(text).map(MetadataValue)
        })
    }
}

fn metadata_value(text: &str) -> Result<Text, String> {
    if text.is_empty() {
        return Ok(Text::from(""));
    }
    short(text, limits::METADATA_VALUE)
}
