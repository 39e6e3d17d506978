//! Prices to tick numbers and back, without a division.
//!
//! A price that is a whole number of ticks divides exactly, and an exact division by a constant is
//! one multiplication by the constant's inverse modulo 2^64. The same product tells when it was
//! not exact: then the result is larger than any true quotient can be.

use crate::types::Price;

/// A tick size, ready to divide by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    size: u64,
    /// Inverse of the odd part of `size`, modulo 2^64.
    inverse: u64,
    /// Power of two in `size`.
    shift: u32,
    /// The largest quotient of a price.
    limit: u64,
}

impl Tick {
    /// No tick known yet: every positive price is off it.
    pub const UNKNOWN: Tick = Tick { size: 0, inverse: 1, shift: 0, limit: 0 };

    /// `None` unless positive.
    pub fn new(size: Price) -> Option<Tick> {
        let size = u64::try_from(size.0).ok().filter(|&size| size > 0)?;
        let shift = size.trailing_zeros();
        let odd = size >> shift;
        // Newton: an odd number is its own inverse modulo 8; each step doubles the right bits.
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        Some(Tick { size, inverse, shift, limit: i64::MAX as u64 / size })
    }

    /// The price in ticks; `None` off the tick, and for one that is not positive.
    #[inline]
    pub fn index(&self, price: i64) -> Option<u64> {
        let ticks = (price as u64).wrapping_mul(self.inverse).rotate_right(self.shift);
        if ticks.wrapping_sub(1) < self.limit { Some(ticks) } else { None }
    }

    /// The price of a tick number that [`Tick::index`] gave.
    #[inline]
    pub fn price(&self, ticks: u64) -> Price {
        Price(ticks.wrapping_mul(self.size) as i64)
    }

    /// The size; zero while unknown.
    pub fn size(&self) -> Price {
        Price(self.size as i64)
    }

    /// The coarsest tick that holds this one's prices and `price`.
    pub fn with(&self, price: Price) -> Option<Tick> {
        let (mut a, mut b) = (self.size, u64::try_from(price.0).ok()?);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Tick::new(Price(i64::try_from(a).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_sizes_and_powers_of_two_divide_exactly() {
        for size in [1, 2, 3, 5, 7, 10, 64, 1_000_000, 1 << 40, 2_500_000, i64::MAX] {
            let tick = Tick::new(Price(size)).unwrap();
            for ticks in [1, 2, 3, 61_737, (i64::MAX / size) as u64] {
                let price = tick.price(ticks.min((i64::MAX / size) as u64));
                assert_eq!(tick.index(price.0), Some((price.0 / size) as u64), "{size}");
            }
        }
        assert!(Tick::new(Price(0)).is_none() && Tick::new(Price(-1)).is_none());
        assert_eq!(Tick::UNKNOWN.index(1), None);
        for price in [0, -1, i64::MIN] {
            assert_eq!(Tick::new(Price(1)).unwrap().index(price), None, "{price}");
        }
    }

    proptest! {
        #[test]
        fn the_inverse_agrees_with_division(size in 1..=i64::MAX, small in 1..100_000_000i64, price in 1..=i64::MAX) {
            for size in [size, small, small * 1_000] {
                let tick = Tick::new(Price(size)).unwrap();
                let want = (price % size == 0).then_some((price / size) as u64);
                prop_assert_eq!(tick.index(price), want);
                prop_assert_eq!(tick.index(-price), None);
            }
        }

        #[test]
        fn a_finer_price_makes_the_tick_that_holds_both(a in 1..1_000_000i64, b in 1..1_000_000i64) {
            let tick = Tick::UNKNOWN.with(Price(a)).unwrap().with(Price(b)).unwrap();
            prop_assert!(tick.index(a).is_some() && tick.index(b).is_some());
        }
    }
}
