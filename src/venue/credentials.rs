//! An API key and its secret.

use secrecy::SecretString;

/// What a venue gave us to sign with. The secret parts have no `Debug` and are wiped on drop.
#[derive(Clone)]
pub struct Credentials {
    /// The public half, sent in clear.
    pub key: String,
    /// The secret, in the venue's own spelling: text, base64, or a PKCS#8 key in PEM or base64.
    pub secret: SecretString,
    /// The passphrase, where the venue has one.
    pub passphrase: Option<SecretString>,
    /// Rises by one with each rotation; ready requests name the generation that signed them.
    pub generation: u32,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("generation", &self.generation).finish_non_exhaustive()
    }
}
