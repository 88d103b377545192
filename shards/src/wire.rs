//! The gateway's protocol: generated messages, and the ledger's values as bytes.

use bytes::Bytes;
use florin_ledger::id::{Id, LedgerId, Mode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What `proto/gateway.proto` gives.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated code; the .proto file has the documentation"
)]
pub(crate) mod proto {
    tonic::include_proto!("florin.gateway.v1");
}

/// The metadata of an exchange in which a frontend says which session it is for.
pub(crate) const SESSION: &str = "florin-session";

/// In whose name the directory is changed: it is nobody's ledger.
pub(crate) const DIRECTORY_LEDGER: LedgerId = LedgerId {
    partner: Id(0),
    mode: Mode::Live,
};

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A value of the ledger, as bytes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    // Writing to memory does not fail, and the ledger's types all have a serial form.
    Bytes::from(postcard::to_stdvec(value).unwrap_or_default())
}

/// A value of the ledger; all bytes must belong to it.
pub(crate) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(Malformed(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_left_over_are_malformed() {
        let ledger = LedgerId {
            partner: Id(7),
            mode: Mode::Test,
        };
        let bytes = encode(&ledger);
        assert_eq!(decode::<LedgerId>(&bytes, "ledger"), Ok(ledger));
        let mut more = bytes.to_vec();
        more.push(0);
        assert_eq!(
            decode::<LedgerId>(&more, "ledger"),
            Err(Malformed("ledger"))
        );
        assert_eq!(
            decode::<LedgerId>(&bytes[1..], "ledger"),
            Err(Malformed("ledger"))
        );
    }
}
