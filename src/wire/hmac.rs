//! HMAC-SHA256 with everything done ahead that does not depend on the order.
//!
//! `HMAC(k, m) = H(k ^ opad, H(k ^ ipad, m))`. The two key blocks are compressed once for a key, and
//! the whole blocks of a message's unchanging front once for a template. What is left of an order is
//! the blocks from its first changing byte on, plus one for the outer hash.

use sha2::block_api::compress256;
use zeroize::Zeroize;

const BLOCK: usize = 64;

/// SHA-256's initial state (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The states behind the two key blocks. As good as the key: wiped on drop, no `Debug`.
pub struct MacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

/// The inner state behind the key block and some whole blocks of a message. Lets anyone go on
/// from there, so it is wiped on drop too.
pub struct Absorbed {
    state: [u32; 8],
    bytes: usize,
}

impl Absorbed {
    /// How many bytes of the message are in it: a multiple of 64.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl MacKey {
    /// Compresses the two key blocks.
    pub fn new(secret: &[u8]) -> MacKey {
        let mut key = [0u8; BLOCK];
        match key.get_mut(..secret.len()) {
            Some(front) => front.copy_from_slice(secret),
            // Keys longer than a block are hashed first (RFC 2104, 2).
            None => key[..32].copy_from_slice(&hash(secret)),
        }
        let keyed = |pad: u8| {
            let mut block = key.map(|byte| byte ^ pad);
            let mut state = INITIAL;
            compress256(&mut state, &[block]);
            block.zeroize();
            state
        };
        let made = MacKey { inner: keyed(0x36), outer: keyed(0x5c) };
        key.zeroize();
        made
    }

    /// Compresses the whole blocks of `front`; the rest of it belongs to what is given to
    /// [`MacKey::finish_in_place`].
    pub fn absorb(&self, front: &[u8]) -> Absorbed {
        let (blocks, _) = front.as_chunks::<BLOCK>();
        let mut state = self.inner;
        compress256(&mut state, blocks);
        Absorbed { state, bytes: blocks.len() * BLOCK }
    }

    /// The MAC of the absorbed front followed by the first `len` bytes of `rest`. The padding is
    /// written behind them, over up to 72 bytes; `None` when `rest` is too short for it.
    pub fn finish_in_place(&self, front: &Absorbed, rest: &mut [u8], len: usize) -> Option<[u8; 32]> {
        let padded = (len.checked_add(9)?).next_multiple_of(BLOCK);
        let rest = rest.get_mut(..padded)?;
        let bits = (BLOCK + front.bytes + len) as u64 * 8;
        let (_, padding) = rest.split_at_mut(len);
        padding.fill(0);
        padding[0] = 0x80;
        rest[padded - 8..].copy_from_slice(&bits.to_be_bytes());
        let mut state = front.state;
        compress256(&mut state, rest.as_chunks::<BLOCK>().0);

        let mut block = [0u8; BLOCK];
        write_state(&state, &mut block);
        block[32] = 0x80;
        block[BLOCK - 2..].copy_from_slice(&((BLOCK as u16 + 32) * 8).to_be_bytes());
        let mut state = self.outer;
        compress256(&mut state, &[block]);
        let mut out = [0; 32];
        write_state(&state, &mut out);
        Some(out)
    }

    /// The MAC of a whole message, for requests that are in no hurry.
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        let front = self.absorb(message);
        let rest = &message[front.bytes..];
        let mut padded = [0u8; 2 * BLOCK];
        padded[..rest.len()].copy_from_slice(rest);
        self.finish_in_place(&front, &mut padded, rest.len()).expect("two blocks hold a rest below one")
    }
}

fn write_state(state: &[u32; 8], out: &mut [u8]) {
    for (to, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
}

fn hash(message: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(message).into()
}

impl Drop for MacKey {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl Drop for Absorbed {
    fn drop(&mut self) {
        self.state.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit, Mac};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_split_gives_what_the_library_gives(
            secret in proptest::collection::vec(any::<u8>(), 0..150),
            message in proptest::collection::vec(any::<u8>(), 0..400),
            cut in 0usize..400,
        ) {
            let mut judge = Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap();
            judge.update(&message);
            let want: [u8; 32] = judge.finalize().into_bytes().into();
            let key = MacKey::new(&secret);
            prop_assert_eq!(key.mac(&message), want);
            let front = key.absorb(&message[..cut.min(message.len())]);
            let mut rest = message[front.bytes()..].to_vec();
            let len = rest.len();
            rest.resize(len + 72, 0xaa);
            prop_assert_eq!(key.finish_in_place(&front, &mut rest, len), Some(want));
            prop_assert_eq!(key.finish_in_place(&front, &mut rest[..len], len), None);
        }
    }
}
