//! Signatures of Exchange: HMAC-SHA256 in base64, beside a passphrase.
//!
//! The venue's rule: the signature is over the time in seconds, the method, the path with its query
//! and the body, keyed with the decoded secret, and is good for 30 seconds around that time. There
//! is no nonce: within that time a request can be repeated, and only the order's own id says that
//! it was.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::types::Nanos;
use crate::venue::{Credentials, PreviewError};
use crate::wire::hmac::MacKey;

/// How far a request's time may be from the venue's.
pub const WINDOW: Nanos = Nanos::from_secs(30);

/// Length of a signature: 32 bytes in base64.
pub const SIGNATURE: usize = 44;

/// What the WebSocket's login signs.
pub const VERIFY: &str = "/users/self/verify";

/// Signs the requests of one key. No `Debug`; all of it is wiped on drop.
pub struct Signer {
    mac: MacKey,
    key: String,
    passphrase: SecretString,
}

impl Signer {
    /// From the secret as the venue hands it out, base64.
    ///
    /// # Errors
    /// When it is not base64, or empty, or there is no passphrase.
    pub fn new(credentials: &Credentials) -> Result<Signer, PreviewError> {
        let decoded = STANDARD
            .decode(credentials.secret.expose_secret().trim())
            .map(Zeroizing::new)
            .map_err(|_| PreviewError::Secret("not base64"))?;
        if decoded.is_empty() {
            return Err(PreviewError::Secret("empty"));
        }
        let passphrase = credentials.passphrase.clone();
        let passphrase = passphrase.ok_or(PreviewError::Secret("a passphrase belongs to it"))?;
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain(passphrase.expose_secret()) || !plain(&credentials.key) {
            return Err(PreviewError::Secret("key and passphrase are visible ASCII"));
        }
        Ok(Signer { mac: MacKey::new(&decoded), key: credentials.key.clone(), passphrase })
    }

    /// The public half of the key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What goes with the key in every request.
    pub fn passphrase(&self) -> &str {
        self.passphrase.expose_secret()
    }

    /// The signature of a message that is whole.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        encode(&self.mac.mac(message))
    }

    /// The signature of the first `len` bytes of `message`, whose padding is written behind them.
    /// Nothing is allocated; `None` when there is no room.
    pub fn sign_in_place(&self, message: &mut [u8], len: usize) -> Option<[u8; SIGNATURE]> {
        let nothing = self.mac.absorb(&[]);
        Some(encode(&self.mac.finish_in_place(&nothing, message, len)?))
    }

    /// The headers of a request at that second.
    pub fn headers(
        &self,
        second: i64,
        method: &str,
        target: &str,
        body: &str,
    ) -> Vec<(&'static str, String)> {
        let signature = self.sign(format!("{second}{method}{target}{body}").as_bytes());
        vec![
            ("CB-ACCESS-KEY", self.key.clone()),
            ("CB-ACCESS-SIGN", text(&signature)),
            ("CB-ACCESS-TIMESTAMP", second.to_string()),
            ("CB-ACCESS-PASSPHRASE", self.passphrase().to_owned()),
        ]
    }
}

fn encode(mac: &[u8; 32]) -> [u8; SIGNATURE] {
    let mut text = [0; SIGNATURE];
    // 32 bytes are 44 characters, always.
    let written = STANDARD.encode_slice(mac, &mut text);
    debug_assert_eq!(written, Ok(SIGNATURE));
    text
}

/// A signature as text.
pub fn text(signature: &[u8; SIGNATURE]) -> String {
    signature.iter().map(|&byte| char::from(byte)).collect()
}

/// The whole second that a request names.
pub fn second(now: Nanos) -> i64 {
    now.0.div_euclid(1_000_000_000)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Base64 of the bytes 0 to 63.
    pub const SECRET: &str =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

    pub fn credentials(secret: &str, passphrase: Option<&str>) -> Credentials {
        Credentials {
            key: "APIKEY".to_owned(),
            secret: SecretString::from(secret),
            passphrase: passphrase.map(SecretString::from),
            generation: 3,
        }
    }

    #[test]
    fn the_vectors_are_reproduced() {
        let signer = Signer::new(&credentials(SECRET, Some("PASS"))).unwrap();
        for (message, want) in [
            ("1700000000GET/users/self/verify", "4w5N81jN+R8BEl+8gu26Lel0jalXF5uTezix+T8v9eY="),
            (
                r#"1700000000POST/orders{"type":"limit","side":"buy","product_id":"BTC-USD","price":"100.00","size":"0.01","time_in_force":"IOC"}"#,
                "7jaS7rrSgcA/zpZOMx1Eb+n64ZI5NkTTWtwrFI91Ovs=",
            ),
            ("1700000000GET/orders?status=open", "pZPTGrSfkT3y7IlU0d5lAr+PFB58dY+pM/jsgCdUE54="),
            (
                "1700000000DELETE/orders/client:496ffbba-7dae-4864-b7e8-a5bf52c6d0e2?product_id=BTC-USD",
                "nNN6lBzjWXPEI3pJxRo8y3wQA/GBbZEYzLJPyw5jF18=",
            ),
            (
                "20231114-22:13:20.000\u{1}A\u{1}1\u{1}APIKEY\u{1}Coinbase\u{1}PASS",
                "c4nIStN9hLw97CPThKcBRJbb7vHoq9Y62oSyWbrNmaE=",
            ),
        ] {
            assert_eq!(text(&signer.sign(message.as_bytes())), want, "{message}");
            let mut room = message.as_bytes().to_vec();
            room.resize(message.len() + 128, 7);
            let signed = signer.sign_in_place(&mut room, message.len()).unwrap();
            assert_eq!(text(&signed), want, "{message}");
        }
    }

    #[test]
    fn other_secrets_are_refused_by_name() {
        for (secret, passphrase, want) in [
            ("!", Some("p"), "not base64"),
            ("", Some("p"), "empty"),
            (SECRET, None, "a passphrase belongs to it"),
            (SECRET, Some("a\r\nb"), "key and passphrase are visible ASCII"),
        ] {
            match Signer::new(&credentials(secret, passphrase)) {
                Err(PreviewError::Secret(why)) => assert_eq!(why, want),
                _ => panic!("taken: {want}"),
            }
        }
    }
}
