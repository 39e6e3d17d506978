//! RFC 3339 times, `2026-07-26T17:35:55.440295Z`.

use super::kernel::window;
use crate::types::Nanos;
use crate::wire::Padded;

/// Length of the usual form, with microseconds.
const USUAL: usize = 27;

/// Its shape: `0` stands for a digit, anything else for itself.
const SHAPE: &[u8; USUAL] = b"0000-00-00T00:00:00.000000Z";

/// Offset, shape, and what is added to see whether a byte has more than it may: four chunks, of which
/// the last overlaps.
const CHUNKS: [(usize, u64, u64); 4] = {
    let mut chunks = [(0, 0, 0), (8, 0, 0), (16, 0, 0), (USUAL - 8, 0, 0)];
    let mut chunk = 0;
    while chunk < 4 {
        let mut i = 0;
        while i < 8 {
            let shape = SHAPE[chunks[chunk].0 + i];
            let room = if shape == b'0' { 0x80 - 10 } else { 0x80 - 1 };
            chunks[chunk].1 |= (shape as u64) << (8 * i);
            chunks[chunk].2 |= room << (8 * i);
            i += 1;
        }
        chunk += 1;
    }
    chunks
};

/// The time at `at` in the usual form, which takes 27 bytes; `None` for any other form or an
/// impossible time. [`Nanos::parse_rfc3339`] judges it.
#[inline(always)]
pub fn usual_time(text: Padded<'_>, at: usize) -> Option<(Nanos, usize)> {
    let bytes: &[u8; 32] = window(text, at)?;
    // Eight bytes at once: what differs from the shape must be a digit's value where the shape has
    // a digit, and nothing elsewhere; adding the room then stays below 0x80 in each byte.
    let mut wrong = 0;
    let mut values = [0u8; 32];
    let mut chunk = 0;
    while chunk < CHUNKS.len() {
        let (at, shape, room) = CHUNKS[chunk];
        let value = u64::from_le_bytes(*bytes[at..].first_chunk()?) ^ shape;
        wrong |= value | (value & 0x7f7f_7f7f_7f7f_7f7f).wrapping_add(room);
        values[at..at + 8].copy_from_slice(&value.to_le_bytes());
        chunk += 1;
    }
    let wrong = wrong & 0x8080_8080_8080_8080;
    if wrong != 0 {
        return None;
    }
    let two = |at: usize| i64::from(values[at]) * 10 + i64::from(values[at + 1]);
    let (year, month, day) = (two(0) * 100 + two(2), two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let micros = two(20) * 10_000 + two(22) * 100 + two(24);
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
    Some((Nanos(seconds * 1_000_000_000 + micros * 1_000), at + USUAL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PaddedBuf;
    use proptest::prelude::*;

    fn usual(text: &str) -> Option<Nanos> {
        let mut buffer = PaddedBuf::default();
        usual_time(buffer.fill(text.as_bytes()), 0).map(|(time, _)| time)
    }

    proptest! {
        #[test]
        fn the_usual_form_is_read_as_the_judge_does(
            parts in (1960u32..2300, 0u32..14, 0u32..33, 0u32..26, 0u32..62, 0u32..62, 0u32..1_000_000),
            change in proptest::option::of((0usize..27, 0x20u8..0x7f)),
        ) {
            let (year, month, day, hour, minute, second, micros) = parts;
            let mut text =
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
            if let Some((at, byte)) = change {
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
