//! Amounts of an asset, fee rates and basis points, all exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use super::{Price, Qty, Scale};

/// An amount of some asset in units of 1e-24: every product of a price and a quantity of any
/// supported scale is exact in it, and 1e14 whole units still fit.
///
/// Arithmetic panics on overflow in every build: a wrong balance is worse than a stop. Where
/// numbers come from outside, use the checked forms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Money(pub i128);

/// Powers of ten: computing one takes longer than what it is needed for.
const TEN_TO: [i128; 25] = {
    let mut powers = [1i128; 25];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// `value * by`, or `None` when it does not fit. The general product of two such numbers costs a
/// call and many times more than that with a factor of one word, and what prices and quantities
/// usually come to needs no check of its own: 95 bits and a sign by 32 always fit.
#[inline]
pub fn times(value: i128, by: i128) -> Option<i128> {
    let high = (value >> 64) as i64;
    if high == i64::from(high as i32) && by == i128::from(by as u32) {
        return Some(value.wrapping_mul(by));
    }
    times_checked(value, by)
}

/// The same for any two numbers.
fn times_checked(value: i128, by: i128) -> Option<i128> {
    let Ok(by) = u64::try_from(by) else { return value.checked_mul(by) };
    let magnitude = value.unsigned_abs();
    let low = u128::from(magnitude as u64) * u128::from(by);
    let high = u128::from((magnitude >> 64) as u64) * u128::from(by);
    if high >> 63 != 0 {
        return None;
    }
    let product = i128::try_from(low.checked_add(high << 64)?).ok()?;
    Some(if value < 0 { -product } else { product })
}

/// `value / 5^24`, rounded up, of less than 2^104: the usual division of such a number costs two calls.
#[inline]
fn over_fives(value: u128) -> u64 {
    const FIVES: u128 = 5u128.pow(24);
    /// 2^119 / 5^24, rounded down, of 64 bits.
    const RECIPROCAL: u64 = ((1 << 119) / FIVES) as u64;
    // The highest 64 bits that there can be times the reciprocal: too small by two at the most.
    let guess = ((u128::from((value >> 40) as u64) * u128::from(RECIPROCAL)) >> 79) as u64;
    let mut rest = value - u128::from(guess) * FIVES;
    let mut quotient = guess;
    while rest > 0 {
        rest = rest.saturating_sub(FIVES);
        quotient += 1;
    }
    quotient
}

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);
    /// One whole unit of the asset.
    pub const ONE: Money = Money(10i128.pow(24));

    /// An amount given in units of 10^-scale, such as a quantity of the base asset.
    pub const fn from_scaled(value: i64, scale: Scale) -> Money {
        Money(value as i128 * TEN_TO[24 - scale.digits() as usize])
    }

    /// `price * qty` in the quote asset; `None` beyond 1e14 units.
    #[inline]
    pub fn notional(price: Price, qty: Qty, scale: Scale) -> Option<Money> {
        let product = i128::from(price.0) * i128::from(qty.0);
        times(product, TEN_TO[24 - 2 * usize::from(scale.digits())]).map(Money)
    }

    /// This share of the amount, rounded up to a multiple of 1e-8 (against whoever pays it).
    /// Rebates (negative rates) are rounded towards zero.
    #[inline]
    pub fn fee_up(self, rate: FeeRate) -> Money {
        let units = match (u128::try_from(self.0), u64::try_from(rate.0)) {
            // What is usual, up to a million units and 200 %: no division.
            (Ok(amount), Ok(rate)) if amount >> 100 == 0 && rate >> 28 == 0 => {
                // Amount times rate is in units of 1e-32, and 1e24 of those are wanted: 2^24 by
                // a shift, 5^24 by its reciprocal. Rounding up twice is rounding up once.
                let product = amount * u128::from(rate);
                let shifted = (product >> 24) + u128::from(product & 0xff_ffff != 0);
                over_fives(shifted) as i128
            }
            _ => self.fee_units(rate),
        };
        Money(units * 10i128.pow(16))
    }

    /// The same for any amount and rate.
    fn fee_units(self, rate: FeeRate) -> i128 {
        const E8: i128 = 10i128.pow(16);
        let whole = self.0.div_euclid(E8);
        let part = self.0.rem_euclid(E8);
        let rate = i128::from(rate.0);
        // amount * rate in units of 1e-16, and what is left below one of them. Both fit: whole is
        // below 2e22, part below 1e16, and a rate has 63 bits.
        let (carry, below) = ((part * rate).div_euclid(E8), (part * rate).rem_euclid(E8));
        let product = whole * rate + carry;
        let hundred_million = i128::from(FeeRate::ONE);
        let exact = product.rem_euclid(hundred_million) == 0 && below == 0;
        product.div_euclid(hundred_million) + i128::from(!exact)
    }

    /// The amount in units of 10^-scale when it is a whole number of them.
    pub fn to_scaled(self, scale: Scale) -> Option<i64> {
        let unit = 10i128.pow(24 - u32::from(scale.digits()));
        (self.0 % unit == 0).then(|| i64::try_from(self.0 / unit).ok()).flatten()
    }

    /// The amount in whole units of 10^-scale, rounded towards zero; `None` beyond 64 bits.
    pub fn floor_to_scaled(self, scale: Scale) -> Option<i64> {
        i64::try_from(self.0 / 10i128.pow(24 - u32::from(scale.digits()))).ok()
    }

    /// The value without its sign.
    pub const fn abs(self) -> Money {
        Money(self.0.abs())
    }

    /// True below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The sum, or `None` on overflow.
    pub const fn checked_add(self, other: Money) -> Option<Money> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Money(sum)),
            None => None,
        }
    }

    /// Reads a plain decimal (`-12.5`) with up to 24 places; `None` for anything else.
    pub fn parse(text: &str) -> Option<Money> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) || digits.ends_with('.') {
            return None;
        }
        if fraction.bytes().skip(24).any(|b| b != b'0') {
            return None;
        }
        let mut value = 0i128;
        let places = fraction.bytes().chain(std::iter::repeat(b'0')).take(24);
        for digit in whole.bytes().chain(places) {
            value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        Some(Money(if negative { -value } else { value }))
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.checked_add(other.0).expect("an amount beyond 1e14 units"))
    }
}

impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0.checked_sub(other.0).expect("an amount beyond 1e14 units"))
    }
}

impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(-self.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(items: I) -> Money {
        items.fold(Money::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let one = Money::ONE.0.unsigned_abs();
        let mut text = format!("{}", magnitude / one);
        let fraction = magnitude % one;
        if fraction != 0 {
            let digits = format!("{fraction:024}");
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        if self.0 < 0 {
            text.insert(0, '-');
        }
        f.pad(&text)
    }
}

/// A fee as a share of the traded value, in units of 1e-8 (10 bp = 100,000). Negative = rebate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct FeeRate(pub i64);

impl FeeRate {
    /// 100 %, in units of 1e-8.
    pub const ONE: i64 = 100_000_000;

    /// From basis points with up to four decimals, given in units of 1e-4 bp.
    pub const fn from_bps_e4(bps_e4: i64) -> FeeRate {
        FeeRate(bps_e4)
    }
}

/// Basis points in units of 1e-6 bp.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Bps(pub i64);

impl Bps {
    /// One basis point.
    pub const ONE: i64 = 1_000_000;

    /// `part / whole` in basis points, rounded down; `None` when `whole` is not positive or the
    /// result does not fit.
    pub fn of(part: Money, whole: Money) -> Option<Bps> {
        if whole.0 <= 0 {
            return None;
        }
        // 1e4 bp times 1e6: scale the numerator, or, when that overflows, split off the whole part.
        const E10: i128 = 10_000_000_000;
        let scaled = match part.0.checked_mul(E10) {
            Some(numerator) => numerator.div_euclid(whole.0),
            None => {
                let (quotient, rest) = (part.0.div_euclid(whole.0), part.0.rem_euclid(whole.0));
                // Long division, one decimal digit at a time: exact, and far from the hot path.
                let (mut value, mut rest) = (quotient, rest);
                for _ in 0..10 {
                    rest = rest.checked_mul(10)?;
                    value = value.checked_mul(10)?.checked_add(rest.div_euclid(whole.0))?;
                    rest = rest.rem_euclid(whole.0);
                }
                value
            }
        };
        i64::try_from(scaled).ok().map(Bps)
    }
}

impl Bps {
    /// Whether `part / whole` (with a positive `whole`) is at least this much: as comparing with
    /// [`Bps::of`], without its division.
    #[inline]
    pub fn is_reached(self, part: Money, whole: Money) -> bool {
        match (times(part.0, 10_000_000_000), times(whole.0, i128::from(self.0.unsigned_abs()))) {
            (Some(have), Some(want)) if whole.0 > 0 => have >= if self.0 < 0 { -want } else { want },
            _ => Bps::of(part, whole).is_some_and(|share| share >= self),
        }
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:06}", magnitude / 1_000_000, magnitude % 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    #[test]
    fn a_notional_is_exact_at_every_scale() {
        for (digits, price, qty, want) in [
            (8, 6_173_763_000_000, 1, "0.0006173763"),
            (0, 5, 7, "35"),
            (12, 1, 1, "0.000000000000000000000001"),
        ] {
            let scale = Scale::new(digits).unwrap();
            let value = Money::notional(Price(price), Qty(qty), scale).unwrap();
            assert_eq!(value.to_string(), want);
        }
        let huge = Scale::new(0).unwrap();
        assert_eq!(Money::notional(Price(i64::MAX), Qty(i64::MAX), huge), None);
    }

    #[test]
    fn products_are_exact_or_refused() {
        let edge = 1i128 << 95;
        let values = [0, 1, -1, 1 << 63, 1 << 64, (1 << 64) + 1, -(1 << 90) - 7, i128::MAX, i128::MIN + 1];
        let values = values.into_iter().chain([edge - 1, edge, 1 - edge, -edge - 1]);
        for value in values {
            for by in [0, 1, 3, -3, 100_000_000, (1 << 32) - 1, 1 << 32, i128::from(u64::MAX), 1 << 64] {
                assert_eq!(times(value, by), value.checked_mul(by), "{value} by {by}");
            }
        }
    }

    #[test]
    fn both_ways_to_a_fee_agree() {
        let amounts = [0, 1, 9_999, 10i128.pow(16), 10i128.pow(24) + 1, 123_456_789 * 10i128.pow(21) + 7];
        let edges = [(1i128 << 100) - 1, 1i128 << 100, -5, -10i128.pow(26) - 3];
        for amount in amounts.into_iter().chain(edges).map(Money) {
            for rate in [0, 1, 7, 99_999, 100_000, (1 << 28) - 1, 1 << 28, -20_000] {
                let want = Money(amount.fee_units(FeeRate(rate)) * 10i128.pow(16));
                assert_eq!(amount.fee_up(FeeRate(rate)), want, "{amount:?} at {rate}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn the_reciprocal_divides(quotient in 0u128..1 << 48, rest in 0u128..5u128.pow(24), wide in 0u128..1 << 104) {
            let fives = 5u128.pow(24);
            for value in [quotient * fives + rest, quotient * fives, quotient * fives + 1, wide] {
                proptest::prop_assert_eq!(u128::from(over_fives(value)), value.div_ceil(fives));
            }
            proptest::prop_assert_eq!(u128::from(over_fives((1 << 104) - 1)), ((1u128 << 104) - 1).div_ceil(fives));
        }
    }

    #[test]
    fn fees_are_rounded_up_against_the_payer() {
        for (amount, rate, want) in [
            ("100", 100_000, "0.1"),
            ("0.00000001", 100_000, "0.00000001"),
            ("123.45678901", 10_000, "0.01234568"),
            ("0", 100_000, "0"),
            ("100", -10_000, "-0.01"),
            ("0.000000011", -99_000_000, "-0.00000001"),
            ("99999999999999", 260_000, "259999999999.9974"),
        ] {
            assert_eq!(money(amount).fee_up(FeeRate(rate)).to_string(), want, "{amount} at {rate}");
        }
    }

    #[test]
    fn basis_points_round_down() {
        for (part, whole, want) in [
            ("1", "10000", "1.000000"),
            ("2", "3", "6666.666666"),
            ("-1", "3", "-3333.333334"),
            ("9900000000000", "10000000000000", "9900.000000"),
        ] {
            assert_eq!(Bps::of(money(part), money(whole)).unwrap().to_string(), want);
        }
        assert_eq!(Bps::of(Money::ONE, Money::ZERO), None);
    }

    #[test]
    fn a_share_is_reached_when_it_is_as_large() {
        for (part, whole) in [("5", "10000"), ("-5", "10000"), ("3", "7"), ("0", "1"), ("1", "0")] {
            let (part, whole) = (money(part), money(whole));
            for bps in [-5_000_001, -5_000_000, 0, 5_000_000, 5_000_001, 4_285_714_285, 4_285_714_286] {
                let want = Bps::of(part, whole).is_some_and(|share| share >= Bps(bps));
                assert_eq!(Bps(bps).is_reached(part, whole), want, "{part} of {whole}, {bps}");
            }
        }
    }

    #[test]
    fn text_is_read_and_written_without_loss() {
        for text in ["0", "-12.5", "0.000000000000000000000001", "99999999999999"] {
            assert_eq!(money(text).to_string(), text);
        }
        for text in ["", "-", "1.", ".5", "1e5", "0.0000000000000000000000001", "999999999999999"] {
            assert_eq!(Money::parse(text), None, "{text}");
        }
    }
}
