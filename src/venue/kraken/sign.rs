//! REST signatures and nonces.
//!
//! The venue's rule: `API-Sign` is base64 of HMAC-SHA-512, keyed with the decoded secret, over the
//! path followed by the SHA-256 of the nonce's text and the body. The nonce must rise with every
//! request of a key, whatever connection it takes; it is the only guard against repetition, since
//! nothing in a signature expires.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::types::Nanos;
use crate::venue::{Credentials, PreviewError};

/// Length of a signature: 64 bytes in base64.
pub const SIGNATURE: usize = 88;

/// Signs requests of one key. Keeps the HMAC state after the key, so that a signature costs two
/// compressions of SHA-512 beside the digest of the body. No `Debug`: it is as good as the secret.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha512>,
}

impl Signer {
    /// From the decoded secret.
    pub fn from_bytes(secret: &[u8]) -> Signer {
        Signer { keyed: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// From the secret as the venue hands it out, base64.
    ///
    /// # Errors
    /// When it is not base64, or empty.
    pub fn new(credentials: &Credentials) -> Result<Signer, PreviewError> {
        let decoded = STANDARD
            .decode(credentials.secret.expose_secret().trim())
            .map(Zeroizing::new)
            .map_err(|_| PreviewError::Secret("not base64"))?;
        if decoded.is_empty() {
            return Err(PreviewError::Secret("empty"));
        }
        Ok(Signer::from_bytes(&decoded))
    }

    /// Signs `body`, which holds `nonce` too, for `path` (`/0/private/AddOrder`). No allocation.
    pub fn sign(&self, path: &str, nonce: &[u8], body: &[u8]) -> [u8; SIGNATURE] {
        let mac = self.mac(path, nonce, body);
        let mut text = [0; SIGNATURE];
        // 64 bytes are 88 characters, always.
        let written = STANDARD.encode_slice(mac.finalize().into_bytes(), &mut text);
        debug_assert_eq!(written, Ok(SIGNATURE));
        text
    }

    /// Whether `signature` is what this key signs; compares in constant time.
    pub fn verify(&self, path: &str, nonce: &[u8], body: &[u8], signature: &str) -> bool {
        STANDARD
            .decode(signature)
            .is_ok_and(|signature| self.mac(path, nonce, body).verify_slice(&signature).is_ok())
    }

    fn mac(&self, path: &str, nonce: &[u8], body: &[u8]) -> Hmac<Sha512> {
        let mut mac = self.keyed.clone();
        mac.update(path.as_bytes());
        mac.update(&digest(nonce, body));
        mac
    }
}

/// SHA-256 of the nonce's text and the body.
pub fn digest(nonce: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(nonce);
    hash.update(body);
    hash.finalize().into()
}

/// How many are left where the clock is beyond the bound.
const SPARE: u64 = 1_000_000;

/// Nonces of one key: microseconds since the epoch, made to rise. A clock that steps back, or two
/// requests within a microsecond, cost nothing but a nonce ahead of its time.
#[derive(Debug)]
pub struct Nonce {
    next: u64,
    /// None from here on may be used.
    below: u64,
}

impl Nonce {
    /// `from` is above every nonce that this key has used.
    pub fn starting(from: u64) -> Nonce {
        Nonce { next: from.max(1), below: u64::MAX }
    }

    /// None from here on may be used.
    pub fn stop_below(&mut self, below: u64) {
        self.below = below;
    }

    /// Whether there is one left.
    pub fn has(&self, now: Nanos) -> bool {
        self.at(now) < self.below
    }

    fn at(&self, now: Nanos) -> u64 {
        // A clock beyond the bound is followed no further than this: some are left all the same.
        let clock = u64::try_from(now.micros()).unwrap_or(0);
        self.next.max(clock.min(self.below.saturating_sub(SPARE)))
    }

    /// A nonce above all before. `None` when there is none left: none is set aside for now, or a start
    /// value was absurd, and the key is of no more use.
    pub fn take(&mut self, now: Nanos) -> Option<u64> {
        let nonce = self.at(now);
        if nonce >= self.below {
            return None;
        }
        self.next = nonce.checked_add(1)?;
        Some(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str =
        "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";

    fn signer(secret: &str) -> Result<Signer, PreviewError> {
        Signer::new(&Credentials {
            key: "key".to_owned(),
            secret: secret.to_owned().into(),
            passphrase: None,
            generation: 0,
        })
    }

    #[test]
    fn the_published_signature_is_met() {
        let (path, nonce) = ("/0/private/AddOrder", b"1616492376594");
        let form = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
        let json = r#"{"nonce":"1616492376594","ordertype":"limit","pair":"XBTUSD","price":"37500","type":"buy","volume":"1.25"}"#;
        assert_eq!(
            const_hex::encode(digest(nonce, form.as_bytes())),
            "23a1c1b34c6a11d641af0f24684896cb90f66fb991125c83dc357bdc3dc146f1"
        );
        for (body, want) in [
            (
                form,
                "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
            ),
            (
                json,
                "r/o+GpKxXjV/mls/r5CKLu5R+yzK5psqvQ4hXxMX1nzdxTBhV+ui82QGgPZMMitpFwCOAdPEZMmXgZxD2chJEg==",
            ),
        ] {
            let signer = signer(SECRET).unwrap();
            let got = signer.sign(path, nonce, body.as_bytes());
            assert_eq!(std::str::from_utf8(&got).unwrap(), want);
            assert!(signer.verify(path, nonce, body.as_bytes(), want));
            assert!(!signer.verify(path, b"1616492376595", body.as_bytes(), want));
            assert!(!signer.verify(path, nonce, body.as_bytes(), "not base64"));
        }
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_shown() {
        for secret in ["", "not base64!"] {
            let error = signer(secret).err().unwrap().to_string();
            assert!(error.starts_with("secret: ") && (secret.is_empty() || !error.contains(secret)));
        }
    }

    #[test]
    fn no_nonce_reaches_the_bound() {
        let mut nonce = Nonce::starting(0);
        let at = |micros: i64| Nanos(micros * 1_000);
        assert_eq!(nonce.take(at(10_000_000)), Some(10_000_000));
        // The clock is beyond it: there are some left, and no more.
        nonce.stop_below(20_000_000);
        assert_eq!(nonce.take(at(30_000_000)), Some(19_000_000));
        let left = (0..2_000_000).map_while(|_| nonce.take(at(40_000_000))).last();
        assert_eq!((left, nonce.has(at(40_000_000))), (Some(19_999_999), false));
        assert_eq!(nonce.take(at(0)), None, "whatever the clock says");
        nonce.stop_below(50_000_000);
        assert_eq!(nonce.take(at(40_000_000)), Some(40_000_000));
    }

    #[test]
    fn a_nonce_never_overflows() {
        let mut nonce = Nonce::starting(u64::MAX - 1);
        assert_eq!(nonce.take(Nanos(0)), Some(u64::MAX - 1));
        assert_eq!(nonce.take(Nanos(0)), None);
        assert_eq!(nonce.take(Nanos::MAX), None);
    }

    proptest::proptest! {
        /// Whatever the clock does, and across restarts that carry on from the last nonce.
        #[test]
        fn a_nonce_rises_for_ever(
            from in 0u64..1 << 62,
            clock in proptest::collection::vec((proptest::num::i64::ANY, proptest::bool::ANY), 1..50),
        ) {
            let mut nonce = Nonce::starting(from);
            let mut last = None;
            for (now, restart) in clock {
                let taken = nonce.take(Nanos(now)).unwrap();
                proptest::prop_assert!(taken >= from && last.is_none_or(|last| taken > last));
                last = Some(taken);
                if restart {
                    nonce = Nonce::starting(taken + 1);
                }
            }
        }
    }
}
