//! API keys for simulated accounts, made from a seed: both the half that the exchange checks with
//! and the half that the engine signs with.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use oorandom::Rand64;
use secrecy::SecretString;

use crate::types::KeyRights;
pub use crate::venue::KeyForm;
use crate::venue::{AccountId, ApiKey, Credentials, KeySecret};

/// Rights that a key for trading should have, and no more.
pub fn trading_rights() -> KeyRights {
    KeyRights {
        read: Some(true),
        trade: Some(true),
        withdraw: Some(false),
        transfer: Some(false),
        ip_bound: Some(false),
        ..KeyRights::default()
    }
}

/// Makes a key of an account. The same randomness gives the same key: for simulated money only.
pub fn make_key(
    rng: &mut Rand64,
    form: KeyForm,
    account: AccountId,
    rights: KeyRights,
) -> (ApiKey, Credentials) {
    let key = alphanumeric(rng, 64);
    let (checks, signs) = match form {
        KeyForm::SharedText | KeyForm::SharedTextPassphrase => {
            let text = alphanumeric(rng, 64);
            (KeySecret::Shared(text.clone().into_bytes()), text)
        }
        KeyForm::SharedBase64 | KeyForm::SharedBase64Passphrase => {
            let bytes = [bytes(rng), bytes(rng)].concat();
            let text = BASE64.encode(&bytes);
            (KeySecret::Shared(bytes), text)
        }
        KeyForm::Ed25519 => {
            let seed = bytes(rng);
            let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
            let mut public = [0; 32];
            public.copy_from_slice(pair.public_key().as_ref());
            let document = BASE64.encode([&PKCS8_ED25519[..], &seed].concat());
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{document}\n-----END PRIVATE KEY-----\n");
            (KeySecret::Ed25519(public), pem)
        }
        KeyForm::Es256 => {
            let mut scalar = bytes(rng);
            // Below the order of the curve, whose first byte is 0xff, and not zero.
            scalar[0] = 0x7f;
            let private = PrivateKey::from_private_key(&ECDH_P256, &scalar).expect("a scalar in range");
            let point = private.compute_public_key().expect("any key has a public half");
            let mut public = [0; 65];
            public.copy_from_slice(point.as_ref());
            let document = [&SEC1_P256_HEAD[..], &scalar, &SEC1_P256_MIDDLE, &public].concat();
            let document = BASE64.encode(document);
            let pem = format!("-----BEGIN EC PRIVATE KEY-----\n{document}\n-----END EC PRIVATE KEY-----\n");
            (KeySecret::Es256(public), pem)
        }
    };
    let with_passphrase = matches!(form, KeyForm::SharedTextPassphrase | KeyForm::SharedBase64Passphrase);
    let passphrase = with_passphrase.then(|| alphanumeric(rng, 16));
    let credentials = Credentials {
        key: key.clone(),
        secret: SecretString::from(signs),
        passphrase: passphrase.clone().map(SecretString::from),
        generation: 1,
    };
    (ApiKey { account, key, secret: checks, passphrase, rights }, credentials)
}

/// What stands before the 32 bytes of an Ed25519 seed in PKCS#8 version 1 (RFC 8410).
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What stands around the scalar and before the public point of a P-256 key in SEC1 (RFC 5915).
const SEC1_P256_HEAD: [u8; 7] = [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
const SEC1_P256_MIDDLE: [u8; 17] =
    [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00];

fn bytes(rng: &mut Rand64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_exact_mut(8) {
        chunk.copy_from_slice(&rng.rand_u64().to_le_bytes());
    }
    bytes
}

fn alphanumeric(rng: &mut Rand64, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    (0..length).map(|_| char::from(LETTERS[rng.rand_range(0..62) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, UnparsedPublicKey,
    };
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_two_halves_belong_together() {
        let make = |form| make_key(&mut Rand64::new(5), form, AccountId(1), trading_rights());
        let (checks, signs) = make(KeyForm::SharedText);
        let KeySecret::Shared(bytes) = checks.secret else { panic!() };
        assert_eq!(bytes, signs.secret.expose_secret().as_bytes());
        let (checks, signs) = make(KeyForm::SharedBase64);
        let KeySecret::Shared(bytes) = checks.secret else { panic!() };
        assert_eq!(bytes, BASE64.decode(signs.secret.expose_secret()).unwrap());
        assert_eq!(bytes.len(), 64);

        let (checks, signs) = make(KeyForm::Ed25519);
        assert_eq!(checks.key, signs.key);
        assert!(checks.passphrase.is_none() && signs.passphrase.is_none());
        let KeySecret::Ed25519(public) = checks.secret else { panic!() };
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document(&signs)).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(b"x", pair.sign(b"x").as_ref()).unwrap();

        let (checks, signs) = make(KeyForm::Es256);
        let KeySecret::Es256(public) = checks.secret else { panic!() };
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &document(&signs));
        let signature = pair.unwrap().sign(&SystemRandom::new(), b"x").unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
        public.verify(b"x", signature.as_ref()).unwrap();

        for form in [KeyForm::SharedTextPassphrase, KeyForm::SharedBase64Passphrase] {
            let (checks, signs) = make(form);
            let ours = signs.passphrase.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(checks.passphrase.as_deref(), ours);
            assert_eq!(ours.map(str::len), Some(16));
        }
    }

    fn document(signs: &Credentials) -> Vec<u8> {
        let pem = signs.secret.expose_secret();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        BASE64.decode(body).unwrap()
    }
}
