//! What is traded where: one row per instrument and venue, found by index, with the products that
//! the hot path would otherwise compute again for every order.

use super::{AssetId, Ledger, LedgerError};
use crate::types::{ContractKind, FeeRate, InstrumentId, InstrumentSpec, Money, Price, Qty, VenueId};

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
    /// What is paid, in the ledger.
    pub quote: AssetId,
    /// What one unit of price times one unit of quantity is worth, in [`Money`] units.
    unit: i128,
    /// The fee on 2^20 units of value, rounded up: an upper bound without a division.
    fee_bound: i128,
}

/// Why an instrument cannot be traded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// Only spot instruments are traded so far.
    #[error("{0}: only spot instruments can be traded")]
    NotSpot(String),
    /// The venue's number is beyond the number of venues.
    #[error("{0}: no such venue")]
    UnknownVenue(String),
    /// Listed twice on a venue.
    #[error("{0}: listed twice on one venue")]
    Twice(String),
    /// Tick, lot or fee make no sense.
    #[error("{0}: tick and lot must be positive, and the fee between -10 % and 10 %")]
    Rules(String),
    /// The ledger is full.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Market {
    /// The value of `qty` at `price` in the quote asset; `None` beyond 1e14 units.
    pub fn value(&self, price: Price, qty: Qty) -> Option<Money> {
        let product = i128::from(price.0) * i128::from(qty.0);
        product.checked_mul(self.unit).map(Money)
    }

    /// At least the taker fee on `value`, and at most a few parts in a million more: what to set
    /// aside, without the division that the exact fee costs.
    pub fn fee_at_most(&self, value: Money) -> Money {
        Money(((value.0 >> 20) + 1).saturating_mul(self.fee_bound))
    }

    /// An amount of the base asset as a quantity; `None` when it has more digits than the scale.
    pub fn qty(&self, base: Money) -> Option<Qty> {
        base.to_scaled(self.spec.scale).map(Qty)
    }

    /// A quantity as an amount of the base asset.
    pub fn amount(&self, qty: Qty) -> Money {
        Money::from_scaled(qty.0, self.spec.scale)
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
            if spec.contract.kind != ContractKind::Spot {
                return Err(MarketError::NotSpot(name()));
            }
            let tenth = FeeRate::ONE / 10;
            if spec.tick.0 <= 0 || spec.lot.0 <= 0 || !(-tenth..=tenth).contains(&taker.0) {
                return Err(MarketError::Rules(name()));
            }
            if usize::from(venue.0) >= venues {
                return Err(MarketError::UnknownVenue(name()));
            }
            let slot = &mut own.rows[usize::from(instrument.0) * venues + usize::from(venue.0)];
            if slot.is_some() {
                return Err(MarketError::Twice(name()));
            }
            let rate = i128::from(taker.0.max(0));
            let one = i128::from(FeeRate::ONE);
            *slot = Some(Market {
                venue: *venue,
                instrument: *instrument,
                spec: spec.clone(),
                taker: *taker,
                base: ledger.asset(spec.base)?,
                quote: ledger.asset(spec.quote)?,
                unit: 10i128.pow(24 - 2 * u32::from(spec.scale.digits())),
                fee_bound: ((rate << 20) + one - 1) / one,
            });
        }
        Ok(own)
    }

    /// The market of an instrument on a venue.
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
        let mut linear = row(0, 0, "BTC");
        linear.2.contract.kind = ContractKind::Linear;
        assert!(matches!(Markets::new(2, &[linear], &mut ledger), Err(MarketError::NotSpot(_))));
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
}
