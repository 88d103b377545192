//! Values of the tree: postcard for whole objects, sixteen bytes for an identifier.

use super::error::BackendError;
use super::overlay::Object;
use florin_ledger::id::Id;
use florin_ledger::object::Kind;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Any value that is written whole.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BackendError> {
    postcard::to_allocvec(value).map_err(|error| BackendError::Damaged(error.to_string()))
}

/// Reads it again, to the last byte.
pub(super) fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BackendError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(BackendError::Damaged("a value is too long".to_owned())),
        Err(error) => Err(BackendError::Damaged(error.to_string())),
    }
}

/// An object; its key says the kind.
pub(super) fn encode_object(object: &Object) -> Result<Vec<u8>, BackendError> {
    match object {
        Object::Transfer(transfer) => encode(transfer),
        Object::Payment(payment) => encode(payment),
        Object::Refund(refund) => encode(refund),
    }
}

/// Reads an object again.
pub(super) fn decode(kind: Kind, bytes: &[u8]) -> Result<Object, BackendError> {
    match kind {
        Kind::Transfer => Ok(Object::Transfer(decode_value(bytes)?)),
        Kind::Payment => Ok(Object::Payment(decode_value(bytes)?)),
        Kind::Refund => Ok(Object::Refund(decode_value(bytes)?)),
        Kind::Account => Err(BackendError::Damaged("an account among objects".to_owned())),
    }
}

/// Who took a reference.
pub(super) fn decode_id(bytes: &[u8]) -> Result<Id, BackendError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| BackendError::Damaged("an identifier".to_owned()))?;
    Ok(Id(u128::from_be_bytes(bytes)))
}
