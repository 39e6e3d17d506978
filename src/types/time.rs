//! Time: nanoseconds since the Unix epoch, and the two spellings venues use.

use std::fmt;
use std::ops::{Add, Sub};

/// Nanoseconds since 1970-01-01T00:00:00Z, or a span of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Nanos(pub i64);

/// Why a time text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 UTC time such as 2026-07-26T17:35:55.440295Z")]
pub struct TimeError;

impl Nanos {
    /// The epoch, or no time at all.
    pub const ZERO: Nanos = Nanos(0);
    /// Later than everything.
    pub const MAX: Nanos = Nanos(i64::MAX);

    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Nanos {
        Nanos(micros.saturating_mul(1_000))
    }

    /// From milliseconds.
    pub const fn from_millis(millis: i64) -> Nanos {
        Nanos(millis.saturating_mul(1_000_000))
    }

    /// From seconds.
    pub const fn from_secs(secs: i64) -> Nanos {
        Nanos(secs.saturating_mul(1_000_000_000))
    }

    /// Whole milliseconds, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole microseconds, rounded down.
    pub const fn micros(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Writes `2026-07-26T17:35:55.440Z` with `places` (0 to 9) decimals of the second.
    pub fn rfc3339(self, places: usize) -> String {
        let days = self.0.div_euclid(86_400_000_000_000);
        let in_day = self.0.rem_euclid(86_400_000_000_000);
        let (secs, nanos) = (in_day / 1_000_000_000, in_day % 1_000_000_000);
        // Civil date from days (Howard Hinnant's algorithm, eras of 400 years from 1 March).
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let mut text = format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            secs / 3600,
            secs / 60 % 60,
            secs % 60
        );
        if places > 0 {
            text.push('.');
            text.push_str(&format!("{nanos:09}")[..places.min(9)]);
        }
        text.push('Z');
        text
    }

    /// Reads an RFC 3339 UTC time with any number of decimals (beyond nine they are cut off).
    pub fn parse_rfc3339(text: &[u8]) -> Result<Nanos, TimeError> {
        let digits = |from: usize, n: usize| -> Result<i64, TimeError> {
            text.get(from..from + n).ok_or(TimeError)?.iter().try_fold(0, |value, b| {
                if b.is_ascii_digit() { Ok(value * 10 + i64::from(b - b'0')) } else { Err(TimeError) }
            })
        };
        let byte = |at: usize, want: u8| if text.get(at) == Some(&want) { Ok(()) } else { Err(TimeError) };
        let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
        let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
        byte(4, b'-')?;
        byte(7, b'-')?;
        byte(10, b'T')?;
        byte(13, b':')?;
        byte(16, b':')?;
        let mut at = 19;
        let mut nanos = 0;
        if text.get(at) == Some(&b'.') {
            let mut unit = 100_000_000;
            at += 1;
            let from = at;
            while let Some(b) = text.get(at).filter(|b| b.is_ascii_digit()) {
                nanos += i64::from(b - b'0') * unit;
                unit /= 10;
                at += 1;
            }
            if at == from {
                return Err(TimeError);
            }
        }
        byte(at, b'Z')?;
        let leap_second = 60; // a leap second is read as the first second after it
        let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
        if at + 1 != text.len() || !in_range || second > leap_second || !(1970..2262).contains(&year) {
            return Err(TimeError);
        }
        let shifted = year - i64::from(month <= 2);
        let era = shifted.div_euclid(400);
        let yoe = shifted.rem_euclid(400);
        let mp = (month + 9) % 12;
        let doy = (153 * mp + 2) / 5 + day - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        let days = era * 146_097 + doe - 719_468;
        let secs = days * 86_400 + hour * 3600 + minute * 60 + second;
        Ok(Nanos(secs * 1_000_000_000 + nanos))
    }
}

impl Add for Nanos {
    type Output = Nanos;
    /// Saturates: a time from outside may be absurd, and must not stop the engine.
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    /// Saturates, as addition does.
    fn sub(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.rfc3339(9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00.000000000Z", 0),
            ("2024-02-29T23:59:59.999999999Z", 1_709_251_199_999_999_999),
            ("2026-07-26T17:35:55.440295000Z", 1_785_087_355_440_295_000),
            ("2100-03-01T00:00:00.000000001Z", 4_107_542_400_000_000_001),
        ] {
            assert_eq!(Nanos::parse_rfc3339(text.as_bytes()), Ok(Nanos(nanos)), "{text}");
            assert_eq!(Nanos(nanos).rfc3339(9), text);
        }
        assert_eq!(Nanos::parse_rfc3339(b"2026-07-26T17:35:55Z").unwrap().rfc3339(0), "2026-07-26T17:35:55Z");
        for bad in [
            "",
            "2026-07-26",
            "2026-13-26T17:35:55Z",
            "2026-07-26T17:35:55.Z",
            "2026-07-26T17:35:55",
            "9999-01-01T00:00:00Z",
        ] {
            assert_eq!(Nanos::parse_rfc3339(bad.as_bytes()), Err(TimeError), "{bad}");
        }
    }
}
