//! API keys for simulated accounts, made from a seed: both the half that the exchange checks with
//! and the half that the engine signs with.

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
        KeyForm::SharedText => {
            let text = alphanumeric(rng, 64);
            (KeySecret::Shared(text.clone().into_bytes()), text)
        }
        KeyForm::SharedBase64 => {
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
    };
    let api_key = ApiKey { account, key: key.clone(), secret: checks, rights };
    let credentials = Credentials { key, secret: SecretString::from(signs), passphrase: None, generation: 1 };
    (api_key, credentials)
}

/// What stands before the 32 bytes of an Ed25519 seed in PKCS#8 version 1 (RFC 8410).
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

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
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
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
        let KeySecret::Ed25519(public) = checks.secret else { panic!() };
        let pem = signs.secret.expose_secret();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&BASE64.decode(body).unwrap()).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(b"x", pair.sign(b"x").as_ref()).unwrap();
    }
}
