//! Idempotency keys and what they stand for.

use crate::code::Code;
use crate::limits;
use crate::problem::Problem;
use florin_ledger::command::Once;
use http::header::{HeaderMap, HeaderName};
use std::borrow::Cow;

/// As sent by partners.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The hash of the request's key, if it has one. Quoted (a string of RFC 8941) and raw are the
/// same key.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<[u8; 16]>, Problem> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid("the request has more than one idempotency key"));
    }
    let key = unquote(value.as_bytes())
        .ok_or_else(|| invalid("the idempotency key's quotes do not match"))?;
    if key.is_empty() || key.len() > limits::IDEMPOTENCY_KEY {
        return Err(invalid("an idempotency key has 1 to 255 characters"));
    }
    if !key.iter().all(u8::is_ascii_graphic) {
        return Err(invalid(
            "an idempotency key is made of visible ASCII characters",
        ));
    }
    Ok(Some(first_half(blake3::hash(&key))))
}

/// The fingerprint of a request: method, path and canonical body. The path is the route's
/// template and the body the parsed command's encoding, which holds the identifiers of the
/// path: two spellings of one request are one request.
pub(crate) fn fingerprint(method: &str, template: &str, command: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in [method.as_bytes(), template.as_bytes()] {
        hasher.update(part);
        hasher.update(&[0]);
    }
    hasher.update(command);
    first_half(hasher.finalize())
}

/// Both hashes together.
pub(crate) fn once(key: [u8; 16], method: &str, template: &str, command: &[u8]) -> Once {
    Once {
        key,
        fingerprint: fingerprint(method, template, command),
    }
}

fn first_half(hash: blake3::Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    half
}

fn unquote(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(rest) = value.strip_prefix(b"\"") else {
        return Some(Cow::Borrowed(value));
    };
    let inner = rest.strip_suffix(b"\"")?;
    if !inner.iter().any(|byte| matches!(byte, b'\\' | b'"')) {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(&escaped @ (b'\\' | b'"')) => plain.push(escaped),
                _ => return None,
            },
            b'"' => return None,
            other => plain.push(other),
        }
    }
    Some(Cow::Owned(plain))
}

fn invalid(detail: &'static str) -> Problem {
    Problem::new(Code::IdempotencyKeyInvalid, detail).about("Idempotency-Key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(values: &[&[u8]]) -> Result<Option<[u8; 16]>, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).expect("a header value");
            headers.append(IDEMPOTENCY_KEY, value);
        }
        key(&headers).map_err(|problem| problem.code)
    }

    #[test]
    fn quoted_and_raw_are_the_same_key() {
        let raw = read(&[b"8e03978e-40d5"]).expect("valid");
        assert!(raw.is_some());
        assert_eq!(read(&[b"\"8e03978e-40d5\""]), Ok(raw));
        assert_eq!(read(&[br#""a\"b\\c""#]), read(&[br#"a"b\c"#]));
        assert_ne!(read(&[b"8E03978e-40d5"]), Ok(raw), "keys are bytes");
        assert_eq!(read(&[]), Ok(None));
    }

    #[test]
    fn what_is_no_key_is_told() {
        let long = vec![b'k'; 256];
        for values in [
            &[&b""[..]][..],
            &[b"\"\""],
            &[b"two words"],
            &[b"\"open"],
            &[br#""a"b""#],
            &[br#""a\n""#],
            &["k\u{e9}y".as_bytes()],
            &[&long],
            &[b"one", b"two"],
        ] {
            assert_eq!(read(values), Err(Code::IdempotencyKeyInvalid), "{values:?}");
        }
        assert!(read(&[&long[..255]]).is_ok());
    }
}
