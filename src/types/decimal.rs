//! Decimal text to scaled integers and back. Exact or refused: nothing is rounded here.
//!
//! This is the plain, any-form converter for edges and the judge of the SIMD kernels in
//! `wire/decimal`; the hot path uses those.

use std::fmt;

use super::Scale;

/// Longest text [`format()`] writes: sign, 19 digits, a point and a leading zero.
pub const MAX_TEXT: usize = 24;

/// Why a decimal text is not a number of the wanted scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a JSON-style number (digits, optional sign, fraction and exponent).
    #[error("byte {0}: not a decimal number")]
    Malformed(usize),
    /// Non-zero digits beyond the scale's last place.
    #[error("more than {0} decimal places")]
    TooPrecise(u8),
    /// Beyond an `i64` at this scale.
    #[error("too large for {0} decimal places in 64 bits")]
    TooLarge(u8),
}

/// Reads `-12.5`, `0.00100000` or `1.5e-7` as an integer in units of 10^-scale.
///
/// The grammar is JSON's, but leading zeros are allowed, since venues write them in strings.
/// Trailing zeros beyond the scale are fine; any other digit there is [`DecimalError::TooPrecise`].
pub fn parse(text: &[u8], scale: Scale) -> Result<i64, DecimalError> {
    let negative = text.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let whole = digits_from(text, at);
    if whole == at {
        return Err(DecimalError::Malformed(at));
    }
    let integer = &text[at..whole];
    at = whole;
    let mut fraction: &[u8] = &[];
    if text.get(at) == Some(&b'.') {
        let end = digits_from(text, at + 1);
        if end == at + 1 {
            return Err(DecimalError::Malformed(end));
        }
        fraction = &text[at + 1..end];
        at = end;
    }
    let mut exponent = 0i64;
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        let minus = text.get(at) == Some(&b'-');
        if minus || text.get(at) == Some(&b'+') {
            at += 1;
        }
        let end = digits_from(text, at);
        if end == at {
            return Err(DecimalError::Malformed(at));
        }
        for &digit in &text[at..end] {
            // Saturates far beyond anything that could still be in range.
            exponent = (exponent * 10 + i64::from(digit - b'0')).min(1_000_000);
        }
        if minus {
            exponent = -exponent;
        }
        at = end;
    }
    if at != text.len() {
        return Err(DecimalError::Malformed(at));
    }

    let places = scale.digits();
    let (mut value, mut seen) = (0i64, 0i64);
    // Digits that still lie at or above the scale's last place.
    let kept = integer.len() as i64 + i64::from(places) + exponent;
    for &digit in integer.iter().chain(fraction) {
        let digit = i64::from(digit - b'0');
        if seen < kept {
            value = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(digit))
                .ok_or(DecimalError::TooLarge(places))?;
        } else if digit != 0 {
            return Err(DecimalError::TooPrecise(places));
        }
        seen += 1;
    }
    if value != 0 {
        for _ in seen..kept {
            value = value.checked_mul(10).ok_or(DecimalError::TooLarge(places))?;
        }
    }
    Ok(if negative { -value } else { value })
}

fn digits_from(text: &[u8], from: usize) -> usize {
    from + text[from.min(text.len())..].iter().take_while(|b| b.is_ascii_digit()).count()
}

/// Writes `value` (in units of 10^-scale) without exponent or trailing zeros and returns the
/// length: `100`, `0.5`, `-0.00000001`.
pub fn format(value: i64, scale: Scale, out: &mut [u8; MAX_TEXT]) -> usize {
    let one = scale.one().unsigned_abs();
    let magnitude = value.unsigned_abs();
    let (whole, mut fraction) = (magnitude / one, magnitude % one);
    let mut at = 0;
    if value < 0 {
        out[at] = b'-';
        at += 1;
    }
    let mut digits = [0u8; 20];
    let mut n = 0;
    let mut rest = whole;
    loop {
        digits[n] = b'0' + (rest % 10) as u8;
        n += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for digit in digits[..n].iter().rev() {
        out[at] = *digit;
        at += 1;
    }
    if fraction != 0 {
        out[at] = b'.';
        let mut places = usize::from(scale.digits());
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            places -= 1;
        }
        for place in (0..places).rev() {
            out[at + 1 + place] = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
        at += 1 + places;
    }
    at
}

/// Shows a scaled integer as a plain decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(pub i64, pub Scale);

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; MAX_TEXT];
        let n = format(self.0, self.1, &mut text);
        f.pad(std::str::from_utf8(&text[..n]).expect("ASCII digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecimalError::*;

    #[test]
    fn text_is_read_exactly_or_refused() {
        let e8 = Scale::DEFAULT;
        let e0 = Scale::new(0).unwrap();
        for (text, scale, want) in [
            ("0", e8, Ok(0)),
            ("1", e8, Ok(100_000_000)),
            ("61737.63000000", e8, Ok(6_173_763_000_000)),
            ("-0.00000001", e8, Ok(-1)),
            ("00012.50", e8, Ok(1_250_000_000)),
            ("1e-8", e8, Ok(1)),
            ("1.5E+2", e8, Ok(15_000_000_000)),
            ("0.000000010000", e8, Ok(1)),
            ("0e999999", e8, Ok(0)),
            ("120e-1", e0, Ok(12)),
            ("92233720368.54775807", e8, Ok(i64::MAX)),
            ("92233720368.54775808", e8, Err(TooLarge(8))),
            ("1e12", e8, Err(TooLarge(8))),
            ("0.000000001", e8, Err(TooPrecise(8))),
            ("1e-9", e8, Err(TooPrecise(8))),
            ("1.5", e0, Err(TooPrecise(0))),
            ("", e8, Err(Malformed(0))),
            ("-", e8, Err(Malformed(1))),
            ("1.", e8, Err(Malformed(2))),
            (".5", e8, Err(Malformed(0))),
            ("1.2.3", e8, Err(Malformed(3))),
            ("1e", e8, Err(Malformed(2))),
            ("+1", e8, Err(Malformed(0))),
            (" 1", e8, Err(Malformed(0))),
            ("NaN", e8, Err(Malformed(0))),
        ] {
            assert_eq!(parse(text.as_bytes(), scale), want, "{text}");
        }
    }

    #[test]
    fn writing_and_reading_agree() {
        for scale in (0..=12).map(|d| Scale::new(d).unwrap()) {
            for value in [0, 1, -1, 10, 120, 99_999_999, 100_000_000, i64::MAX, -i64::MAX] {
                let text = Fixed(value, scale).to_string();
                assert_eq!(parse(text.as_bytes(), scale), Ok(value), "{text}");
                assert!(!text.contains('.') || !text.ends_with('0'), "{text}");
            }
        }
    }
}
