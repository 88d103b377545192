//! What was answered: for each transfer of a batch, whether it was made. Only that is read of an
//! answer of megabytes, so that the generator leaves the machine to the system under load.

use crate::cli::Format;

/// One truth value for each transfer, in order; nothing if the answer cannot be read.
pub fn results(format: Format, body: &[u8]) -> Option<Vec<bool>> {
    match format {
        Format::Json => Some(in_json(body)),
        Format::Binary => in_protobuf(body),
    }
}

/// Each answer of `data` begins in one of two ways, and no object within it does.
fn in_json(body: &[u8]) -> Vec<bool> {
    let mut results = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == b'{') {
        rest = &rest[at + 1..];
        if rest.starts_with(br#""id":"tr_"#) {
            results.push(true);
        } else if rest.starts_with(br#""error":"#) {
            results.push(false);
        }
    }
    results
}

/// `TransferBatch`: field 2 is a result, whose field 1 is a transfer and field 2 an error.
fn in_protobuf(body: &[u8]) -> Option<Vec<bool>> {
    let mut results = Vec::new();
    let mut rest = body;
    while let Some((&tag, after)) = rest.split_first() {
        let (value, after) = varint(after)?;
        rest = after;
        match tag {
            0x08 => {}
            0x12 => {
                let (result, after) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                rest = after;
                match result.first() {
                    Some(0x0a) => results.push(true),
                    Some(0x12) => results.push(false),
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    Some(results)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    let value = number
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use florin_api::proto::transfer_result::Result as One;
    use florin_api::proto::{Error, Transfer, TransferBatch, TransferResult};
    use prost::Message;

    #[test]
    fn answers_in_json() {
        let body = br#"{"object":"transfer_batch","atomic":false,"data":[{"id":"tr_1","metadata":{}},{"error":{"type":"refusal"}},{"id":"tr_2"}]}"#;
        assert_eq!(results(Format::Json, body), Some(vec![true, false, true]));
    }

    #[test]
    fn answers_in_protobuf() {
        let one = |one| TransferResult { result: Some(one) };
        let transfer = Transfer {
            reference: Some("r".repeat(300)),
            ..Transfer::default()
        };
        for atomic in [false, true] {
            let batch = TransferBatch {
                atomic,
                data: vec![
                    one(One::Transfer(transfer.clone())),
                    one(One::Error(Error::default())),
                    one(One::Transfer(transfer.clone())),
                ],
            };
            let bytes = batch.encode_to_vec();
            assert_eq!(
                results(Format::Binary, &bytes),
                Some(vec![true, false, true])
            );
            assert_eq!(results(Format::Binary, &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(results(Format::Binary, b"{}"), None);
    }
}
