//! Tokens of Advanced Trade: JSON Web Tokens that the key's owner makes and signs.
//!
//! The venue's rule: a token names the key, lives two minutes at most, and for REST names the one
//! method and path that it is good for, host included and query left out; neither body nor query is
//! signed. So the token of an order can be made long before the order. Keys are of ECDSA over P-256
//! (ES256) or Ed25519 (EdDSA); a header has a nonce, so each token is used once here.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::types::Nanos;
use crate::venue::kraken::json::quoted;
use crate::venue::{Credentials, KeySecret, PreviewError};

/// The longest life that the venue gives a token, in seconds.
pub const LIFE_MAX: i64 = 120;

/// Who a token is from.
const ISSUER: &str = "cdp";

enum Key {
    Es256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Makes the tokens of one key. No `Debug`; the keys are wiped by their library.
pub struct Signer {
    key: Key,
    /// The key's name as a JSON string.
    name: String,
    nonces: u64,
}

/// What a token says, once it is proven.
#[derive(Deserialize, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The key's name.
    pub sub: String,
    /// Who made it.
    pub iss: String,
    /// Not before, in seconds.
    pub nbf: i64,
    /// Not from then on, in seconds.
    pub exp: i64,
    /// Method, host and path; absent for WebSocket.
    pub uri: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    nonce: String,
}

impl Signer {
    /// Reads the secret in any of its spellings: PEM (SEC1 or PKCS#8; line ends may be spelled
    /// out), or an Ed25519 key in base64, with or without its public half. `seed` starts the nonces.
    ///
    /// # Errors
    /// [`PreviewError::Secret`], which never holds any of it.
    pub fn new(credentials: &Credentials, seed: u64) -> Result<Signer, PreviewError> {
        let text = credentials.secret.expose_secret().trim();
        let key = if text.starts_with("-----BEGIN") { from_pem(text)? } else { from_base64(text)? };
        if credentials.key.is_empty() {
            return Err(PreviewError::Secret("the key's name is empty"));
        }
        Ok(Signer { key, name: quoted(&credentials.key), nonces: seed })
    }

    /// `ES256` or `EdDSA`.
    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Es256(_) => "ES256",
            Key::Ed25519(_) => "EdDSA",
        }
    }

    /// A nonce that this signer has not given before: two well mixed counters.
    pub fn nonce(&mut self) -> String {
        let mut mixed = || {
            self.nonces = self.nonces.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.nonces ^ (self.nonces >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        format!("{:016x}{:016x}", mixed(), mixed())
    }

    /// A token good from `now` on for `life` seconds, and for `uri` alone where one is given.
    pub fn token(&mut self, uri: Option<&str>, now: Nanos, life: i64) -> Zeroizing<String> {
        let nonce = self.nonce();
        self.token_with(&nonce, uri, now.0.div_euclid(1_000_000_000), life)
    }

    /// [`Signer::token`] with a given nonce, from a given second on.
    pub fn token_with(&self, nonce: &str, uri: Option<&str>, from: i64, life: i64) -> Zeroizing<String> {
        let mut token = Zeroizing::new(self.signing_input(nonce, uri, from, life));
        let signature = self.sign(token.as_bytes());
        token.reserve_exact(1 + 86);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// What a token's signature is over: header and claims.
    pub fn signing_input(&self, nonce: &str, uri: Option<&str>, from: i64, life: i64) -> String {
        let until = from + life.clamp(1, LIFE_MAX);
        let header = format!(
            "{{\"alg\":\"{}\",\"kid\":{},\"nonce\":\"{nonce}\",\"typ\":\"JWT\"}}",
            self.algorithm(),
            self.name
        );
        let uri = uri.map_or(String::new(), |uri| format!(",\"uri\":{}", quoted(uri)));
        let claims =
            format!("{{\"sub\":{},\"iss\":\"{ISSUER}\",\"nbf\":{from},\"exp\":{until}{uri}}}", self.name);
        // Room for the signature, so that the token does not move while it grows.
        let mut text = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 96);
        URL_SAFE_NO_PAD.encode_string(header, &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut text);
        text
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        match &self.key {
            // The library signs with a key that it has checked, and has its own randomness.
            Key::Es256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message).expect("a sound key signs");
                signature.copy_from_slice(signed.as_ref());
            }
            Key::Ed25519(pair) => signature.copy_from_slice(pair.sign(message).as_ref()),
        }
        signature
    }
}

fn from_pem(text: &str) -> Result<Key, PreviewError> {
    // A PEM may have come through JSON or an environment variable with its line ends spelled out.
    let text = Zeroizing::new(text.replace("\\n", "\n"));
    let ec = text.starts_with("-----BEGIN EC PRIVATE KEY-----");
    if !ec && !text.starts_with("-----BEGIN PRIVATE KEY-----") {
        return Err(PreviewError::Secret("expected an unencrypted `EC PRIVATE KEY` or `PRIVATE KEY`"));
    }
    let body: Zeroizing<String> = Zeroizing::new(
        text.lines().filter(|line| !line.starts_with("-----")).flat_map(|line| line.trim().chars()).collect(),
    );
    let der = STANDARD
        .decode(body.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| PreviewError::Secret("the PEM's body is not base64"))?;
    if let Ok(pair) = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der) {
        return Ok(Key::Es256(Box::new(pair)));
    }
    match Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
        Ok(pair) if !ec => Ok(Key::Ed25519(Box::new(pair))),
        _ => Err(PreviewError::Secret("neither a P-256 nor an Ed25519 key")),
    }
}

fn from_base64(text: &str) -> Result<Key, PreviewError> {
    let wrong = PreviewError::Secret("expected a PEM, or base64 of a 32-byte seed or of seed and public key");
    let bytes = STANDARD.decode(text).map(Zeroizing::new).map_err(|_| wrong.clone())?;
    let (seed, public) = bytes.split_at_checked(32).ok_or(wrong.clone())?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| wrong.clone())?;
    match public {
        [] => {}
        public if public == pair.public_key().as_ref() => {}
        [..] if public.len() == 32 => {
            return Err(PreviewError::Secret("its public half does not belong to its seed"));
        }
        _ => return Err(wrong),
    }
    Ok(Key::Ed25519(Box::new(pair)))
}

/// The name of the key that a token claims to be of; nothing of it is proven.
pub fn claimed_key(token: &str) -> Option<String> {
    Some(header(token)?.kid)
}

fn header(token: &str) -> Option<Header> {
    let (header, _) = token.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

/// What a token says and its nonce, when it is signed by that key, named as such, and good at that
/// time.
pub fn verify(secret: &KeySecret, name: &str, token: &str, now: Nanos) -> Option<(Claims, String)> {
    let header = header(token)?;
    let (message, signature) = token.rsplit_once('.')?;
    let (_, claims) = message.split_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let sound = match (secret, header.alg.as_str()) {
        (KeySecret::Es256(public), "ES256") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify(message.as_bytes(), &signature)
            .is_ok(),
        (KeySecret::Ed25519(public), "EdDSA") => {
            UnparsedPublicKey::new(&ED25519, public).verify(message.as_bytes(), &signature).is_ok()
        }
        _ => false,
    };
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let named = header.kid == name && claims.sub == name && claims.iss == ISSUER;
    let seconds = now.0.div_euclid(1_000_000_000);
    let timely =
        claims.nbf <= seconds && seconds < claims.exp && claims.exp.checked_sub(claims.nbf)? <= LIFE_MAX;
    (sound && named && timely).then_some((claims, header.nonce))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::keys::{KeyForm, make_key, trading_rights};
    use crate::venue::AccountId;
    use secrecy::SecretString;

    const NAME: &str = "organizations/o/apiKeys/k";
    const NONCE: &str = "00112233445566778899aabbccddeeff";
    const URI: &str = "GET api.coinbase.com/api/v3/brokerage/accounts";

    fn credentials(secret: &str) -> Credentials {
        Credentials {
            key: NAME.to_owned(),
            secret: SecretString::from(secret),
            passphrase: None,
            generation: 0,
        }
    }

    fn seed() -> Vec<u8> {
        (0..32).collect()
    }

    #[test]
    fn the_ed25519_vector_is_reproduced_from_every_spelling() {
        let want = "hi0vjIY-J4c2GyGEsYzqbjMMofqM9vzEeURmgfCEaUt7brflUaeOnhIjr92OHWmUqFanoaUv7edXsSYr6MoGDA";
        let public = Ed25519KeyPair::from_seed_unchecked(&seed()).unwrap().public_key().as_ref().to_vec();
        let pkcs8 = [
            &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]
                [..],
            &seed(),
        ]
        .concat();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n",
            STANDARD.encode(pkcs8)
        );
        for secret in [STANDARD.encode(seed()), STANDARD.encode([seed(), public].concat()), pem] {
            let signer = Signer::new(&credentials(&secret), 0).unwrap();
            let token = signer.token_with(NONCE, Some(URI), 1_700_000_000, 120);
            let parts: Vec<&str> = token.split('.').collect();
            let decoded = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
            assert_eq!(
                decoded(parts[0]),
                format!(r#"{{"alg":"EdDSA","kid":"{NAME}","nonce":"{NONCE}","typ":"JWT"}}"#)
            );
            assert_eq!(
                decoded(parts[1]),
                format!(r#"{{"sub":"{NAME}","iss":"cdp","nbf":1700000000,"exp":1700000120,"uri":"{URI}"}}"#)
            );
            assert_eq!(parts[2], want);
        }
    }

    #[test]
    fn tokens_of_both_kinds_are_proven_and_forged_ones_are_not() {
        let now = Nanos::from_secs(1_700_000_000);
        for form in [KeyForm::Es256, KeyForm::Ed25519] {
            let make =
                |seed| make_key(&mut oorandom::Rand64::new(seed), form, AccountId(0), trading_rights());
            let (checks, signs) = make(5);
            let (other, _) = make(6);
            let mut signer = Signer::new(&signs, 1).unwrap();
            let token = signer.token(Some(URI), now, 30);
            let (claims, nonce) = verify(&checks.secret, &checks.key, &token, now).unwrap();
            assert_eq!((claims.uri.as_deref(), claims.exp - claims.nbf, nonce.len()), (Some(URI), 30, 32));
            assert_eq!(claimed_key(&token), Some(checks.key.clone()));
            let refused = |secret, name: &str, token: &str, at| verify(secret, name, token, at).is_none();
            assert!(refused(&other.secret, &checks.key, &token, now), "another key");
            assert!(refused(&checks.secret, "another", &token, now), "another name");
            for (at, good) in [(-1, false), (0, true), (29, true), (30, false)] {
                let at = now + Nanos::from_secs(at);
                assert_eq!(verify(&checks.secret, &checks.key, &token, at).is_some(), good, "{at:?}");
            }
            let (head, rest) = token.split_once('.').unwrap();
            let (_, tail) = rest.split_once('.').unwrap();
            let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"x","iss":"cdp","nbf":0,"exp":1}"#);
            assert!(refused(&checks.secret, &checks.key, &format!("{head}.{claims}.{tail}"), now));
            for broken in ["", ".", "..", "a.b.c", "é.é.é"] {
                assert!(refused(&checks.secret, &checks.key, broken, now), "{broken}");
            }
            assert_ne!(signer.token(None, now, 30), token, "a nonce is new each time");
        }
    }

    #[test]
    fn other_secrets_are_refused_by_name() {
        let swapped = STANDARD.encode([seed(), seed()].concat());
        for (secret, want) in [
            ("", "expected a PEM, or base64 of a 32-byte seed or of seed and public key"),
            ("AAAA", "expected a PEM, or base64 of a 32-byte seed or of seed and public key"),
            (&swapped, "its public half does not belong to its seed"),
            ("-----BEGIN RSA PRIVATE KEY-----", "expected an unencrypted `EC PRIVATE KEY` or `PRIVATE KEY`"),
            (
                "-----BEGIN EC PRIVATE KEY-----\n!\n-----END EC PRIVATE KEY-----",
                "the PEM's body is not base64",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
                "neither a P-256 nor an Ed25519 key",
            ),
        ] {
            match Signer::new(&credentials(secret), 0) {
                Err(PreviewError::Secret(why)) => assert_eq!(why, want),
                _ => panic!("taken: {want}"),
            }
        }
    }
}
