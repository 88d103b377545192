//! RFC 3339 and back, without a calendar crate: days are counted by Howard Hinnant's
//! algorithms (<https://howardhinnant.github.io/date_algorithms.html>).

use super::Timestamp;

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTimeError {
    /// Not `2026-11-01T12:00:00Z`, with an optional fraction or offset.
    #[error("an RFC 3339 time such as 2026-11-01T12:00:00.000000Z is expected")]
    Form,
    /// No such day or hour, before 1970, or too far in the future.
    #[error("there is no such time, or it lies outside the years 1970 to 4253")]
    Range,
}

const MICROS: u64 = 1_000_000;
const SECONDS_A_DAY: u64 = 86_400;

impl Timestamp {
    /// `2026-11-01T12:00:00.000000Z`.
    pub fn rfc3339(self) -> String {
        let (seconds, micros) = (self.0 / MICROS, self.0 % MICROS);
        let (day, second) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
        let (year, month, date) = civil(day);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }

    /// Reads RFC 3339; an offset is taken off, digits beyond microseconds are cut off.
    pub fn parse_rfc3339(text: &str) -> Result<Timestamp, ParseTimeError> {
        let mut text = Scanner(text.as_bytes());
        let year = text.number(4)?;
        text.one_of(b"-")?;
        let month = text.number(2)?;
        text.one_of(b"-")?;
        let date = text.number(2)?;
        text.one_of(b"Tt ")?;
        let hour = text.number(2)?;
        text.one_of(b":")?;
        let minute = text.number(2)?;
        text.one_of(b":")?;
        let second = text.number(2)?;
        let micros = text.fraction()?;
        let offset = text.offset()?;
        if !text.0.is_empty() {
            return Err(ParseTimeError::Form);
        }
        if year < 1970 || hour > 23 || minute > 59 || second > 59 {
            return Err(ParseTimeError::Range);
        }
        let day = day_of(year, month, date).ok_or(ParseTimeError::Range)?;
        let seconds = day * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second;
        let seconds = seconds
            .checked_add_signed(-offset)
            .ok_or(ParseTimeError::Range)?;
        let time = Timestamp(seconds * MICROS + micros);
        if time <= Timestamp::MAX {
            Ok(time)
        } else {
            Err(ParseTimeError::Range)
        }
    }
}

/// What is left of a text.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn one_of(&mut self, bytes: &[u8]) -> Result<u8, ParseTimeError> {
        let byte = self.next().filter(|byte| bytes.contains(byte));
        byte.ok_or(ParseTimeError::Form)
    }

    fn digit(&mut self) -> Option<u64> {
        let &byte = self.0.first()?;
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        self.next();
        Some(digit)
    }

    fn number(&mut self, digits: u32) -> Result<u64, ParseTimeError> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 10 + self.digit().ok_or(ParseTimeError::Form)?;
        }
        Ok(number)
    }

    /// Microseconds.
    fn fraction(&mut self) -> Result<u64, ParseTimeError> {
        if self.0.first() != Some(&b'.') {
            return Ok(0);
        }
        self.next();
        let mut micros = self.number(1)? * (MICROS / 10);
        let mut worth = MICROS / 100;
        while let Some(digit) = self.digit() {
            micros += digit * worth;
            worth /= 10;
        }
        Ok(micros)
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Result<i64, ParseTimeError> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hours = self.number(2)?;
        self.one_of(b":")?;
        let minutes = self.number(2)?;
        if hours > 23 || minutes > 59 {
            return Err(ParseTimeError::Range);
        }
        Ok(sign * (hours * 3_600 + minutes * 60) as i64)
    }
}

/// Year, month and date of a day counted from 1970-01-01.
fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468; // From 0000-03-01, so that the leap day is a year's last.
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year + era * 400 + u64::from(month <= 2), month, date)
}

/// The day counted from 1970-01-01, if there is such a date.
fn day_of(year: u64, month: u64, date: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&date) {
        return None;
    }
    let march_year = year - u64::from(month <= 2);
    let (era, of_era) = (march_year / 400, march_year % 400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * march_month + 2) / 5 + date - 1;
    let shifted = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let day = shifted.checked_sub(719_468)?;
    (civil(day) == (year, month, date)).then_some(day)
}
