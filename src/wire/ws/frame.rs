//! Frame heads and masks (RFC 6455, section 5).
//!
//! Two bytes say what a frame is and how long: `FIN RSV1-3 opcode`, `MASK length`. A length of 126
//! means that two more bytes hold it, 127 eight more; it must be in its shortest form. Four bytes
//! of mask follow in what a client sends, and only there.

use std::ops::Range;

use super::{Limits, WsError};

/// Longest head: two bytes, eight of length, four of mask.
pub const HEAD_MAX: usize = 14;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

/// A frame's head, checked by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    pub fin: bool,
    pub opcode: u8,
    /// Length of the head.
    pub len: usize,
    /// Length of the payload.
    pub payload: usize,
    pub mask: [u8; 4],
}

impl Head {
    /// Reads the head at the front of `bytes`, of which `arrived` have arrived (more are readable).
    /// `masked` = frames must be masked, else they must not. `None` = not all there yet.
    #[inline]
    pub fn read(
        bytes: &[u8; HEAD_MAX],
        arrived: usize,
        masked: bool,
        limits: &Limits,
    ) -> Result<Option<Head>, WsError> {
        if arrived < 2 {
            return Ok(None);
        }
        let (first, second) = (bytes[0], bytes[1]);
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
        if first & 0x70 != 0 {
            return Err(WsError::ReservedBits);
        }
        if (second & 0x80 != 0) != masked {
            return Err(if masked { WsError::Unmasked } else { WsError::Masked });
        }
        let short = second & 0x7F;
        let (mut len, payload) = match short {
            126 if arrived < 4 => return Ok(None),
            126 => {
                let long = u64::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                if long < 126 {
                    return Err(WsError::LengthForm(long));
                }
                (4, long)
            }
            127 if arrived < 10 => return Ok(None),
            127 => {
                let [_, _, long @ .., _, _, _, _] = *bytes;
                let long = u64::from_be_bytes(long);
                if !(1 << 16..1 << 63).contains(&long) {
                    return Err(WsError::LengthForm(long));
                }
                (10, long)
            }
            _ => (2, u64::from(short)),
        };
        if opcode > BINARY {
            if !matches!(opcode, CLOSE | PING | PONG) {
                return Err(WsError::UnknownOpcode(opcode));
            }
            if !fin {
                return Err(WsError::ControlFragmented);
            }
            if payload > 125 {
                return Err(WsError::ControlTooLong(payload));
            }
        }
        if payload > limits.frame as u64 {
            return Err(WsError::FrameTooLong { len: payload, limit: limits.frame });
        }
        let mut mask = [0; 4];
        if masked {
            if arrived < len + 4 {
                return Ok(None);
            }
            mask.copy_from_slice(&bytes[len..len + 4]);
            len += 4;
        }
        Ok(Some(Head { fin, opcode, len, payload: payload as usize, mask }))
    }

    /// Writes a head to the front of `into`; returns its length.
    pub fn write(
        into: &mut [u8; HEAD_MAX],
        fin: bool,
        opcode: u8,
        payload: usize,
        mask: Option<[u8; 4]>,
    ) -> usize {
        into[0] = u8::from(fin) << 7 | opcode;
        let mut len = match payload {
            0..126 => {
                into[1] = payload as u8;
                2
            }
            126..0x1_0000 => {
                into[1] = 126;
                into[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
                4
            }
            _ => {
                into[1] = 127;
                into[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
                10
            }
        };
        if let Some(mask) = mask {
            into[1] |= 0x80;
            into[len..len + 4].copy_from_slice(&mask);
            len += 4;
        }
        len
    }
}

/// Masks or unmasks a whole payload in place.
#[inline]
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (blocks, rest) = payload.as_chunks_mut::<32>();
    for block in blocks {
        for word in block.as_chunks_mut::<8>().0 {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
    }
    let (words, rest) = rest.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// Masking keys, from a seed (SplitMix64): unpredictable enough for what masks are for, which is to
/// keep proxies from seeing requests that a web page chose.
pub struct Masks(u64);

impl Masks {
    /// The keys that follow from a seed.
    pub fn new(seed: u64) -> Masks {
        Masks(seed)
    }

    /// The next key.
    #[inline]
    pub fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) as u32).to_le_bytes()
    }
}

/// Makes a client's text message of the payload at `buffer[start..start + len]`, in place: the
/// head is written just before it (it needs 6, 8 or 14 bytes of room there, see
/// [`client_head_len`]) and the payload is masked. Returns where the frame lies; `None`, and
/// nothing changed, when it does not fit. Whether the payload is UTF-8 is the caller's to know.
pub fn frame_client_text(buffer: &mut [u8], start: usize, len: usize, mask: [u8; 4]) -> Option<Range<usize>> {
    finish_client_text(buffer, start, start, len, mask)
}

/// Masks the front of a client's text message, `buffer[start..to]`, whose rest is not known yet.
/// `None`, and nothing changed, when it is not all within the buffer.
pub fn begin_client_text(buffer: &mut [u8], start: usize, to: usize, mask: [u8; 4]) -> Option<()> {
    apply_mask(buffer.get_mut(start..to)?, mask);
    Some(())
}

/// The same as [`frame_client_text`], for a message whose front, up to `masked`, is masked already.
#[inline]
pub fn finish_client_text(
    buffer: &mut [u8],
    start: usize,
    masked: usize,
    len: usize,
    mask: [u8; 4],
) -> Option<Range<usize>> {
    let end = start.checked_add(len)?;
    let from = start.checked_sub(client_head_len(len))?;
    let turned = turn(mask, masked.checked_sub(start)?);
    apply_mask(buffer.get_mut(masked..end)?, turned);
    let [a, b, c, d] = mask;
    if let (Some(head), Ok(short)) = (buffer.get_mut(from..start)?.as_mut_array::<8>(), u16::try_from(len)) {
        // The usual length: all of the head in one store.
        let [high, low] = short.to_be_bytes();
        *head = [0x80 | TEXT, 0x80 | 126, high, low, a, b, c, d];
    } else {
        let mut head = [0; HEAD_MAX];
        let head_len = Head::write(&mut head, true, TEXT, len, Some(mask));
        buffer[from..start].copy_from_slice(&head[..head_len]);
    }
    Some(from..end)
}

/// Writes a piece of a client's text message whose payload begins at `start` over what stands at `at`,
/// masked. `None`, and nothing changed, when it is not all within the buffer.
#[inline]
pub fn put_masked<const N: usize>(
    buffer: &mut [u8],
    start: usize,
    at: usize,
    piece: &[u8; N],
    mask: [u8; 4],
) -> Option<()> {
    let mut piece = *piece;
    apply_mask(&mut piece, turn(mask, at.checked_sub(start)?));
    *buffer.get_mut(at..)?.first_chunk_mut()? = piece;
    Some(())
}

/// The key as it is at an offset of the payload, since it starts anew every four bytes.
#[inline]
fn turn(mask: [u8; 4], at: usize) -> [u8; 4] {
    u32::from_be_bytes(mask).rotate_left(8 * (at % mask.len()) as u32).to_be_bytes()
}

/// Bytes that a client's frame has before a payload of this length.
pub const fn client_head_len(payload: usize) -> usize {
    match payload {
        0..126 => 6,
        126..0x1_0000 => 8,
        _ => 14,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits::DEFAULT;

    fn read(bytes: &[u8], masked: bool) -> Result<Option<Head>, WsError> {
        let mut head = [0xFF; HEAD_MAX];
        let len = bytes.len().min(HEAD_MAX);
        head[..len].copy_from_slice(&bytes[..len]);
        Head::read(&head, bytes.len(), masked, &LIMITS)
    }

    #[test]
    fn a_piece_written_late_is_masked_as_if_it_had_been_there() {
        let mask = [1, 20, 133, 254];
        for at in HEAD_MAX..HEAD_MAX + 8 {
            let mut late = [b'x'; 64];
            let mut early = late;
            early[at..at + 13].copy_from_slice(b"1785060000900");
            frame_client_text(&mut early, HEAD_MAX, 50, mask).unwrap();
            frame_client_text(&mut late, HEAD_MAX, 50, mask).unwrap();
            put_masked(&mut late, HEAD_MAX, at, b"1785060000900", mask).unwrap();
            assert_eq!(late, early);
        }
        let mut small = [0; 20];
        assert_eq!(put_masked(&mut small, HEAD_MAX, 10, b"12", mask), None);
        assert_eq!(put_masked(&mut small, HEAD_MAX, 19, b"12", mask), None);
        assert_eq!(small, [0; 20]);
    }

    #[test]
    fn a_message_in_two_parts_is_the_message_in_one() {
        for len in [1, 125, 126, 200, 700] {
            for parted in [0, 1, 2, 3, 4, 63, len].into_iter().filter(|at| *at <= len) {
                let text: Vec<u8> = (0..HEAD_MAX + len).map(|at| at as u8).collect();
                let (mut one, mut two) = (text.clone(), text);
                let mask = [1, 20, 133, 254];
                let whole = frame_client_text(&mut one, HEAD_MAX, len, mask).unwrap();
                begin_client_text(&mut two, HEAD_MAX, HEAD_MAX + parted, mask).unwrap();
                let frame = finish_client_text(&mut two, HEAD_MAX, HEAD_MAX + parted, len, mask).unwrap();
                assert_eq!((&one[whole.clone()], whole), (&two[frame.clone()], frame), "{len} at {parted}");
                assert!(begin_client_text(&mut two, 4, 10_000, mask).is_none());
                assert!(finish_client_text(&mut two, HEAD_MAX, HEAD_MAX - 1, len, mask).is_none());
            }
        }
    }

    #[test]
    fn heads_read_back_as_written() {
        for payload in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut bytes = [0; HEAD_MAX];
                let len = Head::write(&mut bytes, true, TEXT, payload, mask);
                if mask.is_some() {
                    assert_eq!(len, client_head_len(payload));
                }
                let want = Head { fin: true, opcode: TEXT, len, payload, mask: mask.unwrap_or_default() };
                assert_eq!(read(&bytes[..len], mask.is_some()), Ok(Some(want)));
                for part in 0..len {
                    assert_eq!(read(&bytes[..part], mask.is_some()), Ok(None), "{part} of {len}");
                }
            }
        }
    }

    #[test]
    fn wrong_heads_have_names() {
        for (bytes, masked, want) in [
            (&[0xC1, 0][..], false, WsError::ReservedBits),
            (&[0x91, 0], false, WsError::ReservedBits),
            (&[0x83, 0], false, WsError::UnknownOpcode(3)),
            (&[0x8B, 0], false, WsError::UnknownOpcode(11)),
            (&[0x81, 0x80, 0, 0, 0, 0], false, WsError::Masked),
            (&[0x81, 0x00], true, WsError::Unmasked),
            (&[0x09, 0x00], false, WsError::ControlFragmented),
            (&[0x89, 126, 0, 126], false, WsError::ControlTooLong(126)),
            (&[0x81, 126, 0, 125], false, WsError::LengthForm(125)),
            (&[0x81, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], false, WsError::LengthForm(65_535)),
            (&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 1], false, WsError::LengthForm((1 << 63) + 1)),
            (
                &[0x81, 127, 0x7F, 0, 0, 0, 0, 0, 0, 1],
                false,
                WsError::FrameTooLong { len: 0x7F00_0000_0000_0001, limit: LIMITS.frame },
            ),
        ] {
            assert_eq!(read(bytes, masked), Err(want), "{bytes:x?}");
        }
    }

    #[test]
    fn a_client_text_is_framed_where_it_lies() {
        // The masked "Hello" of RFC 6455, section 5.7.
        let mut buffer = *b"......Hello..";
        let frame = frame_client_text(&mut buffer, 6, 5, [0x37, 0xfa, 0x21, 0x3d]).unwrap();
        let want = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(buffer[frame], want);
        for (start, len) in [(5, 5), (6, 8), (usize::MAX, 2), (0, 0)] {
            let mut buffer = [0; 13];
            assert_eq!(frame_client_text(&mut buffer, start, len, [1; 4]), None);
            assert_eq!(buffer, [0; 13]);
        }
    }

    #[test]
    fn a_mask_is_its_own_inverse() {
        for len in 0..70 {
            let plain: Vec<u8> = (0..len).collect();
            let mut bytes = plain.clone();
            apply_mask(&mut bytes, [9, 8, 7, 6]);
            for (i, byte) in bytes.iter().enumerate() {
                assert_eq!(*byte, plain[i] ^ [9, 8, 7, 6][i % 4]);
            }
            apply_mask(&mut bytes, [9, 8, 7, 6]);
            assert_eq!(bytes, plain);
        }
    }
}
