//! Reading the head of an answer.

use thiserror::Error;

/// Longest head that is read.
const MAX_HEAD: usize = 16 << 10;

/// The head of an answer: what is needed to find the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// Bytes up to the body.
    pub length: usize,
    /// Bytes of the body.
    pub body: usize,
}

/// Why an answer cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ResponseError {
    /// Not HTTP/1.1.
    #[error("the answer is not HTTP/1.1")]
    NotHttp,
    /// The length of the body is not said.
    #[error("the answer does not say how long it is")]
    NoLength,
    /// Longer than anything that was asked for.
    #[error("the answer is too long")]
    TooLong,
    /// More came than was asked for.
    #[error("more came than was asked for")]
    Unasked,
}

/// The head, if all of it is here.
pub(super) fn head(bytes: &[u8]) -> Result<Option<Head>, ResponseError> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return match bytes.len() > MAX_HEAD {
            true => Err(ResponseError::TooLong),
            false => Ok(None),
        };
    };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| ResponseError::NotHttp)?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(status)
        .ok_or(ResponseError::NotHttp)?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    let body = match (status, length) {
        (204 | 304, _) => 0,
        (_, Some(length)) => length,
        (_, None) => return Err(ResponseError::NoLength),
    };
    Ok(Some(Head {
        status,
        length: end + 4,
        body,
    }))
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.1 ")?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Option<(u16, usize, usize)>, ResponseError>) {
        let expected = expected.map(|head| {
            head.map(|(status, length, body)| Head {
                status,
                length,
                body,
            })
        });
        assert_eq!(head(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn heads() {
        check("", Ok(None));
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", Ok(None));
        check(
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            Ok(Some((200, 38, 2))),
        );
        check(
            "HTTP/1.1 402 Payment Required\r\nContent-Type: a\r\nContent-LENGTH:  12 \r\n\r\n",
            Ok(Some((402, 72, 12))),
        );
        check("HTTP/1.1 204 No Content\r\n\r\n", Ok(Some((204, 27, 0))));
        check("HTTP/1.1 200\r\n\r\n", Err(ResponseError::NoLength));
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            Err(ResponseError::NoLength),
        );
        check(
            "HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n",
            Err(ResponseError::NoLength),
        );
        check("SSH-2.0-OpenSSH\r\n\r\n", Err(ResponseError::NotHttp));
        check("HTTP/1.1 2\r\n\r\n", Err(ResponseError::NotHttp));
        check(&"x".repeat(MAX_HEAD + 1), Err(ResponseError::TooLong));
    }
}
