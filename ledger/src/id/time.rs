//! RFC 3339 and back, without a calendar crate: days are counted by Howard Hinnant's
//! algorithm (<https://howardhinnant.github.io/date_algorithms.html>).

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

impl Timestamp {
    /// `2026-11-01T12:00:00.000000Z`.
    pub fn rfc3339(self) -> String {
        todo!()
    }

    /// Reads RFC 3339; an offset is taken off, digits beyond microseconds are cut off.
    pub fn parse_rfc3339(_text: &str) -> Result<Timestamp, ParseTimeError> {
        todo!()
    }
}
