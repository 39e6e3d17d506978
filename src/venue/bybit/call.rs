//! Requests in no hurry: one description, sent over REST or, where the venue takes it there, over
//! the session.

use std::fmt::Write;

use super::sign::{Signer, request_text};
use crate::types::Nanos;
use crate::venue::HttpRequest;

/// A parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, quoted in a body.
    Text(String),
    /// An integer.
    Integer(i64),
}

/// A request by both its names.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The session's name for it; empty where it has none.
    pub op: &'static str,
    /// `GET` or `POST`.
    pub verb: &'static str,
    /// REST path.
    pub path: &'static str,
    /// Parameters: the query of a `GET`, the body of a `POST`.
    pub params: Vec<(&'static str, Value)>,
    /// Needs key, time and signature.
    pub signed: bool,
}

impl Call {
    /// A question, without parameters.
    pub fn get(path: &'static str) -> Call {
        Call { op: "", verb: "GET", path, params: Vec::new(), signed: true }
    }

    /// A demand, without parameters.
    pub fn post(op: &'static str, path: &'static str) -> Call {
        Call { op, verb: "POST", path, params: Vec::new(), signed: true }
    }

    /// The same without key and signature.
    pub fn public(self) -> Call {
        Call { signed: false, ..self }
    }

    /// Adds a text.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Call {
        self.params.push((name, Value::Text(value.into())));
        self
    }

    /// Adds an integer.
    pub fn with_integer(mut self, name: &'static str, value: i64) -> Call {
        self.params.push((name, Value::Integer(value)));
        self
    }

    fn query(&self) -> String {
        let mut query = String::new();
        for (name, value) in &self.params {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            match value {
                Value::Text(text) => query.push_str(&percent_encode(text)),
                Value::Integer(value) => _ = write!(query, "{value}"),
            }
        }
        query
    }

    /// The parameters as an object, in their order.
    fn body(&self) -> String {
        let fields = self.params.iter().map(|(name, value)| match value {
            Value::Text(text) => format!("\"{name}\":{}", serde_json::Value::from(text.as_str())),
            Value::Integer(value) => format!("\"{name}\":{value}"),
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }

    /// The REST request.
    pub fn http(&self, key: &str, signer: &Signer, window_ms: u32, time: Nanos) -> HttpRequest {
        let (mut target, mut body) = (self.path.to_owned(), String::new());
        let payload = if self.verb == "GET" {
            let query = self.query();
            if !query.is_empty() {
                target.push('?');
                target.push_str(&query);
            }
            query
        } else {
            body = self.body();
            body.clone()
        };
        let mut headers = Vec::new();
        if self.verb == "POST" {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        if self.signed {
            headers.extend(signed_headers(key, signer, window_ms, time.millis(), &payload));
        }
        HttpRequest { method: self.verb, target, headers, body: body.into_bytes() }
    }

    /// The session's request.
    pub fn frame(&self, id: &str, window_ms: u32, time: Nanos) -> String {
        let header =
            format!(r#"{{"X-BAPI-TIMESTAMP":"{}","X-BAPI-RECV-WINDOW":"{window_ms}"}}"#, time.millis());
        format!(r#"{{"reqId":"{id}","header":{header},"op":"{}","args":[{}]}}"#, self.op, self.body())
    }
}

/// The headers that carry a signature.
pub fn signed_headers(
    key: &str,
    signer: &Signer,
    window_ms: u32,
    time_ms: i64,
    payload: &str,
) -> [(&'static str, String); 5] {
    let signature = signer.sign(&request_text(time_ms, key, window_ms, payload));
    [
        ("X-BAPI-API-KEY", key.to_owned()),
        ("X-BAPI-RECV-WINDOW", window_ms.to_string()),
        ("X-BAPI-SIGN-TYPE", "2".to_owned()),
        ("X-BAPI-TIMESTAMP", time_ms.to_string()),
        ("X-BAPI-SIGN", signature),
    ]
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    #[test]
    fn what_is_signed_is_what_is_sent() {
        let signer = Signer::new(&SecretString::from("test_secret")).unwrap();
        let (time, key) = (Nanos::from_millis(1_700_000_000_000), "test_api_key");
        let get = Call::get("/v5/order/realtime").with("category", "linear").with("symbol", "BTCUSDT");
        let request = get.http(key, &signer, 5_000, time);
        assert_eq!(request.target, "/v5/order/realtime?category=linear&symbol=BTCUSDT");
        let sign = |request: &HttpRequest| request.headers.last().cloned().unwrap();
        let known = "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7";
        assert_eq!(sign(&request), ("X-BAPI-SIGN", known.to_owned()));
        assert!(request.body.is_empty());

        let post =
            Call::post("order.cancel", "/v5/order/cancel").with("orderLinkId", "a\"b").with_integer("n", 3);
        let request = post.http(key, &signer, 5_000, time);
        assert_eq!(request.body, br#"{"orderLinkId":"a\"b","n":3}"#);
        let text = request_text(1_700_000_000_000, key, 5_000, r#"{"orderLinkId":"a\"b","n":3}"#);
        assert_eq!(sign(&request).1, signer.sign(&text));
        assert_eq!(
            post.frame("n1", 5_000, time),
            r#"{"reqId":"n1","header":{"X-BAPI-TIMESTAMP":"1700000000000","X-BAPI-RECV-WINDOW":"5000"},"op":"order.cancel","args":[{"orderLinkId":"a\"b","n":3}]}"#
        );

        let public = Call::get("/v5/market/time").public().http(key, &signer, 5_000, time);
        assert_eq!((public.target.as_str(), public.headers.len()), ("/v5/market/time", 0));
    }

    #[test]
    fn cursors_are_encoded() {
        assert_eq!(percent_encode("a%3A1,b=c"), "a%253A1%2Cb%3Dc");
    }
}
