//! What the venue's codes mean.
//!
//! A code stands in the envelope, and, for each order of a request, in `sCode`, which may carry a
//! suffix behind `_`. What is not known to be a refusal is taken for Unknown; so is every answer
//! with a status of 500 and above, whatever its body says.

use crate::types::{Class, VenueRef};

/// Not found: the answer to a query.
pub const NO_SUCH_ORDER: u32 = 51_603;
/// The number by which a session knows an instrument changed, or the instrument is gone.
pub const NO_SUCH_INSTRUMENT: u32 = 51_001;
/// Too many orders and amendments of the sub-account, all instruments together.
pub const SUB_ACCOUNT_LIMIT: u32 = 50_061;

/// First and last code of a class.
const CLASSES: &[(u32, u32, Class)] = &[
    // Rate limits: not executed.
    (50_011, 50_011, Class::Throttled),
    (50_040, 50_040, Class::Throttled),
    (SUB_ACCOUNT_LIMIT, SUB_ACCOUNT_LIMIT, Class::Throttled),
    (60_014, 60_014, Class::Throttled),
    (60_023, 60_023, Class::Throttled),
    // Busy, timed out, doubled: it may be there.
    (50_001, 50_001, Class::Unknown),
    (50_004, 50_004, Class::Unknown),
    (50_013, 50_013, Class::Unknown),
    (50_026, 50_026, Class::Unknown),
    (50_042, 50_042, Class::Unknown),
    (50_064, 50_064, Class::Unknown),
    (51_011, 51_011, Class::Unknown),
    (51_016, 51_016, Class::Unknown),
    (51_054, 51_054, Class::Unknown),
    (51_149, 51_149, Class::Unknown),
    (51_412, 51_412, Class::Unknown),
    (64_007, 64_007, Class::Unknown),
    // Keys, addresses, frozen or restricted accounts, liquidation.
    (50_007, 50_007, Class::Halt),
    (50_009, 50_009, Class::Halt),
    (50_012, 50_012, Class::Halt),
    (50_017, 50_023, Class::Halt),
    (50_027, 50_030, Class::Halt),
    (50_035, 50_035, Class::Halt),
    (50_051, 50_051, Class::Halt),
    (50_059, 50_060, Class::Halt),
    (50_100, 50_101, Class::Halt),
    (50_103, 50_107, Class::Halt),
    (50_110, 50_111, Class::Halt),
    (50_113, 50_114, Class::Halt),
    (50_119, 50_121, Class::Halt),
    (51_009, 51_010, Class::Halt),
    (51_024, 51_024, Class::Halt),
    (54_008, 54_008, Class::Halt),
    (60_005, 60_005, Class::Halt),
    (60_007, 60_007, Class::Halt),
    (60_024, 60_024, Class::Halt),
    (60_032, 60_032, Class::Halt),
    // Too late by the clock, or by `expTime`: not executed.
    (50_036, 50_037, Class::Refused),
    (50_102, 50_102, Class::Refused),
    (50_112, 50_112, Class::Refused),
    // Parameters, filters, funds, caps, states of the instrument or the order.
    (50_000, 50_000, Class::Refused),
    (50_002, 50_003, Class::Refused),
    (50_014, 50_015, Class::Refused),
    (50_033, 50_033, Class::Refused),
    (51_000, 51_001, Class::Refused),
    (51_004, 51_006, Class::Refused),
    (51_008, 51_008, Class::Refused),
    (51_015, 51_015, Class::Refused),
    (51_020, 51_022, Class::Refused),
    (51_025, 51_025, Class::Refused),
    (51_027, 51_031, Class::Refused),
    (51_087, 51_087, Class::Refused),
    (51_103, 51_103, Class::Refused),
    (51_105, 51_107, Class::Refused),
    (51_111, 51_111, Class::Refused),
    (51_116, 51_116, Class::Refused),
    (51_120, 51_121, Class::Refused),
    (51_127, 51_127, Class::Refused),
    (51_131, 51_131, Class::Refused),
    (51_137, 51_138, Class::Refused),
    (51_150, 51_150, Class::Refused),
    (51_155, 51_155, Class::Refused),
    (51_174, 51_174, Class::Refused),
    (51_202, 51_203, Class::Refused),
    (51_205, 51_205, Class::Refused),
    (51_400, 51_400, Class::Refused),
    (51_410, 51_410, Class::Refused),
    (51_502, 51_503, Class::Refused),
    (51_509, 51_511, Class::Refused),
    (51_513, 51_513, Class::Refused),
    (NO_SUCH_ORDER, NO_SUCH_ORDER, Class::Refused),
    (54_030, 54_031, Class::Refused),
    (54_036, 54_036, Class::Refused),
    (54_047, 54_048, Class::Refused),
    (54_072, 54_072, Class::Refused),
    (60_011, 60_013, Class::Refused),
    (60_018, 60_019, Class::Refused),
    (60_027, 60_027, Class::Refused),
    (60_033, 60_033, Class::Refused),
];

/// The number in a code, without what stands behind `_`; zero when there is none.
pub fn number(code: &str) -> u32 {
    code.split('_').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// What a code says about the request that it answers.
pub fn classify(code: u32) -> Class {
    let known = CLASSES.iter().find(|(first, last, _)| (*first..=*last).contains(&code));
    known.map_or(Class::Unknown, |(.., class)| *class)
}

/// The same of an answer over HTTP; a code of zero = the body tells none.
pub fn classify_http(status: u16, code: u32) -> Class {
    match (status, code) {
        (500.., _) => Class::Unknown,
        (429, 0) => Class::Throttled,
        // Blocked before it reached the venue, as every further try would be.
        (403, 0) => Class::Halt,
        _ => classify(code),
    }
}

/// The time of a request was refused, or an order was too late: our clock may be off.
pub fn is_clock(code: u32) -> bool {
    matches!(code, 50_036 | 50_037 | 50_102 | 50_112 | 60_004 | 60_006)
}

/// Code and text, cut to what a report holds.
pub fn reference(code: &str, text: &str) -> VenueRef {
    VenueRef::cut(format!("{code} {text}").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_surely_refused_is_unknown() {
        use Class::*;
        for (status, code, want) in [
            (200, "51008", Refused),
            (200, "51008_1000", Refused),
            (200, "51121", Refused),
            (200, "50037", Refused),
            (200, "51006", Refused),
            (200, "50011", Throttled),
            (200, "50061", Throttled),
            (429, "50011", Throttled),
            (429, "", Throttled),
            (200, "50101", Halt),
            (401, "50113", Halt),
            (401, "50119", Halt),
            (401, "50102", Refused),
            (401, "50110", Halt),
            (403, "", Halt),
            (200, "51010", Halt),
            (200, "50004", Unknown),
            (200, "51016", Unknown),
            (200, "51054", Unknown),
            (200, "64007", Unknown),
            (503, "50001", Unknown),
            (500, "51008", Unknown),
            (200, "99999", Unknown),
            (200, "", Unknown),
            (200, "x", Unknown),
        ] {
            assert_eq!(classify_http(status, number(code)), want, "{status} {code}");
        }
    }

    #[test]
    fn the_ranges_do_not_overlap() {
        let mut sorted = CLASSES.to_vec();
        sorted.sort_by_key(|(first, ..)| *first);
        for pair in sorted.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0, "{pair:?}");
        }
        assert_eq!(VenueRef::cut(&"é".repeat(40)).as_str().len(), 46);
        assert_eq!(reference("51008", "").as_str(), "51008");
    }
}
