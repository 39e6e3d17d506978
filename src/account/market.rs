//! What is traded where: one row per instrument and venue, found by index, with the products that
//! the hot path would otherwise compute again for every order.

use super::{AssetId, Ledger, LedgerError};
use crate::types::{
    ContractKind, FeeRate, InstrumentId, InstrumentSpec, Money, Position, Price, Qty, Side, SpecError,
    VenueId, times,
};

/// One instrument on one venue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Market {
    /// Where.
    pub venue: VenueId,
    /// What.
    pub instrument: InstrumentId,
    /// The venue's rules.
    pub spec: InstrumentSpec,
    /// Our taker fee there.
    pub taker: FeeRate,
    /// What is bought, in the ledger.
    pub base: AssetId,
    /// What is paid, in the ledger: the quote asset, or what a contract settles in.
    pub quote: AssetId,
    /// What one unit of price times one unit of quantity is worth, in [`Money`] units.
    unit: i128,
    /// How much of the base asset one unit of quantity is.
    lot_of_one: i128,
    /// The fee on 2^20 units of value, rounded up: an upper bound without a division.
    fee_bound: i128,
}

/// Why an instrument cannot be traded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// An edge of inverse contracts is not linear in their quantity.
    #[error("{0}: inverse contracts cannot be traded")]
    Inverse(String),
    /// Quantities of one instrument must mean the same everywhere: legs are matched by them.
    #[error("{0}: a unit of quantity is not the same amount on all its venues")]
    Units(String),
    /// The venue's number is beyond the number of venues.
    #[error("{0}: no such venue")]
    UnknownVenue(String),
    /// Listed twice on a venue.
    #[error("{0}: listed twice on one venue")]
    Twice(String),
    /// Tick, lot, multiplier or fee make no sense.
    #[error("{0}: tick, lot and multiplier must be positive, and the fee between -10 % and 10 %")]
    Rules(String),
    /// The ledger is full.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Market {
    /// The value of `qty` at `price` in the quote asset; `None` beyond 1e14 units.
    #[inline]
    pub fn value(&self, price: Price, qty: Qty) -> Option<Money> {
        times(i128::from(price.0) * i128::from(qty.0), self.unit).map(Money)
    }

    /// Whether the venue's filters take this limit order; its value, if so.
    ///
    /// # Errors
    /// [`SpecError`] names the filter.
    #[inline]
    pub fn check(&self, price: Price, qty: Qty) -> Result<Money, SpecError> {
        self.spec.check_worth(price, qty, || self.value(price, qty))
    }

    /// At least the taker fee on `value`, and at most a few parts in a million more: what to set
    /// aside, without the division that the exact fee costs.
    #[inline]
    pub fn fee_at_most(&self, value: Money) -> Money {
        Money(times((value.0 >> 20) + 1, self.fee_bound).unwrap_or(i128::MAX))
    }

    /// An amount of the base asset as a quantity; `None` when it has more digits than the scale.
    pub fn qty(&self, base: Money) -> Option<Qty> {
        (base.0 % self.lot_of_one == 0).then(|| i64::try_from(base.0 / self.lot_of_one).ok().map(Qty))?
    }

    /// A quantity as an amount of the base asset.
    #[inline]
    pub fn amount(&self, qty: Qty) -> Money {
        Money(i128::from(qty.0) * self.lot_of_one)
    }

    /// Trades move a position, and not the base asset.
    pub fn is_contract(&self) -> bool {
        self.spec.contract.kind != ContractKind::Spot
    }

    /// How much an order of this side may spend: of what pays for it, fee included, or, for sells of
    /// a base asset, of that.
    ///
    /// A position that the order adds to is valued at `price`: what it lost and what it grew by since it
    /// was opened is not there to be spent.
    pub fn budget(&self, ledger: &Ledger, side: Side, price: Price) -> Money {
        match side {
            _ if self.is_contract() => {
                let room = ledger.contract_room(self.venue, self.instrument, side);
                let Position { qty, cost } = ledger.contract(self.venue, self.instrument);
                if qty.0.signum() != side.sign() {
                    return room;
                }
                // Beyond what money can hold there is nothing to spend.
                let Some(worth) = self.value(price, Qty(qty.0.saturating_abs())) else { return Money::ZERO };
                let lost = if side == Side::Buy { cost - worth } else { cost + worth };
                room - lost.max(Money::ZERO) - (worth - cost.abs()).max(Money::ZERO)
            }
            Side::Buy => ledger.free(self.venue, self.quote),
            Side::Sell => ledger.free(self.venue, self.base),
        }
    }

    /// Whether [`Market::budget`] of this side is in value, rather than in the base asset.
    pub fn pays_value(&self, side: Side) -> bool {
        side == Side::Buy || self.is_contract()
    }
}

/// All markets, found by venue and instrument.
#[derive(Clone, Debug, Default)]
pub struct Markets {
    rows: Vec<Option<Market>>,
    venues: usize,
    instruments: usize,
}

impl Markets {
    /// Checks the rows and enters their assets in the ledger.
    ///
    /// # Errors
    /// [`MarketError`] names the instrument that cannot be traded.
    pub fn new(
        venues: usize,
        rows: &[(VenueId, InstrumentId, InstrumentSpec, FeeRate)],
        ledger: &mut Ledger,
    ) -> Result<Markets, MarketError> {
        let instruments = rows.iter().map(|row| usize::from(row.1.0) + 1).max().unwrap_or(0);
        let mut own = Markets { rows: vec![None; venues * instruments], venues, instruments };
        for (venue, instrument, spec, taker) in rows {
            let name = || spec.name.to_string();
            if spec.contract.kind == ContractKind::Inverse {
                return Err(MarketError::Inverse(name()));
            }
            let tenth = FeeRate::ONE / 10;
            if spec.tick.0 <= 0 || spec.lot.0 <= 0 || !(-tenth..=tenth).contains(&taker.0) {
                return Err(MarketError::Rules(name()));
            }
            if usize::from(venue.0) >= venues {
                return Err(MarketError::UnknownVenue(name()));
            }
            let at = usize::from(instrument.0) * venues + usize::from(venue.0);
            if own.rows[at].is_some() {
                return Err(MarketError::Twice(name()));
            }
            let (unit, lot_of_one) = units(spec).ok_or_else(|| MarketError::Rules(name()))?;
            if own.of(*instrument).any(|other| other.lot_of_one != lot_of_one) {
                return Err(MarketError::Units(name()));
            }
            let (base, quote) = (ledger.asset(spec.base)?, ledger.asset(spec.contract.settle)?);
            if spec.contract.kind == ContractKind::Linear {
                ledger.enter_contract(*venue, *instrument, (base, quote), Money(lot_of_one));
            }
            let rate = i128::from(taker.0.max(0));
            let one = i128::from(FeeRate::ONE);
            own.rows[at] = Some(Market {
                venue: *venue,
                instrument: *instrument,
                spec: spec.clone(),
                taker: *taker,
                base,
                quote,
                unit,
                lot_of_one,
                fee_bound: ((rate << 20) + one - 1) / one,
            });
        }
        Ok(own)
    }

    /// The market of an instrument on a venue.
    #[inline]
    pub fn get(&self, venue: VenueId, instrument: InstrumentId) -> Option<&Market> {
        let (venue, instrument) = (usize::from(venue.0), usize::from(instrument.0));
        if venue >= self.venues {
            return None;
        }
        self.rows.get(instrument * self.venues + venue)?.as_ref()
    }

    /// The markets of an instrument, by venue.
    pub fn of(&self, instrument: InstrumentId) -> impl Iterator<Item = &Market> {
        let from = usize::from(instrument.0) * self.venues;
        self.rows.get(from..from + self.venues).unwrap_or_default().iter().flatten()
    }

    /// All markets, by instrument, then venue.
    pub fn iter(&self) -> impl Iterator<Item = &Market> {
        self.rows.iter().flatten()
    }

    /// How many venues there are.
    pub fn venues(&self) -> usize {
        self.venues
    }

    /// One more than the highest instrument.
    pub fn instruments(&self) -> usize {
        self.instruments
    }
}

/// What one unit of price times one of quantity is worth, and how much of the base asset one unit of
/// quantity is; `None` when that is nothing, or finer than money is.
fn units(spec: &InstrumentSpec) -> Option<(i128, i128)> {
    let digits = u32::from(spec.scale.digits());
    if spec.contract.kind == ContractKind::Spot {
        return Some((10i128.pow(24 - 2 * digits), 10i128.pow(24 - digits)));
    }
    let multiplier = i128::from(spec.contract.multiplier);
    let lifted = multiplier * 10i128.pow(24 - 2 * digits);
    let one = i128::from(spec.scale.one());
    (multiplier > 0 && lifted % one == 0).then_some((lifted / one, lifted))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::types::{Asset, Contract, Scale, Symbol, Text};

    /// A spot instrument with ticks of 0.01, lots of 0.00001 and a minimum value of 5.
    pub(crate) fn spec(base: &str, quote: &str) -> InstrumentSpec {
        let asset = |name| Asset::new(name).unwrap();
        InstrumentSpec {
            name: Text::new(&format!("{base}-{quote}")).unwrap(),
            symbol: Symbol::new(&format!("{base}{quote}")).unwrap(),
            base: asset(base),
            quote: asset(quote),
            scale: Scale::DEFAULT,
            tick: Price(1_000_000),
            lot: Qty(1_000),
            min_qty: Qty(1_000),
            max_qty: Qty(0),
            min_notional: Money::parse("5").unwrap(),
            price_digits: 2,
            qty_digits: 5,
            contract: Contract::spot(asset(quote), Scale::DEFAULT),
            open: true,
        }
    }

    #[test]
    fn markets_are_found_by_venue_and_instrument() {
        let mut ledger = Ledger::new(2, 2);
        let row = |venue, instrument, base| {
            (VenueId(venue), InstrumentId(instrument), spec(base, "USDT"), FeeRate(100_000))
        };
        let rows = [row(0, 0, "BTC"), row(1, 0, "BTC"), row(1, 1, "ETH")];
        let markets = Markets::new(2, &rows, &mut ledger).unwrap();
        assert!(markets.get(VenueId(0), InstrumentId(1)).is_none());
        assert!(markets.get(VenueId(2), InstrumentId(0)).is_none());
        assert!(markets.get(VenueId(0), InstrumentId(9)).is_none());
        assert_eq!(markets.of(InstrumentId(0)).count(), 2);
        assert_eq!(markets.get(VenueId(1), InstrumentId(1)).unwrap().spec.base.as_str(), "ETH");

        let twice = Markets::new(2, &[row(0, 0, "BTC"), row(0, 0, "BTC")], &mut ledger);
        assert_eq!(twice.unwrap_err(), MarketError::Twice("BTC-USDT".into()));
        let far = Markets::new(2, &[row(2, 0, "BTC")], &mut ledger);
        assert_eq!(far.unwrap_err(), MarketError::UnknownVenue("BTC-USDT".into()));
        let mut inverse = row(0, 0, "BTC");
        inverse.2.contract.kind = ContractKind::Inverse;
        assert!(matches!(Markets::new(2, &[inverse], &mut ledger), Err(MarketError::Inverse(_))));
        let mut linear = row(0, 0, "BTC");
        linear.2.contract.kind = ContractKind::Linear;
        linear.2.contract.multiplier /= 100;
        let unlike = Markets::new(2, &[row(1, 0, "BTC"), linear.clone()], &mut ledger);
        assert_eq!(unlike.unwrap_err(), MarketError::Units("BTC-USDT".into()));
        let markets = Markets::new(2, &[linear], &mut ledger).unwrap();
        let market = markets.get(VenueId(0), InstrumentId(0)).unwrap();
        let (price, qty) = (Price(50_000 * 100_000_000), Qty(3 * 100_000_000));
        assert_eq!(market.value(price, qty), market.spec.contract.value(price, qty, Scale::DEFAULT));
        assert_eq!(market.amount(qty).to_string(), "0.03");
        assert_eq!(market.qty(market.amount(qty)), Some(qty));
        assert_eq!(market.qty(Money(1)), None);
    }

    #[test]
    fn the_fee_set_aside_covers_the_fee_and_little_more() {
        let mut ledger = Ledger::new(1, 1);
        for rate in [-5_000, 0, 1, 26_000, 100_000, 10_000_000] {
            let row = (VenueId(0), InstrumentId(0), spec("BTC", "USDT"), FeeRate(rate));
            let markets = Markets::new(1, &[row], &mut ledger).unwrap();
            let market = markets.get(VenueId(0), InstrumentId(0)).unwrap();
            for value in ["5", "59.9999", "1234567.89012345", "0.00000001"] {
                let value = Money::parse(value).unwrap();
                let (exact, bound) = (value.fee_up(FeeRate(rate)), market.fee_at_most(value));
                let slack = Money(value.0 / 500_000 + 2 * 10i128.pow(16));
                assert!(bound + Money(10i128.pow(16)) >= exact, "{value} at {rate}");
                assert!(bound <= exact.max(Money::ZERO) + slack, "{value} at {rate}");
            }
        }
    }

    proptest::proptest! {
        /// The product kept ahead says of every order what the rules themselves say.
        #[test]
        fn a_market_judges_orders_as_the_rules_do(
            price in 0i64..10_000_000, qty in 0i64..10_000_000, cents: bool, linear: bool,
        ) {
            let mut row = (VenueId(0), InstrumentId(0), spec("BTC", "USDT"), FeeRate(100_000));
            if linear {
                row.2.contract.kind = ContractKind::Linear;
                row.2.contract.multiplier /= 1_000;
            }
            let markets = Markets::new(1, &[row], &mut Ledger::new(1, 1)).unwrap();
            let market = markets.get(VenueId(0), InstrumentId(0)).unwrap();
            let (price, qty) = if cents {
                (Price(price * 1_000_000), Qty(qty * 1_000))
            } else {
                (Price(price * 999_983), Qty(qty * 499))
            };
            proptest::prop_assert_eq!(market.check(price, qty), market.spec.check(price, qty));
        }
    }
}
