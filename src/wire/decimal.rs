//! Decimals in messages, `61737.63000000`, as integers in units of 10^-scale.
//!
//! The kernels take the usual form: digits, at most one point inside them. The AVX2 kernel reads
//! two numbers at once (a level's price and quantity) from one 32-byte window:
//!
//! ```text
//! window   61737.63000000","0.00000000"],["617     digits and points give two bit masks, and these
//!               dot     end  dot      end          where each number has its point and its end
//! shuffle  00061737|63000000   00000000|00000000   whole part to the right, fraction to the left
//! madd     61737      63000000 0         0         eight digits to one integer, twice
//! ```
//!
//! so that `whole * 10^8 + fraction` is the number at scale 8, without a division and with no branch
//! on its length. One table, by the places of point and end, holds the shuffles; where a form is
//! not taken, the table picks the point itself, which is no digit, and the one check for digits that
//! follows sees it. What the kernels do not take (more than 7 whole or 8 fraction digits, exponents)
//! goes to [`any`], which asks the judge of all decimals, [`crate::types::parse`].

use crate::types::{DecimalError, Scale, parse};
use crate::wire::Padded;
use crate::wire::json::Error;

/// A decimal that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Number {
    /// In units of 10^-scale.
    pub value: i64,
    /// Offset of the first byte behind it.
    pub end: usize,
    /// Decimals that it is written with.
    pub places: u8,
}

/// A decimal's whole text in units of 10^-scale; `at` is its offset, for the error.
///
/// # Errors
/// [`Error`] when it is no decimal, negative, or not exact at that scale.
pub fn exact(text: &[u8], at: usize, scale: Scale) -> Result<i64, Error> {
    match parse(text, scale) {
        Ok(value) if value >= 0 => Ok(value),
        Ok(_) => Err(Error::expected("a decimal that is not negative", at)),
        Err(DecimalError::Malformed(offset)) => Err(Error::expected("a decimal", at + offset)),
        Err(error) => Err(Error::Decimal { at, error }),
    }
}

/// Decimals that a number's text is written with: `1.50` has 2, `1.5e-7` has 8.
pub fn places(text: &[u8]) -> u8 {
    let mantissa = text.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(text.len());
    let point = text[..mantissa].iter().position(|&b| b == b'.');
    let fraction = point.map_or(0, |point| mantissa - point - 1) as i64;
    let exponent = text.get(mantissa + 1..).and_then(|e| std::str::from_utf8(e).ok()?.parse::<i64>().ok());
    fraction.saturating_sub(exponent.unwrap_or(0)).clamp(0, 255) as u8
}

/// Any form of decimal, as long as its characters go; for what the kernels do not take. With
/// `json`, only what is a JSON number: no leading zeros.
///
/// # Errors
/// As for [`exact`].
#[cold]
#[inline(never)]
pub fn any(text: Padded<'_>, at: usize, json: bool, scale: Scale) -> Result<Number, Error> {
    let rest = text.message().get(at..).unwrap_or_default();
    let len = rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')).count();
    let number = &rest[..len];
    let unsigned = number.strip_prefix(b"-").unwrap_or(number);
    if json && matches!(unsigned, [b'0', b'0'..=b'9', ..]) {
        return Err(Error::expected("a number without leading zeros", at));
    }
    Ok(Number { value: exact(number, at, scale)?, end: at + len, places: places(number) })
}

/// Two decimals of any form with exactly `gap` between them; for what the kernels do not take.
#[cold]
#[inline(never)]
pub fn any_pair(text: Padded<'_>, at: usize, gap: &[u8], json: bool, scale: Scale) -> Option<[Number; 2]> {
    let number = |at| plain(text, at, json, scale).or_else(|| any(text, at, json, scale).ok());
    let first = number(at)?;
    let start = first.end + gap.len();
    if text.message().get(first.end..start) != Some(gap) {
        return None;
    }
    Some([first, number(start)?])
}

/// The scalar twin of the vector kernels, for any scale: digits, at most one point inside them, 18
/// digits in all. `None` for anything else.
#[inline(always)]
pub fn plain(text: Padded<'_>, start: usize, json: bool, scale: Scale) -> Option<Number> {
    let bytes = text.with_slack();
    let mut at = start;
    let mut value = 0u64;
    while let Some(digit) = digit(bytes, at) {
        // Wraps only beyond 19 digits, which are refused below.
        value = value.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let (whole, mut fraction) = (at - start, 0);
    if whole == 0 || (json && whole > 1 && bytes[start] == b'0') {
        return None;
    }
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let from = at;
        while let Some(digit) = digit(bytes, at) {
            value = value.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        fraction = at - from;
        if fraction == 0 {
            return None;
        }
    }
    let missing = usize::from(scale.digits()).checked_sub(fraction)?;
    if whole + fraction > 18 {
        return None;
    }
    let value = i64::try_from(value).ok()?.checked_mul(POWERS[missing])?;
    Some(Number { value, end: at, places: fraction as u8 })
}

#[inline(always)]
fn digit(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = bytes.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// Powers of ten that 64 bits hold.
pub const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// How a number at scale 8 becomes one at another scale.
#[derive(Clone, Copy, Debug)]
pub struct Rescale {
    multiply: i64,
    divide: i64,
}

impl Rescale {
    /// From scale 8 to `scale`.
    pub fn from_eight(scale: Scale) -> Rescale {
        let digits = usize::from(scale.digits());
        Rescale { multiply: POWERS[digits.saturating_sub(8)], divide: POWERS[8usize.saturating_sub(digits)] }
    }

    /// `None` where the number is not exact or too large at the other scale.
    #[inline(always)]
    pub fn apply(self, value: i64) -> Option<i64> {
        if self.divide == 1 {
            return value.checked_mul(self.multiply);
        }
        (value % self.divide == 0).then_some(value / self.divide)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    //! The vector kernels.

    use std::arch::x86_64::*;

    use crate::wire::json::kernel::starts_with;

    /// Where a number has its point (or its end, where it has none) and its end.
    #[derive(Clone, Copy)]
    pub struct Shape {
        pub dot: usize,
        pub end: usize,
    }

    impl Shape {
        /// Decimals after the point.
        #[inline(always)]
        pub fn places(self) -> u8 {
            (self.end - self.dot).saturating_sub(1) as u8
        }
    }

    /// Ends up to here are told apart.
    const ENDS: usize = 64;

    /// By point and end: which of 16 digits goes where. Whole part right-aligned in bytes 0 to 7,
    /// fraction left-aligned in bytes 8 to 15, zeros elsewhere.
    static SHUFFLES: [[u8; 16]; 8 * ENDS] = {
        let mut table = [[0; 16]; 8 * ENDS];
        let mut index = 0;
        while index < table.len() {
            let (dot, end) = (index / ENDS, index % ENDS);
            // 1 to 7 whole digits; no point, or 1 to 8 digits behind it.
            let taken = dot > 0 && (end == dot || (end >= dot + 2 && end <= dot + 9));
            let mut lane = 0;
            while lane < 16 {
                table[index][lane] = if !taken {
                    dot as u8 // never a digit: the point, or with none the byte that ends the number
                } else if lane < 8 {
                    if lane + dot >= 8 { (lane + dot - 8) as u8 } else { 0x80 }
                } else if dot + 1 + lane - 8 < end {
                    (dot + 1 + lane - 8) as u8
                } else {
                    0x80
                };
                lane += 1;
            }
            index += 1;
        }
        table
    };

    /// By length: 16 digits, right-aligned.
    static RIGHT: [[u8; 16]; 17] = {
        let mut table = [[0x80; 16]; 17];
        let mut len = 0;
        while len <= 16 {
            let mut lane = 16 - len;
            while lane < 16 {
                table[len][lane] = (lane + len - 16) as u8;
                lane += 1;
            }
            len += 1;
        }
        table
    };

    /// Two decimals at scale 8, where they end, and what stands there.
    pub struct Pair<'w> {
        pub values: [i64; 2],
        pub shapes: [Shape; 2],
        pub behind: &'w [u8; 16],
    }

    /// Two decimals with exactly `gap` between them. What stands behind the second is the caller's
    /// to check: where its end lies at the window's, only that tells whether the number ended there.
    /// `json`: no leading zeros.
    ///
    /// # Safety
    /// The CPU has AVX2, BMI1 and BMI2.
    #[inline(always)]
    pub unsafe fn pair<'w, const GAP: usize>(
        window: &'w [u8; 64],
        gap: &[u8; GAP],
        json: bool,
    ) -> Option<Pair<'w>> {
        const { assert!(GAP > 0 && GAP <= 16) };
        // SAFETY: the caller has AVX2. The window's load reads its first 32 bytes. `first.end` is at
        // most 32, since `stop` has its upper half set, so the gap's 16 bytes end at 48 at the latest.
        // The second number starts at 48 at the latest, and since it ends at 32 or where it starts, so
        // does what is behind it: 16 bytes from either end at 64. `row` needs points below 8, and has
        // them.
        unsafe {
            let values = _mm256_sub_epi8(load(window), _mm256_set1_epi8(b'0' as i8));
            let is_digit = _mm256_cmpeq_epi8(_mm256_min_epu8(values, _mm256_set1_epi8(9)), values);
            let is_dot = _mm256_cmpeq_epi8(values, _mm256_set1_epi8(b'.'.wrapping_sub(b'0') as i8));
            // The upper halves: all ones for what ends a number.
            let other = !u64::from(_mm256_movemask_epi8(is_digit) as u32);
            let stop = other & !u64::from(_mm256_movemask_epi8(is_dot) as u32);
            let first = Shape { dot: other.trailing_zeros() as usize, end: stop.trailing_zeros() as usize };
            let start = first.end + GAP;
            let (other, stop) = (other >> (start & 63), stop >> (start & 63));
            let second = Shape { dot: other.trailing_zeros() as usize, end: stop.trailing_zeros() as usize };
            if (first.dot | second.dot) >= 8 {
                return None;
            }
            let between: &[u8; 16] = &*window.as_ptr().add(first.end).cast();
            if !starts_with(between, gap) {
                return None;
            }
            if json
                && ((first.dot > 1 && window[0] == b'0')
                    || (second.dot > 1 && *window.get_unchecked(start) == b'0'))
            {
                return None;
            }
            let shuffle = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(row(first)), row(second));
            let behind = _mm_loadu_si128(window.as_ptr().add(start).cast());
            let both = _mm256_inserti128_si256::<1>(load(window), behind);
            let digits = _mm256_shuffle_epi8(_mm256_sub_epi8(both, _mm256_set1_epi8(b'0' as i8)), shuffle);
            // A digit has no high nibble; what the table let in as no digit has.
            if _mm256_testz_si256(digits, _mm256_set1_epi8(0xf0u8 as i8)) == 0 {
                return None;
            }
            let twos = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
            let fours = _mm256_madd_epi16(twos, _mm256_set1_epi32(0x0001_0064));
            let eights = _mm256_madd_epi16(_mm256_packus_epi32(fours, fours), _mm256_set1_epi32(0x0001_2710));
            let whole = _mm256_mul_epu32(eights, _mm256_set1_epi64x(100_000_000));
            let sum = _mm256_add_epi64(whole, _mm256_srli_epi64::<32>(eights));
            let sums = _mm_unpacklo_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            let mut values = [0; 2];
            _mm_storeu_si128(values.as_mut_ptr().cast(), sums);
            let behind = &*window.as_ptr().add(start + second.end).cast();
            Some(Pair { values, shapes: [first, second], behind })
        }
    }

    /// The first 32 bytes.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn load(window: &[u8; 64]) -> __m256i {
        // SAFETY: the caller has AVX2; the window is longer than what is read.
        unsafe { _mm256_loadu_si256(window.as_ptr().cast()) }
    }

    /// One decimal at scale 8; as [`pair`], with a window of 16 bytes.
    ///
    /// # Safety
    /// The CPU has AVX2, BMI1 and BMI2.
    #[inline(always)]
    pub unsafe fn one(window: &[u8; 16], json: bool) -> Option<(i64, Shape)> {
        // SAFETY: the caller has AVX2; the load reads the window's 16 bytes. `stop` has its upper half
        // set, so the end is at most 16; points from 8 on are refused before `row`.
        unsafe {
            let raw = _mm_loadu_si128(window.as_ptr().cast());
            let values = _mm_sub_epi8(raw, _mm_set1_epi8(b'0' as i8));
            let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
            let is_dot = _mm_cmpeq_epi8(raw, _mm_set1_epi8(b'.' as i8));
            let other = !(_mm_movemask_epi8(is_digit) as u32);
            let stop = other & !(_mm_movemask_epi8(is_dot) as u32);
            let shape = Shape { dot: other.trailing_zeros() as usize, end: stop.trailing_zeros() as usize };
            if shape.dot >= 8 || (json && shape.dot > 1 && window[0] == b'0') {
                return None;
            }
            let digits = _mm_shuffle_epi8(values, row(shape));
            if _mm_testz_si128(digits, _mm_set1_epi8(0xf0u8 as i8)) == 0 {
                return None;
            }
            let eights = eights(digits);
            let whole = _mm_mul_epu32(eights, _mm_set1_epi64x(100_000_000));
            let sum = _mm_add_epi64(whole, _mm_srli_epi64::<32>(eights));
            Some((_mm_cvtsi128_si64(sum), shape))
        }
    }

    /// An integer of up to 16 digits without leading zeros, and its length; what ends a 16th digit
    /// is the caller's to check.
    ///
    /// # Safety
    /// The CPU has AVX2, BMI1 and BMI2.
    #[inline(always)]
    pub unsafe fn integer(window: &[u8; 16]) -> Option<(u64, usize)> {
        // SAFETY: the caller has AVX2; the loads read 16 bytes of the window and of the table.
        unsafe {
            let values = _mm_sub_epi8(_mm_loadu_si128(window.as_ptr().cast()), _mm_set1_epi8(b'0' as i8));
            let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(values, _mm_set1_epi8(9)), values);
            let len = (!(_mm_movemask_epi8(is_digit) as u32)).trailing_zeros() as usize;
            // No digit at all, or a zero before others.
            if window[0].wrapping_sub(b'1') > 8 && len != 1 {
                return None;
            }
            let right = _mm_loadu_si128(RIGHT.get(len)?.as_ptr().cast());
            let eights = eights(_mm_shuffle_epi8(values, right));
            let high = _mm_mul_epu32(eights, _mm_set1_epi64x(100_000_000));
            let sum = _mm_add_epi64(high, _mm_srli_epi64::<32>(eights));
            Some((_mm_cvtsi128_si64(sum) as u64, len))
        }
    }

    /// Sixteen digits as two integers of eight.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn eights(digits: __m128i) -> __m128i {
        // SAFETY: the caller has AVX2; there is no memory access.
        unsafe {
            let twos = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010a));
            let fours = _mm_madd_epi16(twos, _mm_set1_epi32(0x0001_0064));
            _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(0x0001_2710))
        }
    }

    /// The shuffle of a number of that shape.
    ///
    /// # Safety
    /// Its point is below 8 and its end below [`ENDS`].
    #[inline(always)]
    unsafe fn row(shape: Shape) -> __m128i {
        debug_assert!(shape.dot < 8 && shape.end < ENDS);
        // SAFETY: the caller keeps the index inside the table; a row has 16 bytes.
        unsafe { _mm_loadu_si128(SHUFFLES.get_unchecked(shape.dot * ENDS + shape.end).as_ptr().cast()) }
    }
}
