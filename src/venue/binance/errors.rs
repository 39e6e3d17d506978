//! The venue's error codes and what they mean for an order.
//!
//! What is not in the table is [`Class::Unknown`]: a code that we do not know proves nothing about
//! the order. So does a server error, whatever its body says.

use serde::Deserialize;

use super::symbol::Market;
use crate::types::{Class, VenueRef};

/// An error as the venue writes it.
#[derive(Deserialize, Debug, Clone, PartialEq)]
pub struct ApiError {
    /// Its code, negative.
    pub code: i64,
    /// Its text.
    #[serde(default)]
    pub msg: String,
    /// What some errors add.
    #[serde(default)]
    pub data: Option<serde_json::Value>,
}

/// No such order now: to a cancel.
pub const UNKNOWN_ORDER: i64 = -2011;
/// No such order now: to a query.
pub const NO_SUCH_ORDER: i64 = -2013;
/// The timestamp is outside the window.
pub const BAD_TIME: i64 = -1021;
/// A listen key that expired, or never was.
pub const NO_LISTEN_KEY: i64 = -1125;
/// The key, its address or its rights.
pub const BAD_KEY: i64 = -2015;

/// Texts of -2010 that concern the account, not the order.
const HALTING_TEXTS: [&str; 3] = [
    "This account may not place or cancel orders.",
    "This action is disabled on this account.",
    "This account is not allowed to place orders.",
];

/// What an error says about the request that it answers.
pub fn classify(market: Market, status: u16, code: i64, text: &str) -> Class {
    match market {
        Market::Spot => of_spot(status, code, text),
        Market::UsdM | Market::CoinM => {
            of_futures(status, code).unwrap_or_else(|| of_spot(status, code, text))
        }
    }
}

/// Codes that futures have, or mean otherwise.
fn of_futures(status: u16, code: i64) -> Option<Class> {
    Some(match (status, code) {
        (418 | 429 | 500.., _) => return None,
        // The key or the account may not trade, or holds two positions a symbol.
        (_, -2017 | -2023 | -4061 | -4189 | -4400 | -4401) => Class::Halt,
        // Ours was there before: it may well be the same order, so its fate must be asked. COIN-M's table
        // has the latter of the two, and only for transfers.
        (_, -4116 | -4111) => Class::Unknown,
        // Balance, margin, reduce-only, leverage; fill-or-kill, post-only, and a time that was past
        // when the order reached the engine.
        (_, -2028..=-2018 | -5028..=-5021 | -4999..=-4000) => Class::Refused,
        _ => return None,
    })
}

fn of_spot(status: u16, code: i64, text: &str) -> Class {
    match (status, code) {
        (418, _) => Class::Halt,
        (429, _) => Class::Throttled,
        (500.., _) => Class::Unknown,
        (_, -1003 | -1015 | -1034) => Class::Throttled,
        // It answers from before, within or behind the matching engine: nobody knows.
        (_, -1000 | -1001 | -1006 | -1007 | -1008) => Class::Unknown,
        (_, -1002 | -1016 | -1022 | -2014 | BAD_KEY) => Class::Halt,
        (_, -2010) if HALTING_TEXTS.iter().any(|halting| text.starts_with(halting)) => Class::Halt,
        // Ours was there before: it may well be the same order, so its fate must be asked.
        (_, -2010) if text.starts_with("Duplicate order") => Class::Unknown,
        (_, BAD_TIME | -1013 | -1014 | -1020 | -2010 | -2021 | -2022 | -2038 | -2039) => Class::Refused,
        (_, -1199..=-1100) => Class::Refused,
        // A cancel or amend of an order that is not open: it ended, or is not there yet.
        (_, UNKNOWN_ORDER | NO_SUCH_ORDER) => Class::Unknown,
        _ => Class::Unknown,
    }
}

/// Code and text, cut to fit.
pub fn reference(code: i64, text: &str) -> VenueRef {
    VenueRef::cut(&format!("{code} {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_venues_table_says() {
        for (status, code, text, want) in [
            (400, -2010, "Account has insufficient balance for requested action.", Class::Refused),
            (400, -2010, "Duplicate order sent.", Class::Unknown),
            (400, -2010, "This action is disabled on this account.", Class::Halt),
            (400, -2010, "Order would immediately match and take.", Class::Refused),
            (400, -1013, "Filter failure: LOT_SIZE", Class::Refused),
            (400, -1111, "Precision is over the maximum defined for this asset.", Class::Refused),
            (400, -1121, "Invalid symbol.", Class::Refused),
            (400, -1021, "Timestamp for this request is outside of the recvWindow.", Class::Refused),
            (400, -1022, "Signature for this request is not valid.", Class::Halt),
            (401, -2015, "Invalid API-key, IP, or permissions for action.", Class::Halt),
            (429, -1003, "Too many requests.", Class::Throttled),
            (429, -1015, "Too many new orders.", Class::Throttled),
            (418, -1003, "Way too many requests; IP banned.", Class::Halt),
            (500, -1007, "Timeout waiting for response from backend server.", Class::Unknown),
            (503, -2010, "anything", Class::Unknown),
            (408, -1007, "Timeout", Class::Unknown),
            (400, -9999, "a code of tomorrow", Class::Unknown),
        ] {
            assert_eq!(classify(Market::Spot, status, code, text), want, "{status} {code} {text}");
        }
        for (status, code, want) in [
            (400, -2019, Class::Refused),
            (400, -2022, Class::Refused),
            (400, -4164, Class::Refused),
            (400, -5021, Class::Refused),
            (400, -5022, Class::Refused),
            (400, -5028, Class::Refused),
            (400, -4116, Class::Unknown),
            (400, -4111, Class::Unknown),
            (400, -4178, Class::Refused),
            (400, -4197, Class::Refused),
            (400, -4061, Class::Halt),
            (400, -2015, Class::Halt),
            (400, -1021, Class::Refused),
            (400, -2013, Class::Unknown),
            (429, -1015, Class::Throttled),
            (408, -1007, Class::Unknown),
            (503, -2019, Class::Unknown),
            (400, -1008, Class::Unknown),
        ] {
            assert_eq!(classify(Market::UsdM, status, code, ""), want, "{status} {code}");
            assert_eq!(classify(Market::CoinM, status, code, ""), want, "{status} {code}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(reference(-1013, "Filter failure: LOT_SIZE").as_str(), "-1013 Filter failure: LOT_SIZE");
        assert_eq!(VenueRef::cut(&"é".repeat(40)).as_str().chars().count(), 23);
    }
}
