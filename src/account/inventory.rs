//! Where assets should stand, and what a trade must earn for moving them.
//!
//! Each venue has a target share of what we own of an instrument's base asset. The distance from
//! target is half the sum of the differences, so 0 is on target and 1 is all of it in the wrong
//! place. A trade that brings us nearer may earn less than the usual minimum, one that leads away
//! must earn more: the threshold moves by a configured slope per unit of distance. Positions in
//! contracts are not owned, and do not count.

use super::{Ledger, Markets};
use crate::types::{Bps, InstrumentId, Money, VenueId};

/// One whole share, in the units that shares are given in.
const WHOLE: i64 = 1_000_000;

/// Targets and the slope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inventory {
    /// A share for each venue, in millionths; they add up to a million.
    shares: Vec<i64>,
    /// The change of threshold for the whole way from all wrong to on target.
    slope: Bps,
    /// No threshold is lower than this.
    floor: Bps,
}

/// Why an inventory rule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The shares are not as many as the venues, negative, or do not add up to one.
    #[error(
        "target shares must be one per venue, none negative, and add up to 1 (they add up to {0} millionths)"
    )]
    Shares(i64),
    /// A slope below zero would reward imbalance.
    #[error("the slope must not be negative")]
    Slope,
}

impl Inventory {
    /// Checks and takes the rule.
    ///
    /// # Errors
    /// [`InventoryError`] when the shares do not add up or the slope is negative.
    pub fn new(venues: usize, shares: &[i64], slope: Bps, floor: Bps) -> Result<Inventory, InventoryError> {
        let sum = shares.iter().fold(0i64, |sum, share| sum.saturating_add(*share));
        if shares.len() != venues || shares.iter().any(|share| *share < 0) || sum != WHOLE {
            return Err(InventoryError::Shares(sum));
        }
        if slope.0 < 0 {
            return Err(InventoryError::Slope);
        }
        Ok(Inventory { shares: shares.to_vec(), slope, floor })
    }

    /// Distance from target in millionths after `change` (signed, per venue, of the base asset).
    /// Zero when nothing is owned.
    fn distance(&self, owned: impl Fn(usize) -> Money) -> i64 {
        let total: i128 = (0..self.shares.len()).map(|venue| owned(venue).0.max(0)).sum();
        // Shares in millionths from amounts in 1e-24: divide first, a millionth of it is plenty.
        let unit = total / i128::from(WHOLE);
        if unit <= 0 {
            return 0;
        }
        let far: i128 = self
            .shares
            .iter()
            .enumerate()
            .map(|(venue, share)| (owned(venue).0.max(0) / unit - i128::from(*share)).abs())
            .sum();
        i64::try_from(far / 2).unwrap_or(WHOLE).min(WHOLE)
    }

    /// The least edge for a trade that moves the base asset by `moves` (signed, per venue), where
    /// `usual` would be asked of a trade that changes nothing.
    pub fn threshold(
        &self,
        ledger: &Ledger,
        markets: &Markets,
        instrument: InstrumentId,
        moves: &[(VenueId, Money)],
        usual: Bps,
    ) -> Bps {
        if self.slope.0 == 0 {
            return usual;
        }
        let owned = |venue: usize| {
            let venue = VenueId(venue as u8);
            markets.get(venue, instrument).map_or(Money::ZERO, |market| ledger.position(venue, market.base))
        };
        let moved = |venue: usize| -> Money {
            moves.iter().filter(|(at, _)| usize::from(at.0) == venue).map(|(_, amount)| *amount).sum()
        };
        let before = self.distance(owned);
        let after = self.distance(|venue| owned(venue) + moved(venue));
        let change = i128::from(self.slope.0) * i128::from(after - before) / i128::from(WHOLE);
        let threshold = i128::from(usual.0) + change;
        Bps(i64::try_from(threshold).unwrap_or(i64::MAX)).max(self.floor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::market::tests::spec;
    use super::*;
    use crate::types::{FeeRate, Nanos};

    #[test]
    fn a_trade_toward_target_may_earn_less() {
        let mut ledger = Ledger::new(2, 1);
        let row = |venue| (VenueId(venue), InstrumentId(0), spec("BTC", "USDT"), FeeRate(0));
        let markets = Markets::new(2, &[row(0), row(1)], &mut ledger).unwrap();
        let btc = markets.get(VenueId(0), InstrumentId(0)).unwrap().base;
        let one = Money::ONE;
        ledger.report(VenueId(0), btc, Money(8 * one.0), Nanos(1));
        ledger.report(VenueId(1), btc, Money(2 * one.0), Nanos(1));
        let inventory = Inventory::new(2, &[500_000, 500_000], Bps(10 * Bps::ONE), Bps(0)).unwrap();
        let ask = |to_first: i128| {
            let moves = [(VenueId(0), Money(to_first * one.0)), (VenueId(1), Money(-to_first * one.0))];
            inventory.threshold(&ledger, &markets, InstrumentId(0), &moves, Bps(5 * Bps::ONE)).0
        };
        assert_eq!(ask(0), 5 * Bps::ONE);
        assert_eq!(ask(1), 6 * Bps::ONE);
        assert_eq!(ask(-1), 4 * Bps::ONE);
        assert_eq!(ask(-3), 2 * Bps::ONE);
        // Past the target it leads away again.
        assert_eq!(ask(-6), 5 * Bps::ONE);

        let flat = Inventory::new(2, &[500_000, 500_000], Bps(0), Bps(0)).unwrap();
        let moves = [(VenueId(0), one)];
        assert_eq!(flat.threshold(&ledger, &markets, InstrumentId(0), &moves, Bps(7)), Bps(7));
    }

    #[test]
    fn shares_must_add_up() {
        for (shares, want) in [
            (&[500_000, 400_000][..], Err(InventoryError::Shares(900_000))),
            (&[1_500_000, -500_000][..], Err(InventoryError::Shares(1_000_000))),
            (&[1_000_000][..], Err(InventoryError::Shares(1_000_000))),
            (&[1_000_000, 0][..], Ok(())),
        ] {
            assert_eq!(Inventory::new(2, shares, Bps(0), Bps(0)).map(|_| ()), want, "{shares:?}");
        }
        assert_eq!(Inventory::new(1, &[1_000_000], Bps(-1), Bps(0)), Err(InventoryError::Slope));
    }
}
