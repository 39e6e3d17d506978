//! Signatures: HMAC-SHA256 in lower-case hex.
//!
//! What is signed of an HTTP request is its time, the key, the window, and then the query or the
//! body, byte by byte as it is sent, with nothing between. Of a WebSocket login it is
//! `GET/realtime` and the time at which the login expires; orders over a logged-in session carry no
//! signature.

use secrecy::{ExposeSecret, SecretString};

use crate::venue::PreviewError;
use crate::wire::hmac::{Absorbed, MacKey};

/// A key ready to sign. No `Debug`; wiped on drop.
pub struct Signer {
    key: MacKey,
    /// The state behind no message at all: what is signed starts with the time.
    empty: Absorbed,
}

impl Signer {
    /// Takes the secret as the text it is.
    ///
    /// # Errors
    /// [`PreviewError::Secret`], which never holds any of it.
    pub fn new(secret: &SecretString) -> Result<Signer, PreviewError> {
        let text = secret.expose_secret().trim();
        if text.is_empty() {
            return Err(PreviewError::Secret("it is empty"));
        }
        if text.starts_with("-----BEGIN") {
            return Err(PreviewError::Secret(
                "RSA keys are not supported: use a system-generated (HMAC) key",
            ));
        }
        let key = MacKey::new(text.as_bytes());
        let empty = key.absorb(b"");
        Ok(Signer { key, empty })
    }

    /// The signature of a text.
    pub fn sign(&self, text: &str) -> String {
        const_hex::encode(self.key.mac(text.as_bytes()))
    }

    /// The signature of the first `len` bytes of a buffer, over whose rest the padding is written:
    /// up to 72 bytes. `None` when it is too short for that.
    pub fn sign_in_place(&self, buffer: &mut [u8], len: usize) -> Option<[u8; 32]> {
        self.key.finish_in_place(&self.empty, buffer, len)
    }
}

/// What is signed of an HTTP request; `payload` is the query without its `?`, or the body.
pub fn request_text(time_ms: i64, key: &str, window_ms: u32, payload: &str) -> String {
    format!("{time_ms}{key}{window_ms}{payload}")
}

/// What is signed of a login.
pub fn login_text(expires_ms: i64) -> String {
    format!("GET/realtime{expires_ms}")
}

/// The login of a session.
pub fn login(key: &str, signer: &Signer, expires_ms: i64) -> String {
    let signature = signer.sign(&login_text(expires_ms));
    let key = serde_json::Value::from(key);
    format!(r#"{{"req_id":"auth","op":"auth","args":[{key},{expires_ms},"{signature}"]}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example keys of the vectors.
    fn signer() -> Signer {
        Signer::new(&SecretString::from("test_secret")).unwrap()
    }

    #[test]
    fn known_signatures_are_reproduced() {
        let signer = signer();
        let rest = |payload| request_text(1_700_000_000_000, "test_api_key", 5_000, payload);
        for (text, want) in [
            (
                rest("category=linear&symbol=BTCUSDT"),
                "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7",
            ),
            (
                rest(r#"{"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "test-order-1"}"#),
                "2df4a0603d69c08d5dea29ba85b46eb7db64ce9e9ebd34a7802a3d69700cb2a1",
            ),
            (
                login_text(1_700_000_000_000),
                "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925",
            ),
            (
                rest(concat!(
                    r#"{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.001","#,
                    r#""price":"10000","timeInForce":"IOC","orderLinkId":"arb-000001"}"#
                )),
                "747e1b25e7924d3d4e11409758235e5b0e1e65e4de54bc5f29aeaae07b4a83b3",
            ),
        ] {
            assert_eq!(signer.sign(&text), want, "{text}");
            let mut buffer = text.clone().into_bytes();
            buffer.resize(text.len() + 72, 0xaa);
            let in_place = signer.sign_in_place(&mut buffer, text.len()).unwrap();
            assert_eq!(const_hex::encode(in_place), want, "{text}");
        }
    }

    #[test]
    fn the_text_of_the_documents_example_is_made() {
        let text = request_text(
            1_658_384_314_791,
            "XXXXXXXXXX", // the key as the venue's own page prints it
            5_000,
            "category=option&symbol=BTC-29JUL22-25000-C",
        );
        assert_eq!(text, "1658384314791XXXXXXXXXX5000category=option&symbol=BTC-29JUL22-25000-C");
    }

    #[test]
    fn other_keys_are_refused_by_name() {
        for (secret, want) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("-----BEGIN PRIVATE KEY-----", "RSA keys are not supported: use a system-generated (HMAC) key"),
        ] {
            match Signer::new(&SecretString::from(secret)) {
                Err(PreviewError::Secret(why)) => assert_eq!(why, want),
                _ => panic!("taken: {want}"),
            }
        }
    }
}
