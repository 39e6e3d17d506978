//! The venue's return codes and what they mean for an order.
//!
//! Requests are answered with HTTP 200 and a `retCode`. What is not in the table is
//! [`Class::Unknown`]: a code that we do not know proves nothing about the order. So does a server
//! error, whatever its body says.

use crate::types::{Class, Nanos, VenueRef};

/// The timestamp is outside the window, or the request came too late.
pub const BAD_TIME: [i64; 2] = [10_002, -1];
/// The service restarts: a new connection will do.
pub const RESTARTING: i64 = 10_019;
/// How long an address must be silent after HTTP 403: all its connections count.
pub const BLOCKED: Nanos = Nanos::from_secs(600);

/// What a return code says about the request that it answers.
pub fn classify(status: u16, code: i64) -> Class {
    match (status, code) {
        (401, _) => Class::Halt,
        // Too many requests from this address; or, for good, an address of the wrong country.
        (403 | 429, _) => Class::Throttled,
        (500.., _) => Class::Unknown,
        // It answers from before, within or behind the matching engine: nobody knows.
        (_, 10_000 | 10_016 | RESTARTING | 110_079) => Class::Unknown,
        (_, 170_001 | 170_007 | 170_032 | 170_146 | 170_147 | 170_234 | 170_310) => Class::Unknown,
        // Its id was there before: it may well be the same order, so its fate must be asked.
        (_, 110_072 | 170_141 | 10_014 | 20_006) => Class::Unknown,
        // A cancel or amend of an order that ended, is not there yet, or is being worked on.
        (_, 110_001 | 110_008 | 110_010 | 40_004) => Class::Unknown,
        (_, 170_139 | 170_142..=170_144 | 170_190 | 170_191 | 170_212 | 170_213) => Class::Unknown,
        (_, 429 | 10_006 | 10_403 | 10_429 | 20_003 | 30_035 | 170_005 | 170_222) => Class::Throttled,
        // Keys, their addresses and rights, accounts, regions.
        (_, 10_003..=10_005 | 10_007..=10_010 | 10_024 | 10_027 | 10_028) => Class::Halt,
        (_, -2015 | 33_004 | 110_123..=110_125 | 110_132) => Class::Halt,
        (_, 10_002 | -1 | 10_001 | 10_029 | 10_404) => Class::Refused,
        // Price bands, balances, sizes, decimals, types.
        (_, 110_003 | 110_004 | 110_006 | 110_007 | 110_012 | 110_017 | 110_020) => Class::Refused,
        (_, 110_044 | 110_045 | 110_051..=110_053 | 110_094 | 110_120 | 110_121) => Class::Refused,
        (_, 30_208 | 30_209 | 170_033 | 170_115..=170_117 | 170_124) => Class::Refused,
        (_, 170_131..=170_134 | 170_136 | 170_137 | 170_140 | 170_148) => Class::Refused,
        (_, 170_192..=170_194 | 170_218 | 170_341 | 170_371 | 170_372) => Class::Refused,
        (_, 170_381 | 170_382 | 170_810) => Class::Refused,
        // Symbols that are not traded, or not now.
        (_, 110_023 | 110_042 | 110_063 | 110_066 | 110_074 | 110_103) => Class::Refused,
        (_, 30_228 | 170_151 | 170_157 | 170_217) => Class::Refused,
        _ => Class::Unknown,
    }
}

/// True for codes that say that an order is not open: it ended, or is not there.
pub fn is_gone(code: i64) -> bool {
    matches!(code, 110_001 | 110_008 | 110_010 | 170_139 | 170_142 | 170_143 | 170_190 | 170_213)
}

/// Code and text, or, where there is none, the HTTP status, cut to fit.
pub fn reference(status: u16, code: i64, text: &str) -> VenueRef {
    if code == 0 {
        VenueRef::cut(&format!("HTTP {status}"))
    } else {
        VenueRef::cut(&format!("{code} {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_venues_table_says() {
        for (class, codes) in [
            (Class::Refused, &[10_001, 10_002, 110_007, 110_094, 170_131, 170_134, 170_140, 170_218][..]),
            (Class::Refused, &[170_115, 170_151, 110_074, 10_404]),
            (Class::Unknown, &[10_000, 10_016, 10_019, 170_007, 170_146, 110_072, 170_141, 10_014, 20_006]),
            (Class::Unknown, &[110_001, 170_213, 170_139, 40_004, 999_999, 1]),
            (Class::Throttled, &[10_006, 429, 10_429, 20_003, 10_403, 170_222]),
            (Class::Halt, &[10_003, 10_004, 10_005, 10_010, -2015, 33_004, 110_124]),
        ] {
            for code in codes {
                assert_eq!(classify(200, *code), class, "{code}");
            }
        }
        for (status, class) in [
            (500, Class::Unknown),
            (504, Class::Unknown),
            (403, Class::Throttled),
            (401, Class::Halt),
            (404, Class::Unknown),
        ] {
            assert_eq!(classify(status, 0), class, "{status}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(reference(200, 10_006, "Too many visits!").as_str(), "10006 Too many visits!");
        assert_eq!(reference(502, 0, "").as_str(), "HTTP 502");
        assert_eq!(VenueRef::cut(&"é".repeat(40)).as_str().chars().count(), 23);
    }
}
