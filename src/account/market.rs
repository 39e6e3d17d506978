//! What is traded where: one row per instrument and venue, found by index, with the products that
//! the hot path would otherwise compute again for every order.

use super::contracts::Unit;
use super::{AssetId, Ledger, LedgerError, mark};
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
    /// What values are in, in the ledger: the quote asset, or what a linear contract settles in.
    pub quote: AssetId,
    /// What fees and profits are paid in: of inverse contracts the base asset, else the same.
    pub settle: AssetId,
    /// What one unit of price times one unit of quantity is worth, in [`Money`] units; of inverse
    /// contracts, one unit of quantity.
    unit: i128,
    /// The bits of a price that have a say in a value, and what stands in for the others: of inverse
    /// contracts none and one, so that [`Market::value`] is the same product for all.
    priced: (i64, i64),
    /// How much of the base asset one unit of quantity is; for inverse contracts, of the quantities that
    /// others count.
    lot_of_one: i128,
    /// The fee on 2^20 units of value, rounded up: an upper bound without a division.
    fee_bound: i128,
}

/// Why an instrument cannot be traded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// Inverse contracts settle in their base asset.
    #[error("{0}: inverse contracts that do not settle in what they stand for")]
    Settlement(String),
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
    /// The value of `qty` at `price` in the quote asset, which of inverse contracts is their face; `None`
    /// beyond 1e14 units.
    #[inline]
    pub fn value(&self, price: Price, qty: Qty) -> Option<Money> {
        let price = price.0 & self.priced.0 | self.priced.1;
        times(i128::from(price) * i128::from(qty.0), self.unit).map(Money)
    }

    /// The same in what is settled in: what margin and fees are a share of. `None` also for inverse
    /// contracts at no price.
    pub fn settled(&self, price: Price, qty: Qty) -> Option<Money> {
        match self.is_inverse() {
            true => self.spec.contract.value(price, qty, self.spec.scale),
            false => self.value(price, qty),
        }
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

    /// An amount of the base asset as a quantity that counts it; `None` when it has more digits than the
    /// scale.
    pub fn qty(&self, base: Money) -> Option<Qty> {
        (base.0 % self.lot_of_one == 0).then(|| i64::try_from(base.0 / self.lot_of_one).ok().map(Qty))?
    }

    /// A quantity that counts the base asset as an amount of it: sizes as books are compared by them, and
    /// exposures. Inverse contracts count otherwise: [`Market::amount_at`].
    #[inline]
    pub fn amount(&self, qty: Qty) -> Money {
        Money(i128::from(qty.0) * self.lot_of_one)
    }

    /// How much of the base asset a trade of a quantity stands for: of inverse contracts their face over
    /// the price, nothing at none. Else it is [`Market::amount`].
    #[inline]
    pub fn amount_at(&self, price: Price, qty: Qty) -> Money {
        match self.is_inverse() {
            true => self.settled(price, qty).unwrap_or_default(),
            false => self.amount(qty),
        }
    }

    /// The most of a quantity that stands for no more than this of the base asset at a price, without its
    /// sign and in any units, lots or not.
    pub fn count_at(&self, price: Price, base: Money) -> Qty {
        let base = base.abs();
        let units = match self.is_inverse() {
            true => mark(base, price, self.spec.scale).map_or(i128::MAX, |face| face.0 / self.unit),
            false => base.0 / self.lot_of_one,
        };
        Qty(i64::try_from(units).unwrap_or(i64::MAX))
    }

    /// The face of the inverse contracts that quantities are, in units of the scale; zero where they
    /// count the base asset.
    #[inline]
    pub fn face(&self) -> i64 {
        if self.is_inverse() { self.spec.contract.multiplier } else { 0 }
    }

    /// Quantities are inverse contracts.
    #[inline]
    pub fn is_inverse(&self) -> bool {
        self.priced.0 == 0
    }

    /// Trades move a position, and not the base asset.
    pub fn is_contract(&self) -> bool {
        self.spec.contract.kind != ContractKind::Spot
    }

    /// How much an order of this side may spend: of what pays for it, fee included, or, for sells of
    /// a base asset, of that. Of inverse contracts it is what that buys at `price`, so that it compares
    /// with values.
    ///
    /// A position that the order adds to is valued at `price`: what it lost and what it grew by since it
    /// was opened is not there to be spent.
    ///
    /// A buy of inverse contracts that fills below its limit is worth more of the base asset than this
    /// leaves room for, by the share that its price improved: the venue has the last word then.
    pub fn budget(&self, ledger: &Ledger, side: Side, price: Price) -> Money {
        match side {
            _ if self.is_contract() => {
                let room = self.room(ledger, side, price);
                // Beyond what money can hold there is nothing to spend.
                match self.is_inverse() {
                    true => mark(room, price, self.spec.scale).unwrap_or_default(),
                    false => room,
                }
            }
            Side::Buy => ledger.free(self.venue, self.quote),
            Side::Sell => ledger.free(self.venue, self.base),
        }
    }

    /// What an order in a contract may be worth, of what is settled in.
    fn room(&self, ledger: &Ledger, side: Side, price: Price) -> Money {
        let room = ledger.contract_room(self.venue, self.instrument, side);
        let Position { qty, cost } = ledger.contract(self.venue, self.instrument);
        if qty.0.signum() != side.sign() {
            return room;
        }
        let Some(worth) = self.settled(price, Qty(qty.0.saturating_abs())) else { return Money::ZERO };
        // What a position was entered for less what it is worth now is lost by those that gain when it
        // is worth more: linear longs and inverse shorts.
        let fell = cost.abs() - worth;
        let lost = if (side == Side::Buy) != self.is_inverse() { fell } else { -fell };
        room - lost.max(Money::ZERO) - (-fell).max(Money::ZERO)
    }

    /// How much of [`Market::budget`] an order of this side may spend that is worth so much: at most, the
    /// fee included.
    #[inline]
    pub fn spent(&self, side: Side, qty: Qty, value: Money) -> Money {
        if self.pays_value(side) { value + self.fee_at_most(value) } else { self.amount(qty) }
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
            let inverse = spec.contract.is_inverse();
            if inverse && spec.contract.settle != spec.base {
                return Err(MarketError::Settlement(name()));
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
            let (base, settle) = (ledger.asset(spec.base)?, ledger.asset(spec.contract.settle)?);
            let quote = if inverse { ledger.asset(spec.quote)? } else { settle };
            let kind = spec.contract.kind;
            let (asset, amount) = if inverse { (quote, unit) } else { (base, lot_of_one) };
            if kind != ContractKind::Spot {
                ledger.enter_contract(
                    *venue,
                    *instrument,
                    settle,
                    Unit { kind, asset, amount: Money(amount) },
                );
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
                settle,
                unit,
                priced: if inverse { (0, 1) } else { (-1, 0) },
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
/// quantity is; of inverse contracts what one unit of quantity is worth, and one unit of the base asset.
/// `None` when that is nothing, or finer than money is.
fn units(spec: &InstrumentSpec) -> Option<(i128, i128)> {
    let digits = u32::from(spec.scale.digits());
    let plain = (10i128.pow(24 - 2 * digits), 10i128.pow(24 - digits));
    match spec.contract.kind {
        ContractKind::Spot => return Some(plain),
        ContractKind::Inverse => {
            let face = i128::from(spec.contract.multiplier) * plain.0;
            return (face > 0).then_some((face, plain.1));
        }
        ContractKind::Linear => {}
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
        assert!(matches!(Markets::new(2, &[inverse], &mut ledger), Err(MarketError::Settlement(_))));
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

    /// Contracts of 100 USD that settle in what they stand for.
    pub(crate) fn inverse_spec() -> InstrumentSpec {
        let spec = spec("BTC", "USD");
        let contract = Contract {
            kind: ContractKind::Inverse,
            multiplier: 100 * Scale::DEFAULT.one(),
            settle: spec.base,
            ..spec.contract
        };
        let one = Qty(Scale::DEFAULT.one());
        let (tick, min_notional) = (Price(10_000_000), Money::ZERO);
        InstrumentSpec { contract, tick, lot: one, min_qty: one, min_notional, ..spec }
    }

    fn inverse() -> (Markets, Ledger) {
        let mut ledger = Ledger::new(1, 1);
        let row = (VenueId(0), InstrumentId(0), inverse_spec(), FeeRate(50_000));
        let markets = Markets::new(1, &[row], &mut ledger).unwrap();
        (markets, ledger)
    }

    #[test]
    fn inverse_contracts_are_worth_their_face_and_stand_for_what_it_buys() {
        let (markets, ledger) = inverse();
        let market = markets.get(VenueId(0), InstrumentId(0)).unwrap();
        let names = [market.base, market.quote, market.settle].map(|asset| ledger.name(asset).to_string());
        assert_eq!(names, ["BTC", "USD", "BTC"]);
        let one = Scale::DEFAULT.one();
        for (price, contracts, base) in
            [(50_000, 3, "0.006"), (62_500, -5, "-0.008"), (60_000, 1, "0.001666666666666666666666")]
        {
            let (price, qty) = (Price(price * one), Qty(contracts * one));
            let face = Money(i128::from(contracts) * 100 * Money::ONE.0);
            assert_eq!(market.value(price, qty), Some(face));
            assert_eq!(market.amount_at(price, qty).to_string(), base);
            assert_eq!(market.settled(price, qty), Some(market.amount_at(price, qty)));
        }
        assert_eq!(market.settled(Price(0), Qty(one)), None);
        let base = |text| Money::parse(text).unwrap();
        for (amount, contracts) in [("0.006", 300_000_000), ("-0.0061", 305_000_000), ("0.00000001", 500)] {
            assert_eq!(market.count_at(Price(50_000 * one), base(amount)), Qty(contracts), "{amount}");
        }
    }

    #[test]
    fn an_inverse_budget_is_what_the_base_asset_buys() {
        let (markets, mut ledger) = inverse();
        let market = markets.get(VenueId(0), InstrumentId(0)).unwrap();
        let money = |text| Money::parse(text).unwrap();
        ledger.report(VenueId(0), market.base, money("0.1"), crate::types::Nanos(1));
        let one = Scale::DEFAULT.one();
        let budget = |ledger: &Ledger, price: i64| {
            let price = Price(price * one);
            Side::BOTH.map(|side| market.budget(ledger, side, price).to_string())
        };
        assert_eq!(budget(&ledger, 50_000), ["5000", "5000"]);
        // Ten long at 50,000, which are 0.02 of margin; a sell may close them as well.
        let fill = crate::account::Fill {
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            base: market.base,
            quote: market.quote,
            qty: money("0.02"),
            contracts: Some(Qty(10 * one)),
            value: money("1000"),
            fee: Money::ZERO,
            fee_asset: market.settle,
        };
        ledger.book(&fill);
        assert_eq!(budget(&ledger, 50_000), ["4000", "6000"]);
        // At 40,000 they are 0.025: they lost 0.005, and need 0.005 more.
        assert_eq!(budget(&ledger, 40_000), ["2800", "4800"]);
        // At 62,500 they are 0.016: nothing is lost, and what they gained is not there yet.
        assert_eq!(budget(&ledger, 62_500), ["5000", "7500"]);
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
        /// What is counted for an amount never stands for more than it, and one unit more would.
        #[test]
        fn as_many_as_an_amount_allows(price in 100_000_000i64..100_000_000_000_000, base in 1i128..10i128.pow(27)) {
            let (markets, _) = inverse();
            let market = markets.get(VenueId(0), InstrumentId(0)).unwrap();
            let (price, base) = (Price(price), Money(base));
            let count = market.count_at(price, base);
            proptest::prop_assert!(market.amount_at(price, count) <= base);
            // The amount is cut at 1e-24: one of those decides nothing.
            proptest::prop_assert!(market.amount_at(price, Qty(count.0 + 1)) + Money(1) >= base);
        }

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
