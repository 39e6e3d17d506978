//! Prices and quantities: integers in units of 10^-scale, one scale an instrument.

/// Decimal places of an instrument's prices and quantities, the same on every venue. The default
/// is 8, because the SIMD decimal kernel gives units of 1e-8 without a division.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Scale(u8);

impl Scale {
    /// Eight decimals: units of 1e-8.
    pub const DEFAULT: Scale = Scale(8);
    /// The most decimals supported: a product of two such numbers is still exact as [`super::Money`].
    pub const MAX: Scale = Scale(12);

    /// `None` above [`Scale::MAX`].
    pub const fn new(digits: u8) -> Option<Scale> {
        if digits <= Scale::MAX.0 { Some(Scale(digits)) } else { None }
    }

    /// Decimal places.
    pub const fn digits(self) -> u8 {
        self.0
    }

    /// What 1 is in units of this scale: 10^digits.
    pub const fn one(self) -> i64 {
        10i64.pow(self.0 as u32)
    }
}

impl Default for Scale {
    fn default() -> Scale {
        Scale::DEFAULT
    }
}

/// A price in units of 10^-scale of the quote asset per unit of the base asset. Never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Price(pub i64);

/// A quantity in units of 10^-scale of the base asset (or of contracts).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Qty(pub i64);

impl Qty {
    /// Nothing.
    pub const ZERO: Qty = Qty(0);

    /// The largest multiple of `lot` not above this quantity.
    pub const fn floor_to(self, lot: Qty) -> Qty {
        Qty(self.0 - self.0 % lot.0)
    }

    /// The smaller of two.
    pub fn min(self, other: Qty) -> Qty {
        Ord::min(self, other)
    }
}

impl Price {
    /// True when this price is a whole number of ticks.
    pub const fn is_on(self, tick: Price) -> bool {
        self.0 % tick.0 == 0
    }
}
