//! Sizes of legs of which one counts inverse contracts: they cannot be matched by quantity.

use crate::account::Market;
use crate::detect::Leg;
use crate::types::{Qty, Side};

/// As much of each leg as may be sent when no more of it may than `most`: whole lots, contracts and base
/// asset in the proportion that they were found in, so that their difference stays within a lot of each.
/// Hands out the total of a side that counts the base asset, and a market that does.
///
/// Detection sets contracts against the base asset alone, one leg a side; of legs that count contracts
/// on both sides nothing may be sent.
#[cold]
pub(super) fn even<'a>(
    legs: &[Leg],
    markets: &[&'a Market],
    most: &[Qty],
    sizes: &mut [i64],
) -> (i64, &'a Market) {
    sizes.fill(0);
    let find = |inverse: bool| legs.iter().zip(markets).position(|(_, own)| own.is_inverse() == inverse);
    let (counted, base) = (find(true).unwrap_or(0), find(false).unwrap_or(0));
    let one_a_side = legs.len() == 2 && legs[0].side == Side::Buy && legs[1].side == Side::Sell;
    if !one_a_side || counted == base {
        return (0, markets[base]);
    }
    let lots = |at: usize, qty: i64| Qty(qty).floor_to(markets[at].spec.lot).0;
    // Legs were checked to be of something.
    let part = |of: i64, part: i64, whole: i64| {
        i64::try_from(i128::from(of) * i128::from(part) / i128::from(whole.max(1))).unwrap_or(0)
    };
    let (contracts, qty) = (legs[counted].qty.0, legs[base].qty.0);
    let fits = part(contracts, lots(base, most[base].0.min(qty)), qty);
    let count = lots(counted, fits.min(most[counted].0));
    sizes[counted] = count;
    sizes[base] = lots(base, part(qty, count, contracts));
    if sizes[base] == 0 {
        sizes[counted] = 0;
    }
    (sizes[base], markets[base])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Ledger, Markets, test_inverse_spec, test_spec};
    use crate::types::{FeeRate, InstrumentId, Price, VenueId};

    const ONE: i64 = 100_000_000;

    /// What may be sent of legs for 0.02 and ten contracts of 100 at 50,000, which is as much.
    #[test]
    fn legs_are_cut_in_proportion_and_to_whole_lots() {
        let spot = test_spec("BTC", "USD");
        let rows = [spot, test_inverse_spec()].into_iter().zip(0..);
        let rows: Vec<_> =
            rows.map(|(spec, venue)| (VenueId(venue), InstrumentId(0), spec, FeeRate(0))).collect();
        let markets = Markets::new(2, &rows, &mut Ledger::new(2, 1)).unwrap();
        let of = |venue| markets.get(VenueId(venue), InstrumentId(0)).unwrap();
        let leg = |venue, side, qty| Leg {
            venue: VenueId(venue),
            side,
            price: Price(50_000 * ONE),
            qty: Qty(qty),
            book_version: 0,
        };
        for (base, contracts, want) in [
            (2_000_000, 10 * ONE, (2_000_000, 10)),
            (2_000_000, 7 * ONE + 5, (1_400_000, 7)),
            (1_234_567, 10 * ONE, (1_200_000, 6)),
            (199_999, 10 * ONE, (0, 0)),
            (2_000_000, ONE - 1, (0, 0)),
            (0, 10 * ONE, (0, 0)),
        ] {
            for spot_buys in [true, false] {
                let found = [2_000_000, 10 * ONE];
                let (most, order) = ([Qty(base), Qty(contracts)], if spot_buys { [0, 1] } else { [1, 0] });
                let legs = [
                    leg(order[0] as u8, Side::Buy, found[order[0]]),
                    leg(order[1] as u8, Side::Sell, found[order[1]]),
                ];
                let own = order.map(|at| of(at as u8));
                let mut sizes = [7; 8];
                let (total, market) = even(&legs, &own, &order.map(|at| most[at]), &mut sizes);
                let got = [sizes[order[0]], sizes[order[1]]];
                assert_eq!((got[0], got[1] / ONE), want, "{base} {contracts}");
                assert_eq!((total, market.venue, sizes[2]), (want.0, VenueId(0), 0));
            }
        }
        let both = [leg(1, Side::Buy, ONE), leg(1, Side::Sell, ONE)];
        let (total, _) = even(&both, &[of(1); 2], &[Qty(ONE); 2], &mut [1; 8]);
        assert_eq!(total, 0);
    }
}
