//! Fees of an order.
//!
//! A fee is rounded up once over all fills of an order at one rate, not once a fill: an order that
//! fills in a hundred pieces costs what it costs in one, and what a resting order locks for its
//! fee is exactly what its fills will take.

use crate::types::{FeeRate, Money};
pub use crate::venue::FeeIn;

/// Maker and taker rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    /// For an order that rested.
    pub maker: FeeRate,
    /// For an order that took.
    pub taker: FeeRate,
}

impl Rates {
    pub(super) fn of(&self, maker: bool) -> FeeRate {
        if maker { self.maker } else { self.taker }
    }

    /// The dearer of the two.
    pub(super) fn worst(&self) -> FeeRate {
        self.maker.max(self.taker)
    }
}

/// What an order has been charged so far, as taker and as maker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    basis: [Money; 2],
    charged: [Money; 2],
}

impl Tally {
    /// What a further fill of this basis would cost.
    pub fn due(&self, maker: bool, rate: FeeRate, basis: Money) -> Money {
        let at = usize::from(maker);
        (self.basis[at] + basis).fee_up(rate) - self.charged[at]
    }

    /// Charges a fill, but no more than `most`: what is left over falls due with the next fill.
    pub fn charge(&mut self, maker: bool, rate: FeeRate, basis: Money, most: Money) -> Money {
        let fee = self.due(maker, rate, basis).min(most);
        let at = usize::from(maker);
        self.basis[at] += basis;
        self.charged[at] += fee;
        fee
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_fills_cost_what_one_costs() {
        let money = |text| Money::parse(text).unwrap();
        for (rate, pieces) in [(100_000, 7), (26_000, 100), (-10_000, 13)] {
            let rate = FeeRate(rate);
            let piece = money("0.0123456789");
            let mut tally = Tally::default();
            let mut sum = Money::ZERO;
            for _ in 0..pieces {
                sum += tally.charge(false, rate, piece, piece);
            }
            assert_eq!(sum, Money(piece.0 * pieces).fee_up(rate), "{rate:?}");
        }
        let mut tally = Tally::default();
        let dust = money("0.000000001");
        assert_eq!(tally.charge(true, FeeRate(1), dust, dust), dust, "never more than was received");
        assert_eq!(tally.charge(true, FeeRate(1), dust, Money::ONE), money("0.000000009"));
    }
}
