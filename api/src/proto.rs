//! The binary form of batches as programs in Rust speak it: what `proto/transfers.proto` gives.
//!
//! Partners' programs, the load generator and the tests build requests and read answers by it.
//! The frontend itself reads and writes the same bytes without these structs ([`crate::serve`]
//! takes apart what it must refuse, such as unknown fields, and copies nothing on the way).

#![allow(
    missing_docs,
    clippy::all,
    reason = "generated code; the .proto file has the documentation"
)]

include!(concat!(env!("OUT_DIR"), "/florin.api.v1.rs"));

/// What requests in this form are sent as, and answered as.
pub const CONTENT_TYPE: &str = "application/x-protobuf";
