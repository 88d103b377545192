//! The values that answers are made of, written straight into the answer's buffer.

use florin_ledger::command::{AccountKind, CaptureMethod, Constraint, Metadata};
use florin_ledger::id::{DisplayId, Id, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

/// An identifier with its prefix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown(DisplayId);

impl Shown {
    pub(crate) fn new(prefix: &'static str, id: Id) -> Shown {
        Shown(id.display(prefix))
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A sum of minor units as a decimal string: sums outgrow what JSON numbers hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum(pub(crate) i128);

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// RFC 3339 in UTC with microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

/// Metadata as a JSON object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetadataShown<'a>(pub(crate) &'a Metadata);

impl Serialize for MetadataShown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// The four kinds of account.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AccountKind)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindWord {
    /// What the partner owns; grows by debits.
    Asset,
    /// What the partner owes, like a customer's wallet; grows by credits.
    Liability,
    /// What the partner earned; grows by credits.
    Income,
    /// What the partner spent; grows by debits.
    Expense,
}

/// What an account's balance may never do, pending amounts counted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Constraint)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConstraintWord {
    /// Anything goes.
    #[default]
    None,
    /// Debits never pass credits by more than `overdraft_limit`.
    DebitsWithinCredits,
    /// Credits never pass debits by more than `overdraft_limit`.
    CreditsWithinDebits,
}

/// When a payment's money moves.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CaptureMethod)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CaptureWord {
    /// At once.
    #[default]
    Automatic,
    /// When the payment is captured.
    Manual,
}

/// Both ways between a word and its meaning.
macro_rules! words {
    ($($word:ident = $meaning:ident { $($variant:ident),+ };)+) => {$(
        impl From<$word> for $meaning {
            fn from(word: $word) -> $meaning {
                match word { $($word::$variant => $meaning::$variant),+ }
            }
        }
        impl From<$meaning> for $word {
            fn from(meaning: $meaning) -> $word {
                match meaning { $($meaning::$variant => $word::$variant),+ }
            }
        }
    )+};
}

words! {
    KindWord = AccountKind { Asset, Liability, Income, Expense };
    ConstraintWord = Constraint { None, DebitsWithinCredits, CreditsWithinDebits };
    CaptureWord = CaptureMethod { Automatic, Manual };
}
