//! How much of an opportunity's legs may be sent: as they are, cut, or not at all.

use super::pass::Passes;
use super::{Caps, Detail, GateView, Quote, Refusal, Standing, contracts};
use crate::account::{Ledger, Market};
use crate::detect::{Leg, Opportunity, Refused};
use crate::types::{InstrumentId, Money, Nanos, Price, Qty, Side, SpecError};

/// What legs are held against.
pub(super) struct Fitter<'a, 'v> {
    /// How old a venue's book may be, by venue.
    pub age_max: &'a [Nanos],
    pub passes: &'a Passes,
    pub view: &'a GateView<'v>,
    pub caps: &'a Caps,
    pub instrument: InstrumentId,
    /// The consolidated mid.
    pub mid: Price,
    pub now: Nanos,
}

/// The sizes that an opportunity's legs may have.
pub(super) struct Fit<'a> {
    pub markets: [&'a Market; Opportunity::MAX_LEGS],
    pub sizes: [i64; Opportunity::MAX_LEGS],
    /// Of each side.
    pub total: i64,
    /// A market in whose units the total is.
    pub counted: &'a Market,
}

/// How much of a leg may be sent.
#[derive(Clone, Copy, Default)]
struct Allowed {
    qty: Qty,
    /// What that much is worth at the leg's price.
    value: Option<Money>,
    /// What cut it, if anything did.
    cut: Option<Detail>,
}

impl<'v> Fitter<'_, 'v> {
    /// How much of each leg may be sent, so that both sides stay equal.
    ///
    /// # Errors
    /// [`Refusal`] of the first leg that may not be sent, or of what is left too small.
    #[inline]
    pub fn fit(&self, legs: &[Leg]) -> Result<Fit<'v>, Refusal> {
        match self.whole(legs) {
            Some(fit) => Ok(fit),
            None => self.cut(legs),
        }
    }

    /// The usual answer, at once: both legs of a pair pass as they are. `None` is no refusal: it takes
    /// [`Fitter::cut`] to tell.
    #[inline]
    fn whole(&self, legs: &[Leg]) -> Option<Fit<'v>> {
        let Fitter { view, caps, instrument, mid, now, .. } = *self;
        let [buy, sell] = legs else { return None };
        let pair = buy.side == Side::Buy && sell.side == Side::Sell && buy.qty == sell.qty;
        if !pair || view.rates.is_some() {
            return None;
        }
        let passed = |leg: &Leg| {
            let market = view.markets.get(leg.venue, instrument)?;
            let pass = self.passes.get(market, leg.side)?;
            let ready = view.standing.get(usize::from(leg.venue.0)) == Some(&Standing::Ready);
            let good = ready && pass.is_good(market, view.ledger, caps);
            let quote = view.fresh(leg.venue, self.age_max, now).ok().filter(|_| good)?;
            let fits = pass.takes(market, leg.side, leg.price, leg.qty)
                && check_price(leg, quote, caps, Some(mid)).is_ok();
            fits.then_some(market)
        };
        let (bought_on, sold_on) = (passed(buy)?, passed(sell)?);
        let (mut markets, mut sizes) = ([bought_on; Opportunity::MAX_LEGS], [0; Opportunity::MAX_LEGS]);
        markets[1] = sold_on;
        sizes[..2].fill(buy.qty.0);
        Some(Fit { markets, sizes, total: buy.qty.0, counted: bought_on })
    }

    /// The same, leg by leg, cut to what balances and limits allow.
    fn cut(&self, legs: &[Leg]) -> Result<Fit<'v>, Refusal> {
        let Fitter { view, caps, instrument, .. } = *self;
        let refuse = |reason, detail| Err(Refusal::new(reason, detail));
        let Some(first) = legs.first() else { return refuse(Refused::TooSmall, Detail::Remainder) };
        let Some(market) = view.markets.get(first.venue, instrument) else {
            return Err(Refusal::at(Refused::Risk, Detail::NoMarket, first.venue));
        };

        // Each leg on its own: may it be sent at all, and how much of it?
        let mut markets = [market; Opportunity::MAX_LEGS];
        let mut allowed = [Allowed::default(); Opportunity::MAX_LEGS];
        let mut sizes = [0i64; Opportunity::MAX_LEGS];
        let (mut lot, mut sums, mut inverse) = (1i64, [0i64; 2], false);
        let mut cut = Detail::Remainder;
        for (at, leg) in legs.iter().enumerate() {
            markets[at] = self.check_leg(leg)?;
            lot = lot.max(markets[at].spec.lot.0);
            inverse |= markets[at].is_inverse();
        }
        for (at, leg) in legs.iter().enumerate() {
            allowed[at] = headroom(leg, markets[at], view.ledger, caps.order_max(markets[at]));
            cut = allowed[at].cut.unwrap_or(cut);
            sizes[at] = allowed[at].qty.0 - allowed[at].qty.0 % lot;
            sums[leg.side as usize] += sizes[at];
        }
        // Both sides must stay equal: the smaller one cuts the other, its worst levels first.
        let mut total = sums[0].min(sums[1]);
        let mut rest = [total; 2];
        for (at, leg) in legs.iter().enumerate() {
            let rest = &mut rest[leg.side as usize];
            sizes[at] = sizes[at].min(*rest);
            *rest -= sizes[at];
        }
        let mut counted = market;
        if inverse {
            let most = allowed.map(|allowed| allowed.qty);
            (total, counted) = contracts::even(legs, &markets, &most, &mut sizes);
        }
        if total == 0 {
            let reason = if cut == Detail::Balance { Refused::NoBalance } else { Refused::TooSmall };
            return refuse(reason, cut);
        }

        // All or nothing: nothing is made before every leg has passed the venue's filters.
        for (at, leg) in legs.iter().enumerate().filter(|(at, _)| sizes[*at] > 0) {
            let (market, size) = (markets[at], Qty(sizes[at]));
            let value =
                || if size == allowed[at].qty { allowed[at].value } else { market.value(leg.price, size) };
            match market.spec.check_worth(leg.price, size, value) {
                Ok(value) if caps.in_notional(market, value) => {}
                Ok(_) => return Err(Refusal::at(Refused::Risk, Detail::Notional, leg.venue)),
                Err(SpecError::BelowMinQty | SpecError::BelowMinNotional) => {
                    let reason = if cut == Detail::Balance { Refused::NoBalance } else { Refused::TooSmall };
                    return Err(Refusal::at(reason, cut, leg.venue));
                }
                Err(error) => return Err(Refusal::at(Refused::Risk, Detail::Filter(error), leg.venue)),
            }
        }
        Ok(Fit { markets, sizes, total, counted })
    }

    /// Whether a leg may be sent at all; its market.
    #[inline]
    fn check_leg(&self, leg: &Leg) -> Result<&'v Market, Refusal> {
        let Fitter { view, caps, instrument, mid, now, .. } = *self;
        let (market, quote) = view.usable(leg.venue, instrument, self.age_max, now)?;
        if leg.qty.0 <= 0 || leg.price.0 <= 0 {
            let detail = Detail::Filter(SpecError::QtyNotPositive);
            return Err(Refusal::at(Refused::Risk, detail, leg.venue));
        }
        check_price(leg, quote, caps, view.price_at(market, mid))?;
        Ok(market)
    }
}

/// How much of a leg balance and notional allow.
#[inline]
fn headroom(leg: &Leg, market: &Market, ledger: &Ledger, order_max: Money) -> Allowed {
    // Divisions only happen when something is to be cut. One unit is worth something.
    let unit = || market.value(leg.price, Qty(1)).unwrap_or(Money(i128::MAX));
    let most = |budget: Money, each: Money| Qty(i64::try_from(budget.0 / each.0).unwrap_or(i64::MAX));
    let mut own = Allowed { qty: leg.qty, value: market.value(leg.price, leg.qty), cut: None };
    if own.value.is_none_or(|value| value > order_max) {
        let qty = leg.qty.min(most(order_max, unit()));
        own = Allowed { qty, value: market.value(leg.price, qty), cut: Some(Detail::Notional) };
    }
    let budget = market.budget(ledger, leg.side, leg.price);
    if own.value.is_none_or(|value| market.spent(leg.side, own.qty, value) > budget) {
        let each = match market.pays_value(leg.side) {
            // One unit's share of the fee, rounded up once more, covers any multiple of it.
            true => Money(unit().0.saturating_add(market.fee_at_most(unit()).0)),
            false => market.amount(Qty(1)),
        };
        let qty = Qty(own.qty.min(most(budget, each)).0.max(0));
        own = Allowed { qty, value: market.value(leg.price, qty), cut: Some(Detail::Balance) };
    }
    own
}

/// Whether a leg's limit still fills, and is near the mid.
#[inline]
fn check_price(leg: &Leg, quote: &Quote, caps: &Caps, mid: Option<Price>) -> Result<(), Refusal> {
    let fills = match leg.side {
        Side::Buy => quote.ask.price <= leg.price,
        Side::Sell => quote.bid.price >= leg.price,
    };
    if !fills {
        return Err(Refusal::at(Refused::BelowEdge, Detail::Moved, leg.venue));
    }
    if !mid.is_some_and(|mid| caps.in_band(leg.side, leg.price, mid)) {
        return Err(Refusal::at(Refused::Risk, Detail::Band, leg.venue));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::gate::tests::{World, leg, money, of_legs, opportunity, world, world_of};
    use super::*;
    use crate::account::{Markets, test_spec};
    use crate::types::{ContractKind, FeeRate, Position, VenueId};

    const E8: i64 = 100_000_000;

    #[test]
    fn sizes_are_cut_to_what_balances_and_caps_allow() {
        // (free quote on the buying venue, free base on the selling venue, wanted, got)
        for (quote, base, wanted, got) in [
            ("100000", "1", 10_000_000, Ok(10_000_000)),
            ("100000", "1", 20_000_000, Ok(16_611_000)), // 10,000 per order at 60,200, to the lot
            ("100000", "0.05", 10_000_000, Ok(5_000_000)),
            ("100000", "0.050009999", 10_000_000, Ok(5_000_000)),
            ("3003", "1", 10_000_000, Ok(5_000_000 - 1_000)), // the bound on the fee costs a lot
            ("3010", "1", 10_000_000, Ok(5_011_000)),
            ("4", "1", 10_000_000, Err(Refused::NoBalance)),
            ("100000", "0.00000999", 10_000_000, Err(Refused::NoBalance)),
            ("100000", "1", 8_000, Err(Refused::TooSmall)),
        ] {
            let mut world = world();
            let market = world.seen.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
            world.seen.ledger.hold(VenueId(0), market.quote, money("100000") - money(quote));
            world.seen.ledger.hold(VenueId(1), market.base, money("1") - money(base));
            let result = world.admit(&opportunity(wanted)).map_err(|refusal| refusal.reason);
            let sizes = result.map(|intent| {
                let sizes: Vec<_> = intent.legs.iter().map(|leg| leg.draft().qty.0).collect();
                assert_eq!(sizes[0], sizes[1], "{quote} {base} {wanted}");
                sizes[0]
            });
            assert_eq!(sizes, got, "{quote} {base} {wanted}");
        }
    }

    #[test]
    fn a_contract_is_cut_to_what_pays_for_it_in_full() {
        // (free on the buying and on the selling venue, what the seller is long, got)
        for (buyer, seller, long, got) in [
            ("100000", "100000", 0, Ok(10_000_000)),
            ("3010", "100000", 0, Ok(5_011_000)),
            ("100000", "3010", 0, Ok(4_995_000)),
            ("100000", "3010", 5_000_000, Ok(10_000_000)),
            ("100000", "4", 5_000_000, Ok(9_963_000)), // what is closed pays for as much again
            ("100000", "4", 0, Err(Refused::NoBalance)),
            ("100000", "3010", -5_000_000, Ok(4_961_000)), // what it is worth more by is gone
        ] {
            let mut world = world_of(ContractKind::Linear);
            let market = world.seen.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
            world.seen.ledger.hold(VenueId(0), market.quote, money("100000") - money(buyer));
            let value = market.value(Price(60_000 * E8), Qty(long)).unwrap();
            let tied_up = value.abs();
            let cost = Position { qty: Qty(long), cost: value };
            let refusal = world.admit(&opportunity(10_000_000)).unwrap_err();
            assert_eq!(refusal.detail, Detail::Position, "before the venues told what is held");
            world.seen.ledger.report_contract(VenueId(0), InstrumentId(0), Position::FLAT, Nanos(0));
            world.seen.ledger.report_contract(VenueId(1), InstrumentId(0), cost, Nanos(0));
            world.seen.ledger.hold(VenueId(1), market.quote, money("100000") - tied_up - money(seller));
            let result = world.admit(&opportunity(10_000_000)).map_err(|refusal| refusal.reason);
            let sizes = result.map(|intent| intent.legs[1].draft().qty.0);
            assert_eq!(sizes, got, "{buyer} {seller} {long}");
        }
        let mut world = world_of(ContractKind::Linear);
        let drifted = Position { qty: Qty(1), cost: Money::ZERO };
        world.seen.ledger.close_opening(VenueId(0));
        world.seen.ledger.report_contract(VenueId(0), InstrumentId(0), drifted, Nanos(5));
        world.seen.ledger.compare(VenueId(0), Nanos(5), Money::ZERO, |_| {});
        let refusal = world.admit(&opportunity(1_000_000)).unwrap_err();
        assert_eq!((refusal.reason, refusal.detail), (Refused::Risk, Detail::Drift));
    }

    #[test]
    fn the_sides_of_many_legs_stay_equal() {
        let mut world = world();
        let market = world.seen.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
        world.seen.ledger.hold(VenueId(1), market.base, money("0.97")); // 0.03 left to sell
        let legs = [
            leg(0, Side::Buy, 60_000, 2_000_000),
            leg(1, Side::Buy, 60_210, 3_000_000),
            leg(1, Side::Sell, 60_200, 5_000_000),
        ];
        let opportunity = of_legs(&legs);
        let intent = world.admit(&opportunity).unwrap();
        let sizes: Vec<_> = intent.legs.iter().map(|leg| leg.draft().qty.0).collect();
        assert_eq!(sizes, [2_000_000, 1_000_000, 3_000_000]);
    }

    proptest::proptest! {
        #[test]
        fn what_passes_at_once_is_what_the_long_way_leaves_whole(
            quote in 0i64..30_000, base in 0i64..40_000_000, qty in -1_000i64..200_000_000, odd: bool,
            cents in (-3i64..3, -3i64..3), least in 0i64..2_000, most in 0i64..50_000_000, drifted: bool,
        ) {
            let mut world = world();
            let mut spec = test_spec("BTC", "USDT");
            (spec.min_notional, spec.max_qty) = (money(&least.to_string()), Qty(most));
            let row = |venue| (VenueId(venue), InstrumentId(0), spec.clone(), FeeRate(100_000));
            world.seen.markets = Markets::new(2, &[row(0), row(1)], &mut world.seen.ledger).unwrap();
            let market = world.seen.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
            world.seen.ledger.hold(VenueId(0), market.quote, money(&(100_000 - quote).to_string()));
            world.seen.ledger.hold(VenueId(1), market.base, Money::ONE - market.amount(Qty(base)));
            if drifted {
                world.seen.ledger.report(VenueId(0), market.quote, Money::ONE, Nanos(5));
                world.seen.ledger.compare(VenueId(0), Nanos(5), Money::ZERO, |_| {});
            }
            let qty = if odd { qty } else { qty - qty % 1_000 };
            let mut legs = [leg(0, Side::Buy, 60_000, qty), leg(1, Side::Sell, 60_200, qty)];
            legs[0].price.0 += cents.0 * 500_000;
            legs[1].price.0 += cents.1 * 500_000;
            let mut passes = Passes::new(2, 1);
            passes.renew(InstrumentId(0), &world.seen.markets, &world.seen.ledger, &world.caps);
            let (view, now) = (world.seen.view(), Nanos::from_secs(100));
            let mid = view.mid(InstrumentId(0)).unwrap();
            let (age_max, caps) = (&[Nanos::from_millis(500); 2][..], &world.caps);
            let fitter =
                Fitter { age_max, passes: &passes, view: &view, caps, instrument: InstrumentId(0), mid, now };
            let (whole, fit) = (fitter.whole(&legs), fitter.cut(&legs));
            let figures = |fit: Fit<'_>| (fit.markets.map(|market| market.venue), fit.sizes, fit.total);
            let uncut = fit.ok().map(figures).filter(|(_, sizes, _)| sizes[..2] == [qty; 2]);
            // Where they end, markets mean nothing.
            let two = |(venues, sizes, total): ([VenueId; 8], [i64; 8], i64)| ([venues[0], venues[1]], sizes, total);
            proptest::prop_assert_eq!(whole.map(figures).map(two), uncut.map(two));
        }
    }

    #[test]
    fn a_pass_is_good_until_anything_moves() {
        type Move = fn(&mut World, &Market);
        let moves: [(Move, bool); 6] = [
            (|_, _| {}, true),
            (|w, m| w.seen.ledger.hold(VenueId(0), m.quote, Money(1)), false),
            (|w, m| w.seen.ledger.report(VenueId(0), m.base, Money(1), Nanos(1)), false),
            (|w, _| w.seen.ledger.compare(VenueId(0), Nanos(1), Money::ZERO, |_| {}), false),
            (|w, m| w.seen.ledger.hold(VenueId(1), m.quote, Money(1)), true),
            (|w, m| w.caps.set_order_max(m.quote, Money(1)), false),
        ];
        for (at, (change, good)) in moves.into_iter().enumerate() {
            let mut world = world();
            let market = world.seen.markets.get(VenueId(0), InstrumentId(0)).unwrap().clone();
            let mut passes = Passes::new(2, 1);
            let is_good = |passes: &Passes, w: &World| {
                passes
                    .get(&market, Side::Buy)
                    .is_some_and(|pass| pass.is_good(&market, &w.seen.ledger, &w.caps))
            };
            assert!(!is_good(&passes, &world), "none was made yet");
            passes.renew(InstrumentId(0), &world.seen.markets, &world.seen.ledger, &world.caps);
            change(&mut world, &market);
            assert_eq!(is_good(&passes, &world), good, "case {at}");
        }
    }
}
