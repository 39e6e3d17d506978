//! RFC 3339 times, `2026-07-26T17:35:55.440295Z`.

use super::kernel::window;
use crate::types::Nanos;
use crate::wire::Padded;

/// Everything before the decimals: `0` stands for a digit, anything else for itself.
const SHAPE: &[u8; 20] = b"0000-00-00T00:00:00.";

/// Where each of three words begins that cover the shape; the last one overlaps.
const WORDS: [usize; 3] = [0, 8, 12];

/// The shape of each word, and what is added to see whether a byte has more than it may.
const SHAPES: [(u64, u64); 3] = {
    let mut shapes = [(0, 0); 3];
    let mut word = 0;
    while word < 3 {
        let mut i = 0;
        while i < 8 {
            let shape = SHAPE[WORDS[word] + i];
            let room = if shape == b'0' { 0x80 - 10 } else { 0x80 - 1 };
            shapes[word].0 |= (shape as u64) << (8 * i);
            shapes[word].1 |= room << (8 * i);
            i += 1;
        }
        word += 1;
    }
    shapes
};

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Bytes that hold more than the room above them lets, by their highest bit.
#[inline(always)]
fn beyond(values: u64, room: u64) -> u64 {
    (values | (values & !HIGH).wrapping_add(room)) & HIGH
}

/// Each byte times ten and the one behind it: a number of two digits where a digit follows one.
#[inline(always)]
fn twos(digits: u64) -> u64 {
    digits.wrapping_mul(10).wrapping_add(digits >> 8)
}

/// The number of eight digits, the first in the lowest byte.
#[inline(always)]
fn eight(digits: u64) -> u64 {
    const ENDS: u64 = 0x0000_00ff_0000_00ff;
    let twos = twos(digits);
    let high = (twos & ENDS).wrapping_mul(100 + (1_000_000 << 32));
    let low = (twos >> 16 & ENDS).wrapping_mul(1 + (10_000 << 32));
    high.wrapping_add(low) >> 32
}

/// The time at `at` in the usual form, with one to nine decimals, and the offset behind it; `None` for
/// any other form or an impossible time. [`Nanos::parse_rfc3339`] judges it.
#[inline(always)]
pub fn usual_time(text: Padded<'_>, at: usize) -> Option<(Nanos, usize)> {
    let bytes: &[u8; 32] = window(text, at)?;
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    // Eight bytes at once: what differs from the shape must be a digit's value where the shape has
    // a digit, and nothing elsewhere; adding the room then stays below 0x80 in each byte.
    let [front, middle, back] = [0, 1, 2].map(|i| word(WORDS[i]) ^ SHAPES[i].0);
    let wrong = beyond(front, SHAPES[0].1) | beyond(middle, SHAPES[1].1) | beyond(back, SHAPES[2].1);
    if wrong != 0 {
        return None;
    }
    // Up to eight decimals, those that are not there as zeros, and perhaps a ninth.
    let decimals = word(SHAPE.len()) ^ ZEROS;
    let count = (beyond(decimals, u64::from_le_bytes([0x80 - 10; 8])).trailing_zeros() / 8) as usize;
    let there = if count < 8 { !(u64::MAX << (8 * count)) } else { u64::MAX };
    let mut nanos = eight(decimals & there) as i64 * 10;
    let mut end = SHAPE.len() + count;
    let ninth = bytes[SHAPE.len() + 8].wrapping_sub(b'0');
    if count == 8 && ninth < 10 {
        (nanos, end) = (nanos + i64::from(ninth), end + 1);
    }
    if count == 0 || bytes[end] != b'Z' {
        return None;
    }
    let (front, middle, back) = (twos(front), twos(middle), twos(back));
    let two = |twos: u64, at: usize| (twos >> (8 * at) & 0xff) as i64;
    let (year, month, day) = (two(front, 0) * 100 + two(front, 2), two(front, 5), two(middle, 0));
    let (hour, minute, second) = (two(middle, 3), two(middle, 6), two(back, 5));
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !in_range || second > 60 || !(1970..2262).contains(&year) {
        return None;
    }
    // Days of the civil calendar, years beginning in March; the years are all positive.
    let shifted = (year - i64::from(month <= 2)) as u64;
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((month as u64 + 9) % 12) + 2) / 5 + day as u64 - 1;
    let days = (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year) as i64 - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((Nanos(seconds * 1_000_000_000 + nanos), at + end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PaddedBuf;
    use proptest::prelude::*;

    /// What is read of a text, up to its end.
    fn usual(text: &str) -> Option<Nanos> {
        let mut buffer = PaddedBuf::default();
        let (time, end) = usual_time(buffer.fill(text.as_bytes()), 0)?;
        (end == text.len()).then_some(time)
    }

    #[test]
    fn forms_that_are_not_usual_are_left_to_the_judge() {
        for text in [
            "2026-07-26T17:35:55Z",
            "2026-07-26T17:35:55.Z",
            "2026-07-26T17:35:55.4402951234Z",
            "2026-07-26T17:35:55.440295",
            "2026-07-26T17:35:55.440295+00:00",
            "2026-07-26 17:35:55.440295Z",
            "2026-07-2617:35:55",
            "",
        ] {
            assert_eq!(usual(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_usual_form_is_read_as_the_judge_does(
            parts in (1960u32..2300, 0u32..14, 0u32..33, 0u32..26, 0u32..62, 0u32..62),
            nanos in 0u32..1_000_000_000,
            places in 1usize..=9,
            change in proptest::option::of((any::<prop::sample::Index>(), 0x20u8..0x7f)),
        ) {
            let (year, month, day, hour, minute, second) = parts;
            let decimals = &format!("{nanos:09}")[..places];
            let mut text =
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{decimals}Z");
            if let Some((at, byte)) = change {
                let at = at.index(text.len());
                text.replace_range(at..=at, &char::from(byte).to_string());
            }
            let judged = Nanos::parse_rfc3339(text.as_bytes()).ok();
            // Other forms than the usual one, and years that wrap, are left to the judge.
            match usual(&text) {
                Some(time) => prop_assert_eq!(Some(time), judged),
                None if change.is_none() => prop_assert_eq!(judged, None),
                None => {}
            }
        }
    }
}
