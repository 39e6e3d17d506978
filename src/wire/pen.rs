//! Writing texts into a buffer made ahead: copies, digits, times; no formatting, no allocation.

use crate::types::{ClientId, Nanos, Scale};

/// What makes digits' values into digits.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// Writes one piece after another; remembers when one did not fit.
pub struct Pen<'a> {
    buffer: &'a mut [u8],
    at: usize,
    full: bool,
}

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

    /// Appends an id as 32 lower-case hex digits.
    #[inline]
    pub fn put_id(&mut self, id: ClientId) {
        self.put_const(&id.hex());
    }

    /// Appends an id as a hyphenated UUID.
    #[inline]
    pub fn put_uuid(&mut self, id: ClientId) {
        self.put_const(&id.uuid());
    }

    /// Leaves a gap to be filled in later; where it starts.
    #[inline]
    pub fn skip(&mut self, bytes: usize) -> usize {
        let from = self.at;
        self.at += bytes;
        self.full |= self.at > self.buffer.len();
        from
    }

    /// Where the next piece will stand.
    #[inline]
    pub fn here(&self) -> usize {
        self.at
    }

    /// Appends an integer in decimal.
    #[inline]
    pub fn put_integer(&mut self, value: i64) {
        if value < 0 {
            self.put_const(b"-");
        }
        self.put_number(value.unsigned_abs());
    }

    /// Appends a number in decimal.
    #[inline]
    pub fn put_number(&mut self, value: u64) {
        const E8: u64 = 100_000_000;
        if value < E8 {
            return self.put_first(value);
        }
        let (high, low) = (value / E8, value % E8);
        if high < E8 {
            self.put_first(high);
        } else {
            self.put_first(high / E8);
            self.put_eight(high % E8, 8);
        }
        self.put_eight(low, 8);
    }

    /// The digits of a number below 1e8, without leading zeros; `0` for none.
    #[inline]
    fn put_first(&mut self, value: u64) {
        let digits = eight(value);
        // The first digit is the lowest byte.
        let zeros = (digits.trailing_zeros() / 8).min(7);
        self.put_digits(digits >> (8 * zeros), 8 - zeros as usize);
    }

    /// The first `count` of the eight digits of a number below 1e8.
    #[inline]
    fn put_eight(&mut self, value: u64, count: usize) {
        self.put_digits(eight(value), count);
    }

    /// Writes eight bytes, and moves on by `count` of them.
    #[inline]
    fn put_digits(&mut self, digits: u64, count: usize) {
        match self.buffer.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<8>()) {
            Some(place) => {
                *place = (digits | ZEROS).to_le_bytes();
                self.at += count;
            }
            None => self.full = true,
        }
    }

    /// Appends a multiple of the step, that is not negative, with the step's decimals.
    #[inline(always)] // four in every pair of orders: by a call each costs twice as much
    pub fn put_decimal(&mut self, value: i64, decimals: &Decimals) {
        let value = value.unsigned_abs();
        // The usual scale by itself: its two divisions are by a constant, so multiplications.
        let (whole, fraction) = if decimals.one == 100_000_000 {
            (value / 100_000_000, value % 100_000_000 * 100_000_000)
        } else {
            (value / decimals.one, value % decimals.one * decimals.lift)
        };
        self.put_number(whole);
        if decimals.places > 0 {
            self.put_const(b".");
            self.put_eight(fraction / 100_000_000, decimals.places.min(8));
            if decimals.places > 8 {
                self.put_eight(fraction % 100_000_000, decimals.places - 8);
            }
        }
    }
}

/// A time in ms as it is written from 2001 to 2286, when it has thirteen digits; `None` for any other.
#[inline]
pub fn millis(ms: i64) -> Option<[u8; 13]> {
    const E8: u64 = 100_000_000;
    let (high, low) = (ms as u64 / E8, ms as u64 % E8);
    if !(10_000..100_000).contains(&high) {
        return None;
    }
    let [high, low] = [high, low].map(|part| (eight(part) | ZEROS).to_le_bytes());
    let mut text = [0; 13];
    // Of the first part's eight digits three are leading zeros.
    text[..5].copy_from_slice(&high[3..]);
    text[5..].copy_from_slice(&low);
    Some(text)
}

/// Eight digits of a number below 1e8, each in a byte of its own, the first in the lowest. All
/// pairs, then all digits, are parted at once; each division by 100 or 10 is a multiplication
/// whose error stays below one for values this small.
#[inline]
fn eight(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let high = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = high | ((fours - high * 100) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - tens * 10) << 8)
}

/// How numbers that are multiples of some step are written: with exactly the step's decimals,
/// since venues refuse more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decimals {
    /// 10^scale.
    one: u64,
    /// What makes a fraction of the scale one of 1e-16.
    lift: u64,
    /// Written places.
    places: usize,
}

impl Decimals {
    /// The decimals of a step given in units of 10^-scale.
    pub fn of_step(step: i64, scale: Scale) -> Decimals {
        Decimals::at_least(0, step, scale)
    }

    /// The decimals of a step, and at least so many.
    pub fn at_least(least: u8, step: i64, scale: Scale) -> Decimals {
        let (mut unit, mut places) = (1u64, scale.digits());
        while places > least && step.unsigned_abs().is_multiple_of(unit * 10) {
            unit *= 10;
            places -= 1;
        }
        let one = scale.one().unsigned_abs();
        Decimals { one, lift: 10u64.pow(16 - u32::from(scale.digits())), places: usize::from(places) }
    }

    /// Room for any number: 19 digits, a point, and what [`Pen`] writes ahead of itself.
    pub const MAX_TEXT: usize = 40;

    /// The text of one number at the front of `out`; its length.
    pub fn write(&self, value: i64, out: &mut [u8; Decimals::MAX_TEXT]) -> usize {
        let mut pen = Pen::new(out);
        pen.put_decimal(value, self);
        pen.end().unwrap_or_default()
    }

    /// The same as a text of its own.
    pub fn text(&self, value: i64) -> String {
        let mut out = [0; Decimals::MAX_TEXT];
        let end = self.write(value, &mut out);
        out[..end].iter().map(|byte| char::from(*byte)).collect()
    }
}

/// RFC 3339 in milliseconds, `2026-07-26T10:00:00.900Z`; the date is computed once a day.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    day: i64,
    second: i64,
    text: [u8; 24],
}

impl Default for Stamp {
    fn default() -> Stamp {
        Stamp::new()
    }
}

impl Stamp {
    /// Length of the text.
    pub const LEN: usize = 24;

    /// No day yet.
    pub fn new() -> Stamp {
        Stamp { day: i64::MIN, second: i64::MIN, text: *b"0000-00-00T00:00:00.000Z" }
    }

    /// The text of a time; years outside four digits come out wrong, and are never asked for.
    #[inline]
    pub fn write(&mut self, at: Nanos) -> &[u8; Stamp::LEN] {
        let millis = at.millis();
        let (second, millis) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
        if second != self.second {
            self.time(second);
        }
        for (to, digit) in self.text[20..23].iter_mut().zip([millis / 100, millis / 10 % 10, millis % 10]) {
            *to = b'0' + digit as u8;
        }
        &self.text
    }

    fn time(&mut self, second: i64) {
        self.second = second;
        let (day, in_day) = (second.div_euclid(86_400), second.rem_euclid(86_400) as u64);
        if day != self.day {
            self.day = day;
            self.date(day);
        }
        for (at, value) in [(11, in_day / 3_600), (14, in_day / 60 % 60), (17, in_day % 60)] {
            digits_padded(value, &mut self.text[at..at + 2]);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Fixed, parse};
    use proptest::prelude::*;

    #[test]
    fn numbers_carry_the_decimals_of_their_step() {
        for (least, step, digits, value, want) in [
            (0, 1_000_000, 8, 6_173_763_000_000, "61737.63"),
            (0, 1_000_000, 8, 1_000_000, "0.01"),
            (0, 1_000, 8, 847_000, "0.00847"),
            (0, 100_000_000, 8, 500_000_000, "5"),
            (0, 50_000_000, 8, 150_000_000, "1.5"),
            (0, 1, 8, i64::MAX, "92233720368.54775807"),
            (0, 1, 12, 1, "0.000000000001"),
            (0, 1_000_000_000_000, 12, 7_000_000_000_000, "7"),
            (1, 10_000_000, 8, 3_000_010_000_000, "30000.1"),
            (1, 10_000_000, 8, 3_000_000_000_000, "30000.0"),
            (8, 1_000, 8, 1_000, "0.00001000"),
            (0, 1, 0, 120, "120"),
        ] {
            let decimals = Decimals::at_least(least, step, Scale::new(digits).unwrap());
            assert_eq!(decimals.text(value), want);
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
        fn times_of_thirteen_digits_are_written_as_integers_are(ms in any::<i64>(), usual in 0i64..10_000_000_000_000) {
            for ms in [ms, usual, usual / 10, -usual] {
                let want = (1_000_000_000_000..10_000_000_000_000).contains(&ms).then(|| ms.to_string());
                let got = super::millis(ms).map(|text| String::from_utf8(text.into()).unwrap());
                prop_assert_eq!(got, want);
            }
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
