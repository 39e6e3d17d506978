//! Small indexes into the engine's tables, and the client order id.

use std::fmt;

/// A configured venue: an index into the engine's list of venues.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct VenueId(pub u8);

/// A configured instrument: an index into the engine's list of instruments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct InstrumentId(pub u16);

/// One book: one instrument on one venue. A feed's books are numbered as they were given to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BookId(pub u16);

/// Where an order may go; part of every client order id, so that a simulated order can never be
/// taken for a live one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Environment {
    /// Simulated exchanges of this process.
    #[default]
    Sim = 0,
    /// A paper run on public data.
    Paper = 1,
    /// A venue's own sandbox.
    Sandbox = 2,
    /// Real money.
    Live = 3,
}

/// The parts of a [`ClientId`]: 2 + 32 + 36 + 4 + 48 = 122 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientIdParts {
    /// Where the order goes.
    pub environment: Environment,
    /// The run of the engine; differs between any two runs.
    pub run: u32,
    /// The order's number in the run; below 2^36.
    pub counter: u64,
    /// The leg within the intent, hedges from 8; of an order begun or signed ahead, its side. 0 to 15.
    pub leg: u8,
    /// Keyed tag over the other parts: an id that lacks it is not ours. Below 2^48.
    pub tag: u64,
}

/// A client order id: unique for ever, 122 bits, always shaped as a version 4 UUID so that every
/// venue takes it, as 32 hex digits or with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ClientId(u128);

const VERSION_4: u128 = 0x4 << 76;
const VARIANT_1: u128 = 0b10 << 62;

impl ClientId {
    /// Packs the parts; bits beyond their widths are cut off.
    pub fn new(parts: ClientIdParts) -> ClientId {
        let packed = (u128::from(parts.environment as u8 & 3) << 120)
            | (u128::from(parts.run) << 88)
            | (u128::from(parts.counter & ((1 << 36) - 1)) << 52)
            | (u128::from(parts.leg & 15) << 48)
            | u128::from(parts.tag & ((1 << 48) - 1));
        // 122 bits around the four version bits and the two variant bits.
        let high = packed >> 74; // 48 bits
        let middle = (packed >> 62) & 0xfff; // 12 bits
        let low = packed & ((1 << 62) - 1);
        ClientId((high << 80) | VERSION_4 | (middle << 64) | VARIANT_1 | low)
    }

    /// The parts again.
    pub fn parts(self) -> ClientIdParts {
        let packed = ((self.0 >> 80) << 74) | (((self.0 >> 64) & 0xfff) << 62) | (self.0 & ((1 << 62) - 1));
        ClientIdParts {
            environment: match (packed >> 120) & 3 {
                0 => Environment::Sim,
                1 => Environment::Paper,
                2 => Environment::Sandbox,
                _ => Environment::Live,
            },
            run: (packed >> 88) as u32,
            counter: ((packed >> 52) & ((1 << 36) - 1)) as u64,
            leg: ((packed >> 48) & 15) as u8,
            tag: (packed & ((1 << 48) - 1)) as u64,
        }
    }

    /// The 128 bits of the UUID.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// From the 128 bits of a UUID; foreign ids pass too, and are told apart by their tag.
    pub const fn from_bits(bits: u128) -> ClientId {
        ClientId(bits)
    }

    /// The order's number in the run, without the other parts.
    #[inline]
    pub const fn counter(self) -> u64 {
        let bits = self.0;
        // Bits 52 to 61 of the packed parts lie below the variant, 62 to 73 below the version.
        (bits >> 52) as u64 & 0x3ff
            | ((bits >> 64) as u64 & 0xfff) << 10
            | ((bits >> 80) as u64 & 0x3fff) << 22
    }

    /// See [`ClientIdParts::leg`].
    #[inline]
    pub const fn leg(self) -> u8 {
        (self.0 >> 48) as u8 & 15
    }

    /// 32 lower-case hex digits.
    #[inline]
    pub fn hex(self) -> [u8; 32] {
        let mut out = [0; 32];
        for (to, from) in out.as_chunks_mut::<8>().0.iter_mut().zip([96, 64, 32, 0]) {
            *to = hex_digits((self.0 >> from) as u32);
        }
        out
    }

    /// The hyphenated UUID form, 36 characters.
    #[inline]
    pub fn uuid(self) -> [u8; 36] {
        let hex = self.hex();
        let mut out = [b'-'; 36];
        out[..8].copy_from_slice(&hex[..8]);
        out[9..13].copy_from_slice(&hex[8..12]);
        out[14..18].copy_from_slice(&hex[12..16]);
        out[19..23].copy_from_slice(&hex[16..20]);
        out[24..].copy_from_slice(&hex[20..]);
        out
    }

    /// Reads either form; `None` for anything else (an order that is not ours).
    pub fn parse(text: &[u8]) -> Option<ClientId> {
        let hyphens = match text.len() {
            32 => 0,
            36 if [8, 13, 18, 23].iter().all(|&at| text[at] == b'-') => 4,
            _ => return None,
        };
        let mut bits = 0u128;
        let mut digits = 0;
        for &byte in text {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                b'-' if hyphens > 0 => continue,
                _ => return None,
            };
            bits = (bits << 4) | u128::from(digit);
            digits += 1;
        }
        (digits == 32).then_some(ClientId(bits))
    }
}

/// Eight lower-case hex digits of a word, all at once: its nibbles are spread over the bytes of a
/// wider one, and those above nine are moved on to the letters.
#[inline]
fn hex_digits(word: u32) -> [u8; 8] {
    let mut wide = u64::from(word);
    wide = (wide << 16 | wide) & 0x0000_ffff_0000_ffff;
    wide = (wide << 8 | wide) & 0x00ff_00ff_00ff_00ff;
    wide = (wide << 4 | wide) & 0x0f0f_0f0f_0f0f_0f0f;
    let above_nine = (wide + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (wide + 0x3030_3030_3030_3030 + above_nine * 39).to_be_bytes()
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.hex()).expect("hex digits"))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_a_uuid_and_keeps_its_parts() {
        let parts = ClientIdParts {
            environment: Environment::Live,
            run: 0xdead_beef,
            counter: (1 << 36) - 2,
            leg: 9,
            tag: (1 << 48) - 3,
        };
        let id = ClientId::new(parts);
        assert_eq!(id.parts(), parts);
        let uuid = id.uuid();
        assert!(uuid[14] == b'4' && b"89ab".contains(&uuid[19]), "{id}");
        assert_eq!(ClientId::parse(&uuid), Some(id));
        assert_eq!(ClientId::parse(&id.hex()), Some(id));
        for foreign in
            ["", "web_123", "6d1b345e-2821-40e2-ad83-4ecb18a0687", "6d1b345e_2821_40e2_ad83_4ecb18a06876"]
        {
            assert_eq!(ClientId::parse(foreign.as_bytes()), None, "{foreign}");
        }
    }
}
