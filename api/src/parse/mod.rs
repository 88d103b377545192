//! Requests in: every value is parsed into a type that cannot hold a wrong one.

mod body;
mod fields;
mod params;
pub(crate) mod protobuf;

pub(crate) use body::parse;
pub(crate) use fields::{
    AccountId, CurrencyCode, DecimalText, Description, MetadataMap, Minor, PaymentId, Reference,
    Seconds, Short, Whole, amount,
};
pub(crate) use params::{Params, entry_page, page, page_of, sequence, time};
