//! Numbers in as few bytes as they need: LEB128, signed ones zigzag.

use super::error::BackendError;

/// Appends an unsigned number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u128) {
    // Nearly all are this small, and words are quicker than pairs of them.
    if let Ok(mut small) = u64::try_from(number) {
        while small >= 0x80 {
            out.push(small as u8 | 0x80);
            small >>= 7;
        }
        return out.push(small as u8);
    }
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number.
pub(super) fn put_signed(out: &mut Vec<u8>, number: i128) {
    put(out, ((number << 1) ^ (number >> 127)) as u128);
}

/// Bytes that are read from the front.
pub(super) struct Numbers<'a>(pub(super) &'a [u8]);

impl Numbers<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Result<u8, BackendError> {
        let (first, rest) = self.0.split_first().ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn number(&mut self) -> Result<u128, BackendError> {
        let mut number: u128 = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BackendError::Damaged("a number without end".to_owned()))
    }

    pub(super) fn signed(&mut self) -> Result<i128, BackendError> {
        let number = self.number()?;
        Ok((number >> 1) as i128 ^ -((number & 1) as i128))
    }

    pub(super) fn small(&mut self) -> Result<u64, BackendError> {
        let number = self.number()?;
        u64::try_from(number)
            .map_err(|_| BackendError::Damaged(format!("{number} is out of range")))
    }
}

fn cut_short() -> BackendError {
    BackendError::Damaged("a value is cut short".to_owned())
}
