//! What the venue's errors mean.
//!
//! Errors are texts, `E<category>:<text>[:detail]`, with status 200; any other status says that
//! the request did not reach the part of the venue that answers, and so, for an order, nothing at
//! all. What is not known to be a refusal is taken for Unknown.

use crate::types::{Class, Nanos, VenueRef};

/// Categories and texts, first match wins; a text is found anywhere behind its category.
const CLASSES: &[(&str, &str, Class)] = &[
    ("EService", "Throttled", Class::Throttled),
    ("EAPI", "Rate limit exceeded", Class::Throttled),
    ("EOrder", "ate limit exceeded", Class::Throttled),
    ("EGeneral", "Temporary lockout", Class::Halt),
    ("EGeneral", "Permission denied", Class::Halt),
    ("EGeneral", "Invalid arguments", Class::Refused),
    ("EGeneral", "Unknown method", Class::Refused),
    ("EAPI", "Invalid signature", Class::Halt),
    ("EAPI", "Invalid key", Class::Halt),
    ("EAPI", "Invalid nonce", Class::Refused),
    ("EAPI", "Feature disabled", Class::Halt),
    ("EAuth", "", Class::Halt),
    ("EAccount", "", Class::Halt),
    ("EService", "Market in ", Class::Refused),
    ("ESession", "", Class::Refused),
    ("EOrder", "", Class::Refused),
    ("EQuery", "", Class::Refused),
];

/// The class of an error, and when to go on where it says so.
pub fn classify(error: &str) -> (Class, Option<Nanos>) {
    let Some((category, text)) = error.split_once(':') else { return (Class::Unknown, None) };
    let known =
        CLASSES.iter().find(|(in_category, words, _)| category == *in_category && text.contains(words));
    let class = known.map_or(Class::Unknown, |(.., class)| *class);
    let retry_at = text
        .strip_prefix("Throttled:")
        .and_then(|rest| rest.trim().parse::<i64>().ok())
        .map(Nanos::from_secs);
    (class, retry_at)
}

/// The class of an answer that is not 200.
pub fn classify_status(status: u16) -> Class {
    match status {
        429 => Class::Throttled,
        // Blocked before it reached the venue, and every further try would be.
        403 => Class::Halt,
        _ => Class::Unknown,
    }
}

/// The nonce was not above the last one that the venue saw.
pub fn is_nonce(error: &str) -> bool {
    error.starts_with("EAPI:Invalid nonce")
}

/// The session's token is of no more use.
pub fn is_session(error: &str) -> bool {
    error.starts_with("ESession:")
}

/// An error's text, cut to what a report holds.
pub fn code(error: &str) -> VenueRef {
    let mut end = error.len().min(47);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    VenueRef::new(&error[..end]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_surely_refused_is_unknown() {
        use Class::*;
        for (error, want) in [
            ("EOrder:Insufficient funds", Refused),
            ("EOrder:Tick size check failed", Refused),
            ("EOrder:Rate limit exceeded", Throttled),
            ("EOrder:Domain rate limit exceeded", Throttled),
            ("EOrder:Orders limit exceeded", Refused),
            ("EGeneral:Invalid arguments:volume", Refused),
            ("EGeneral:Internal error", Unknown),
            ("EGeneral:Permission denied", Halt),
            ("EGeneral:Temporary lockout", Halt),
            ("EService:Market in cancel_only mode", Refused),
            ("EService:Unavailable", Unknown),
            ("EService:Busy", Unknown),
            ("EService:Deadline elapsed", Unknown),
            ("EService:Throttled: 1785060000", Throttled),
            ("EAPI:Rate limit exceeded", Throttled),
            ("EAPI:Invalid signature", Halt),
            ("EAPI:Invalid nonce", Refused),
            ("EAuth:Account locked", Halt),
            ("ESession:Invalid session", Refused),
            ("EQuery:Unknown asset pair", Refused),
            ("ENew:Something", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(classify(error).0, want, "{error}");
        }
        assert_eq!(classify("EService:Throttled: 1785060000").1, Some(Nanos::from_secs(1_785_060_000)));
        assert_eq!(
            [502, 520, 504, 400, 429, 403].map(classify_status),
            [Unknown, Unknown, Unknown, Unknown, Throttled, Halt]
        );
        let long = "E:".to_owned() + &"é".repeat(40);
        assert_eq!(code(&long).as_str().len(), 46);
    }
}
