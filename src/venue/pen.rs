//! Writing texts into a buffer made ahead: copies, digits, times; no formatting, no allocation. And
//! the masks of the frames that they travel in.

use crate::types::{Nanos, Scale};

/// Writes one piece after another; remembers when one did not fit.
pub struct Pen<'a> {
    buffer: &'a mut [u8],
    at: usize,
    full: bool,
}

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

impl<'a> Pen<'a> {
    /// Starts at the front.
    pub fn new(buffer: &'a mut [u8]) -> Pen<'a> {
        Pen::at(buffer, 0)
    }

    /// Starts at a place.
    pub fn at(buffer: &'a mut [u8], at: usize) -> Pen<'a> {
        Pen { buffer, at, full: false }
    }

    /// The whole buffer.
    pub fn buffer(&mut self) -> &mut [u8] {
        self.buffer
    }

    /// Where the next piece goes.
    pub fn place(&self) -> usize {
        self.at
    }

    /// Where the text ends, or `None` when some of it did not fit.
    pub fn end(self) -> Option<usize> {
        (!self.full).then_some(self.at)
    }

    /// Appends bytes.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.at..).and_then(|rest| rest.get_mut(..bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.full = true,
        }
    }

    /// Appends bytes whose number the compiler knows.
    #[inline]
    pub fn put_const<const N: usize>(&mut self, bytes: &[u8; N]) {
        match self.buffer.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
            Some(place) => {
                *place = *bytes;
                self.at += N;
            }
            None => self.full = true,
        }
    }

    /// Appends 32 bytes as 64 lower-case hex digits.
    pub fn put_hex(&mut self, bytes: &[u8; 32]) {
        match self.buffer.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<64>()) {
            Some(place) => {
                self.full |= const_hex::encode_to_slice(bytes, place).is_err();
                self.at += 64;
            }
            None => self.full = true,
        }
    }

    /// Appends an integer in decimal.
    pub fn put_integer(&mut self, value: i64) {
        if value < 0 {
            self.put_const(b"-");
        }
        let mut text = [0; 20];
        let start = digits_back(value.unsigned_abs(), &mut text);
        self.put(&text[start..]);
    }
}

/// Writes the digits so that they end at the end of `out`; returns where they start.
fn digits_back(mut value: u64, out: &mut [u8; 20]) -> usize {
    let mut at = out.len();
    while value >= 100 {
        at -= 2;
        out[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value >= 10 {
        at -= 2;
        out[at..at + 2].copy_from_slice(&PAIRS[value as usize]);
    } else {
        at -= 1;
        out[at] = b'0' + value as u8;
    }
    at
}

/// How numbers that are multiples of some step are written: with exactly the step's decimals,
/// since the venue refuses more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decimals {
    /// Units of the scale in one unit of the last written place.
    unit: u64,
    /// Written places.
    places: usize,
}

impl Decimals {
    /// Longest text written: 19 digits and a point, and the zero before it.
    pub const MAX_TEXT: usize = 24;

    /// The decimals of a step given in units of 10^-scale.
    pub fn of_step(step: i64, scale: Scale) -> Decimals {
        let (mut unit, mut places) = (1u64, usize::from(scale.digits()));
        while places > 0 && step.unsigned_abs().is_multiple_of(unit * 10) {
            unit *= 10;
            places -= 1;
        }
        Decimals { unit, places }
    }

    /// Writes a multiple of the step that is not negative; returns the length.
    pub fn write(&self, value: i64, out: &mut [u8; Decimals::MAX_TEXT]) -> usize {
        let mut text = [b'0'; 20];
        let start = digits_back(value.unsigned_abs() / self.unit, &mut text);
        if self.places == 0 {
            let len = text.len() - start;
            out[..len].copy_from_slice(&text[start..]);
            return len;
        }
        // At least one digit before the point; those not written by `digits_back` are zeros.
        let point = text.len() - self.places;
        let start = start.min(point - 1);
        let whole = point - start;
        out[..whole].copy_from_slice(&text[start..point]);
        out[whole] = b'.';
        out[whole + 1..whole + 1 + self.places].copy_from_slice(&text[point..]);
        whole + 1 + self.places
    }

    /// The same as a text of its own.
    pub fn text(&self, value: i64) -> String {
        let mut out = [0; Decimals::MAX_TEXT];
        let n = self.write(value, &mut out);
        out[..n].iter().map(|byte| char::from(*byte)).collect()
    }
}

/// RFC 3339 in milliseconds, `2026-07-26T10:00:00.900Z`; the date is computed once a day.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    day: i64,
    text: [u8; 24],
}

impl Stamp {
    /// Length of the text.
    pub const LEN: usize = 24;

    /// No day yet.
    pub fn new() -> Stamp {
        Stamp { day: i64::MIN, text: *b"0000-00-00T00:00:00.000Z" }
    }

    /// The text of a time; years outside four digits come out wrong, and are never asked for.
    pub fn write(&mut self, at: Nanos) -> &[u8; Stamp::LEN] {
        const DAY_MS: i64 = 86_400_000;
        let millis = at.millis();
        let (day, in_day) = (millis.div_euclid(DAY_MS), millis.rem_euclid(DAY_MS) as u64);
        if day != self.day {
            self.day = day;
            self.date(day);
        }
        for (from, to, value) in [
            (11, 13, in_day / 3_600_000),
            (14, 16, in_day / 60_000 % 60),
            (17, 19, in_day / 1_000 % 60),
            (20, 23, in_day % 1_000),
        ] {
            digits_padded(value, &mut self.text[from..to]);
        }
        &self.text
    }

    /// Civil date from days: eras of 400 years that start on 1 March.
    fn date(&mut self, day: i64) {
        let shifted = day + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        digits_padded(year.unsigned_abs() % 10_000, &mut self.text[0..4]);
        digits_padded(month.unsigned_abs(), &mut self.text[5..7]);
        digits_padded(day.unsigned_abs(), &mut self.text[8..10]);
    }
}

/// Writes a number into the whole of `out`, with leading zeros; digits that do not fit are left off.
fn digits_padded(mut value: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Masking keys, from a seed (SplitMix64): unpredictable enough for what masks are for, which is to
/// keep proxies from seeing requests that a web page chose.
pub struct Mask(u64);

impl Mask {
    /// From a seed.
    pub fn new(seed: u64) -> Mask {
        Mask(seed)
    }

    /// The key of the next frame.
    pub fn next(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) as u32).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Fixed, parse};
    use proptest::prelude::*;

    #[test]
    fn numbers_carry_the_decimals_of_their_step() {
        for (step, digits, value, want) in [
            (1_000_000, 8, 6_173_763_000_000, "61737.63"),
            (1_000_000, 8, 1_000_000, "0.01"),
            (1_000, 8, 847_000, "0.00847"),
            (100_000_000, 8, 500_000_000, "5"),
            (50_000_000, 8, 150_000_000, "1.5"),
            (1, 8, i64::MAX, "92233720368.54775807"),
            (1, 12, 1, "0.000000000001"),
            (1_000_000_000_000, 12, 7_000_000_000_000, "7"),
        ] {
            let scale = Scale::new(digits).unwrap();
            let mut out = [0; Decimals::MAX_TEXT];
            let n = Decimals::of_step(step, scale).write(value, &mut out);
            assert_eq!(std::str::from_utf8(&out[..n]).unwrap(), want);
        }
    }

    proptest! {
        #[test]
        fn written_numbers_read_back(value in 0i64.., digits in 0u8..=12, zeros in 0u32..12) {
            let scale = Scale::new(digits).unwrap();
            let step = 10i64.pow(zeros);
            let value = value - value % step;
            let mut out = [0; Decimals::MAX_TEXT];
            let n = Decimals::of_step(step, scale).write(value, &mut out);
            prop_assert_eq!(parse(&out[..n], scale), Ok(value), "{}", Fixed(value, scale));
        }

        #[test]
        fn integers_are_written_as_the_library_writes_them(value in any::<i64>()) {
            let mut buffer = [0; 32];
            let mut pen = Pen::new(&mut buffer);
            pen.put_integer(value);
            let n = pen.end().unwrap();
            prop_assert_eq!(std::str::from_utf8(&buffer[..n]).unwrap(), value.to_string());
        }

        #[test]
        fn stamps_are_rfc_3339(millis in 0i64..7_258_118_400_000) {
            let at = Nanos::from_millis(millis);
            let mut stamp = Stamp::new();
            prop_assert_eq!(std::str::from_utf8(stamp.write(at)).unwrap(), at.rfc3339(3));
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let mut buffer = [0; 5];
        let mut pen = Pen::new(&mut buffer);
        pen.put(b"abc");
        pen.put_const(b"def");
        assert_eq!(pen.end(), None);
    }
}
