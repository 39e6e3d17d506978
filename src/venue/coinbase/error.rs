//! What the venue's errors mean, of either product.
//!
//! Exchange answers with a status and a text, Advanced Trade with a status and a name, or with 200
//! and `success: false`. What is not known to be a refusal is taken for Unknown: every 5xx, every
//! answer that cannot be read. A page that is no JSON comes from the network in front of the venue,
//! which may have banned us.

use serde::Deserialize;

use crate::types::{Class, Nanos, VenueRef};

/// How long to stay away after a page of the network in front of the venue.
const BAN_PAUSE: Nanos = Nanos::from_secs(300);
/// How long to wait after a limit was hit: the venue's buckets refill within a second.
const LIMIT_PAUSE: Nanos = Nanos::from_secs(1);

/// Any error body, of whichever product.
#[derive(Deserialize, Default)]
struct Body {
    message: Option<String>,
    error: Option<String>,
}

/// Texts after which no order may follow, found anywhere in the text.
const HALTS: &[&str] = &[
    "invalid signature",
    "invalid api key",
    "invalid passphrase",
    "unauthorized",
    "not authorized",
    "forbidden",
    "permission_denied",
    "missing required scopes",
    "account is not available",
    "compliance",
];

/// What an answer's status and body mean: its class, its text, and when to go on for throttles.
pub fn classify(status: u16, body: &[u8], now: Nanos) -> (Class, String, Option<Nanos>) {
    let read = serde_json::from_slice::<Body>(body).ok();
    let is_page = read.is_none() && is_page(body);
    let text = match &read {
        Some(body) => body.message.clone().or(body.error.clone()).unwrap_or_default(),
        // A refused token is answered with bare text.
        None if !is_page => String::from_utf8_lossy(body.get(..64).unwrap_or(body)).trim().to_owned(),
        None => "a page that is not the venue's".to_owned(),
    };
    let text = if text.is_empty() { format!("HTTP {status}") } else { text };
    let lower = text.to_ascii_lowercase();
    if is_page && (status == 403 || status == 429) {
        return (Class::Throttled, text, Some(now + BAN_PAUSE));
    }
    let class = match status {
        429 => return (Class::Throttled, text, Some(now + LIMIT_PAUSE)),
        401 if lower.contains("timestamp") => Class::Refused,
        401 | 403 => Class::Halt,
        400 | 404 | 405 | 409 | 422 if read.is_none() => Class::Unknown,
        400..=499 if HALTS.iter().any(|words| lower.contains(words)) => Class::Halt,
        400 | 404 | 405 | 409 | 422 => Class::Refused,
        _ => Class::Unknown,
    };
    (class, text, None)
}

/// The class of a name in an Advanced Trade answer that says `success: false`.
pub fn classify_name(name: &str, message: &str) -> Class {
    let lower = message.to_ascii_lowercase();
    if HALTS.iter().any(|words| lower.contains(words)) {
        return Class::Halt;
    }
    match name {
        // Not a reason: the venue itself does not know.
        "" | "UNKNOWN" | "UNKNOWN_FAILURE_REASON" | "UNKNOWN_ERROR" => Class::Unknown,
        _ => Class::Refused,
    }
}

fn is_page(body: &[u8]) -> bool {
    let head: Vec<u8> = body.iter().take(256).map(u8::to_ascii_lowercase).collect();
    head.windows(5).any(|window| window == b"<html") || head.starts_with(b"<!doctype")
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
        let now = Nanos::from_secs(10);
        for (status, body, want, text) in [
            (
                400,
                r#"{"message":"size is too small. Minimum size is 0.001"}"#,
                Refused,
                "size is too small. Minimum size is 0.001",
            ),
            (400, r#"{"message":"Insufficient funds"}"#, Refused, "Insufficient funds"),
            (400, r#"{"message":"Cancel only mode"}"#, Refused, "Cancel only mode"),
            (400, r#"{"message":"account is not available"}"#, Halt, "account is not available"),
            (400, r#"{"error":"INVALID_ARGUMENT","code":3}"#, Refused, "INVALID_ARGUMENT"),
            (400, "garbage", Unknown, "garbage"),
            (401, r#"{"message":"request timestamp expired"}"#, Refused, "request timestamp expired"),
            (401, r#"{"message":"invalid signature"}"#, Halt, "invalid signature"),
            (401, "Unauthorized\n", Halt, "Unauthorized"),
            (
                403,
                r#"{"error":"PERMISSION_DENIED","message":"Missing required scopes"}"#,
                Halt,
                "Missing required scopes",
            ),
            (403, "<!DOCTYPE html><title>1015</title>", Throttled, "a page that is not the venue's"),
            (429, r#"{"message":"Private rate limit exceeded"}"#, Throttled, "Private rate limit exceeded"),
            (500, r#"{"message":"Internal server error"}"#, Unknown, "Internal server error"),
            (502, "<html>", Unknown, "a page that is not the venue's"),
            (504, "", Unknown, "HTTP 504"),
            (302, "", Unknown, "HTTP 302"),
        ] {
            let (class, got, retry_at) = classify(status, body.as_bytes(), now);
            assert_eq!((class, got.as_str()), (want, text), "{status} {body}");
            assert_eq!(retry_at.is_some(), want == Throttled, "{status} {body}");
        }
        assert_eq!(classify(403, b"<html>", now).2, Some(Nanos::from_secs(310)));
        for (name, message, want) in [
            ("INSUFFICIENT_FUND", "Insufficient balance in source account", Refused),
            ("INVALID_LIMIT_PRICE_POST_ONLY", "", Refused),
            ("UNSUPPORTED_ORDER_CONFIGURATION", "", Refused),
            ("UNKNOWN_FAILURE_REASON", "", Unknown),
            ("", "", Unknown),
            ("INELIGIBLE", "account is not available", Halt),
        ] {
            assert_eq!(classify_name(name, message), want, "{name}");
        }
        let long = "E:".to_owned() + &"é".repeat(40);
        assert_eq!(code(&long).as_str().len(), 46);
    }
}
