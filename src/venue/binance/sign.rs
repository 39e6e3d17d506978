//! Signatures of requests.
//!
//! Two kinds of key, told apart by the secret's own spelling. HMAC: the secret is plain text, and
//! a signature is lower-case hex. Ed25519: the secret is a PKCS#8 key (PEM or its base64) or a seed,
//! and a signature is base64. What is signed differs by channel: over REST the parameters in the
//! order they are sent, values percent-encoded, the query directly followed by the body; over the
//! WebSocket API all parameters but the signature in alphabetical order, not encoded.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::venue::PreviewError;
use crate::wire::hmac::MacKey;

/// A key ready to sign. No `Debug`; HMAC states are wiped on drop, Ed25519 keys by their library.
pub enum Signer {
    /// A shared secret.
    Hmac(MacKey),
    /// A private key.
    Ed25519(Box<Ed25519KeyPair>),
}

/// Longest signature as text, percent-encoded base64 of 64 bytes.
pub const MAX_SIGNATURE: usize = 88 * 3;

/// An RSA key's algorithm identifier inside PKCS#8 (1.2.840.113549.1.1.1).
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

impl Signer {
    /// Reads a secret in any of its spellings: PEM, base64 of a PKCS#8 key, base64 of a 32-byte
    /// seed, `ed25519:` and a seed in hex, or else an HMAC secret as it stands.
    ///
    /// # Errors
    /// [`PreviewError::Secret`], which never holds any of it.
    pub fn new(secret: &SecretString) -> Result<Signer, PreviewError> {
        let text = secret.expose_secret().trim();
        if text.is_empty() {
            return Err(PreviewError::Secret("it is empty"));
        }
        if let Some(seed) = text.strip_prefix("ed25519:") {
            let mut bytes = Zeroizing::new([0u8; 32]);
            const_hex::decode_to_slice(seed.trim(), &mut *bytes)
                .map_err(|_| PreviewError::Secret("expected 64 hex digits after `ed25519:`"))?;
            return Signer::from_seed(&*bytes);
        }
        if text.starts_with("-----BEGIN") {
            return Signer::from_pem(text);
        }
        // An HMAC secret is 64 letters and digits; base64 of a seed is 44 characters with padding
        // and base64 of an Ed25519 PKCS#8 key starts with its fixed header.
        match STANDARD.decode(text).map(Zeroizing::new) {
            Ok(der) if der.len() == 32 && text.ends_with('=') => Signer::from_seed(&der),
            Ok(der) if text.starts_with("MC4CAQAw") || text.starts_with("MFMCAQEw") => Signer::from_der(&der),
            Ok(der) if text.starts_with("MII") && der.len() > 600 => Signer::from_der(&der),
            _ => Ok(Signer::Hmac(MacKey::new(text.as_bytes()))),
        }
    }

    fn from_pem(text: &str) -> Result<Signer, PreviewError> {
        if text.starts_with("-----BEGIN RSA") {
            return Err(PreviewError::Secret("RSA keys are not supported: use Ed25519 or HMAC"));
        }
        if !text.starts_with("-----BEGIN PRIVATE KEY-----") {
            return Err(PreviewError::Secret("expected an unencrypted PKCS#8 `PRIVATE KEY`"));
        }
        // A PEM may have come through an environment variable with its line ends spelled out.
        let body: Zeroizing<String> = Zeroizing::new(
            text.replace("\\n", "\n")
                .lines()
                .filter(|line| !line.starts_with("-----"))
                .flat_map(|line| line.trim().chars())
                .collect(),
        );
        let der = STANDARD
            .decode(body.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| PreviewError::Secret("the PEM's body is not base64"))?;
        Signer::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Signer, PreviewError> {
        if der.windows(RSA_OID.len()).any(|window| window == RSA_OID) {
            return Err(PreviewError::Secret("RSA keys are not supported: use Ed25519 or HMAC"));
        }
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map(|pair| Signer::Ed25519(Box::new(pair)))
            .map_err(|_| PreviewError::Secret("not a PKCS#8 Ed25519 key"))
    }

    fn from_seed(seed: &[u8]) -> Result<Signer, PreviewError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(|pair| Signer::Ed25519(Box::new(pair)))
            .map_err(|_| PreviewError::Secret("not a 32-byte Ed25519 seed"))
    }

    /// True for keys that the venue lets log a session in, so that its orders need no signature.
    pub fn can_log_on(&self) -> bool {
        matches!(self, Signer::Ed25519(_))
    }

    /// The public half of an Ed25519 key.
    pub fn public_key(&self) -> Option<[u8; 32]> {
        match self {
            Signer::Hmac(_) => None,
            Signer::Ed25519(pair) => pair.public_key().as_ref().try_into().ok(),
        }
    }

    /// The signature of `payload` as the WebSocket API takes it: hex or plain base64.
    pub fn sign(&self, payload: &[u8]) -> String {
        match self {
            Signer::Hmac(key) => const_hex::encode(key.mac(payload)),
            Signer::Ed25519(pair) => STANDARD.encode(pair.sign(payload)),
        }
    }

    /// The signature of `payload` as it stands in a URL.
    pub fn sign_url(&self, payload: &[u8]) -> String {
        percent_encode(&self.sign(payload))
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out
}

/// Undoes percent-encoding; `None` when it is broken or not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            _ => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    const FUTURES: &str = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u";
    const SEED: &str = "8244616b4606b8400a66fd0efcbea9af1611fd2540e975b3808b20007d9bcf6e";

    #[track_caller]
    fn check(secret: &str, payload: &str, want: &str) {
        let signer = Signer::new(&SecretString::from(secret)).expect("a secret");
        assert_eq!(signer.sign(payload.as_bytes()), want, "{payload}");
    }

    #[test]
    fn the_documents_hmac_examples_are_reproduced() {
        let tail = "recvWindow=5000&timestamp=1499827319559";
        for (payload, want) in [
            (
                format!("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&{tail}"),
                "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
            ),
            (
                format!(
                    "symbol={}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&{tail}",
                    percent_encode("１２３４５６")
                ),
                "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
            ),
            (
                format!("symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=0.1&{tail}"),
                "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
            ),
            (
                "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00\
                 &quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC\
                 &timestamp=1645423376532&type=LIMIT"
                    .to_owned(),
                "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
            ),
            (
                "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=0.10000000\
                 &quantity=1.00000000&recvWindow=5000&side=BUY&symbol=１２３４５６&timeInForce=GTC\
                 &timestamp=1645423376532&type=LIMIT"
                    .to_owned(),
                "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
            ),
            (
                "timestamp=1578963600000".to_owned(),
                "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4",
            ),
        ] {
            check(SECRET, &payload, want);
        }
        check(
            FUTURES,
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000\
             &timestamp=1591702613943",
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
        );
    }

    #[test]
    fn the_ed25519_examples_are_reproduced_from_every_spelling_of_the_key() {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{ED25519}\n-----END PRIVATE KEY-----\n");
        let one_line = pem.replace('\n', "\\n");
        let seed_base64 = STANDARD.encode(const_hex::decode(SEED).unwrap());
        for secret in [ED25519, &pem, one_line.trim(), &seed_base64, &format!("ed25519:{SEED}")] {
            check(
                secret,
                "A\u{1}EXAMPLE\u{1}SPOT\u{1}1\u{1}20240627-11:17:25.223",
                "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA==",
            );
        }
        check(
            ED25519,
            "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2\
             &timestamp=1668481559918&recvWindow=5000",
            "inDT086KVIP8vgUfw5sV3VTkescWztiAGlf4x8FLKHM4NInsn0c1kYVLoGMO8cyjfR6vmTku2YQE0gtfVVlfCw==",
        );
        check(
            ED25519,
            "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1649729878532",
            "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag==",
        );
        let signer = Signer::new(&SecretString::from(ED25519)).unwrap();
        assert_eq!(
            const_hex::encode(signer.public_key().unwrap()),
            "19420abfd752a565c15625e9da6eaf0086fc40c14960183214442c14996a800d"
        );
    }

    #[test]
    fn other_keys_are_refused_by_name() {
        let mut rsa = vec![0x30, 0x82, 0x04, 0xbe, 0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09];
        rsa.extend_from_slice(RSA_OID);
        rsa.resize(1218, 0);
        let rsa = STANDARD.encode(rsa);
        for (secret, want) in [
            ("", "it is empty"),
            ("ed25519:12", "expected 64 hex digits after `ed25519:`"),
            ("-----BEGIN RSA PRIVATE KEY-----", "RSA keys are not supported: use Ed25519 or HMAC"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "expected an unencrypted PKCS#8 `PRIVATE KEY`"),
            ("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", "the PEM's body is not base64"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "not a PKCS#8 Ed25519 key"),
            (&rsa, "RSA keys are not supported: use Ed25519 or HMAC"),
        ] {
            match Signer::new(&SecretString::from(secret)) {
                Err(PreviewError::Secret(why)) => assert_eq!(why, want),
                _ => panic!("taken: {want}"),
            }
        }
    }

    #[test]
    fn percent_encoding_goes_both_ways() {
        for text in ["", "abc-_.~", "a b+c/d=&%", "１２"] {
            assert_eq!(percent_decode(&percent_encode(text)).as_deref(), Some(text));
        }
        assert_eq!(percent_encode("+/="), "%2B%2F%3D");
        for broken in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(percent_decode(broken), None, "{broken}");
        }
    }
}
