//! Signatures of requests and of the session's login.
//!
//! The venue's rule: base64 of HMAC-SHA-256, keyed with the secret's own text, over the timestamp,
//! the method, the path with its query, and the body. Requests carry the time in ISO 8601 with
//! milliseconds, the login in whole seconds; either may be thirty seconds off. The key's passphrase
//! goes along in clear. Nothing rises from request to request: what guards against a repetition is
//! the window alone.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::types::Nanos;
use crate::venue::{Credentials, PreviewError};

/// Length of a signature: 32 bytes in base64.
pub const SIGNATURE: usize = 44;

/// What a login signs in place of a path.
pub const LOGIN_PATH: &str = "/users/self/verify";

/// Signs for one key. Keeps the HMAC state behind the key, so that a signature costs the blocks of
/// its message and one more. No `Debug`: it is as good as the secret.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
}

impl Signer {
    /// From the secret's bytes.
    pub fn from_bytes(secret: &[u8]) -> Signer {
        Signer { keyed: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// From a key as the venue hands it out.
    ///
    /// # Errors
    /// When the secret is empty, or key or passphrase cannot stand in a header.
    pub fn new(credentials: &Credentials) -> Result<Signer, PreviewError> {
        let secret = credentials.secret.expose_secret().trim();
        if secret.is_empty() {
            return Err(PreviewError::Secret("empty"));
        }
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|b| (0x20..0x7f).contains(&b));
        if !printable(&credentials.key) {
            return Err(PreviewError::Secret("the key must be printable ASCII"));
        }
        if !printable(passphrase(credentials)) {
            return Err(PreviewError::Secret("the venue needs the key's passphrase too, in printable ASCII"));
        }
        Ok(Signer::from_bytes(secret.as_bytes()))
    }

    /// Signs the parts, one behind the other. No allocation.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; SIGNATURE] {
        let mut text = [0; SIGNATURE];
        // 32 bytes are 44 characters, always.
        let written = STANDARD.encode_slice(self.mac(parts).finalize().into_bytes(), &mut text);
        debug_assert_eq!(written, Ok(SIGNATURE));
        text
    }

    /// Whether `signature` is what this key signs; compares in constant time.
    pub fn verify(&self, parts: &[&[u8]], signature: &str) -> bool {
        STANDARD.decode(signature).is_ok_and(|own| self.mac(parts).verify_slice(&own).is_ok())
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// The passphrase; empty when there is none.
pub fn passphrase(credentials: &Credentials) -> &str {
    credentials.passphrase.as_ref().map_or("", |text| text.expose_secret())
}

/// A signature as text.
pub fn text(signature: &[u8; SIGNATURE]) -> String {
    signature.iter().map(|&byte| char::from(byte)).collect()
}

/// A request's timestamp.
pub fn timestamp(at: Nanos) -> String {
    at.rfc3339(3)
}

/// A login's timestamp.
pub fn login_timestamp(at: Nanos) -> String {
    at.millis().div_euclid(1_000).to_string()
}

/// The login of a session. Holds the passphrase.
pub fn login(credentials: &Credentials, signer: &Signer, now: Nanos) -> String {
    let at = login_timestamp(now);
    let signature = text(&signer.sign(&[at.as_bytes(), b"GET", LOGIN_PATH.as_bytes()]));
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "{{\"op\":\"login\",\"args\":[{{\"apiKey\":{},\"passphrase\":{},\"timestamp\":\"{at}\",\"sign\":\"{signature}\"}}]}}",
        quoted(&credentials.key),
        quoted(passphrase(credentials)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: &str, passphrase: Option<&str>) -> Credentials {
        Credentials {
            key: "KEY".to_owned(),
            secret: secret.to_owned().into(),
            passphrase: passphrase.map(|text| text.to_owned().into()),
            generation: 0,
        }
    }

    #[test]
    fn the_documents_key_signs_as_it_should() {
        let signer = Signer::new(&credentials("22582BD0CFF14C41EDBF1AB98506286D", Some("p"))).unwrap();
        for (parts, want) in [
            (
                &["2020-12-08T09:08:57.715Z", "GET", "/api/v5/account/balance?ccy=BTC"][..],
                "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY=",
            ),
            (
                &[
                    "2020-12-08T09:08:57.715Z",
                    "POST",
                    "/api/v5/trade/order",
                    r#"{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","px":"2.15","sz":"2"}"#,
                ],
                "iwrdSpN7pm4G4u8+fswZUyH6mOM48+sBF6WvKpj4Dvk=",
            ),
            (&["1704876947", "GET", "/users/self/verify"], "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="),
        ] {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            assert_eq!(text(&signer.sign(&parts)), want);
            assert!(signer.verify(&parts, want) && !signer.verify(&parts[1..], want));
            assert!(!signer.verify(&parts, "not base64"));
        }
        let at = Nanos::from_millis(1_704_876_947_900);
        let login = login(&credentials("22582BD0CFF14C41EDBF1AB98506286D", Some("p\"q")), &signer, at);
        let login: serde_json::Value = serde_json::from_str(&login).unwrap();
        assert_eq!(login["args"][0]["sign"], "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU=");
        assert_eq!(
            (&login["args"][0]["timestamp"], &login["args"][0]["passphrase"]),
            (&"1704876947".into(), &"p\"q".into())
        );
        assert_eq!(timestamp(Nanos::from_millis(1_607_418_537_715)), "2020-12-08T09:08:57.715Z");
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        for (secret, phrase) in
            [("", Some("phrase")), ("secret", None), ("secret", Some("")), ("secret", Some("a\nb"))]
        {
            let error = Signer::new(&credentials(secret, phrase)).err().unwrap().to_string();
            assert!(error.starts_with("secret: ") && !error.contains("a\nb"), "{error}");
        }
    }
}
