//! What the assets that prices are in are worth in the common one, for limits and for what crosses
//! from one to another.

use super::{Detail, Quote, Refusal};
use crate::account::{AssetId, Market, Markets};
use crate::detect::{Leg, Opportunity, Rates, Refused};
use crate::types::{Bps, FeeRate, InstrumentId, Money, Price, Rate, Round, Side};

/// Fair rates by the ledger's rows, as last told: an order that brings risk needs them fresh, one that
/// takes risk away must not wait for them.
#[derive(Clone, Debug, Default)]
pub struct Worth {
    rows: Vec<Option<Rate>>,
}

impl Worth {
    /// Sets what a unit of an asset is worth in the common one.
    pub fn set(&mut self, asset: AssetId, rate: Option<Rate>) {
        if self.rows.len() <= asset.row() {
            self.rows.resize(asset.row() + 1, None);
        }
        self.rows[asset.row()] = rate;
    }

    /// What a unit of an asset is worth in the common one.
    pub fn of(&self, asset: AssetId) -> Option<Rate> {
        self.rows.get(asset.row()).copied().flatten()
    }

    /// An amount of the common asset as one of another, rounded down; nothing where no rate is known.
    pub fn in_asset(&self, common: Money, asset: AssetId) -> Money {
        let amount = self.of(asset).and_then(|rate| rate.inverse().money(common, Round::Down));
        amount.unwrap_or(Money::ZERO)
    }
}

/// The rates of an instrument that has prices in other assets than the common one.
#[derive(Clone, Copy)]
pub struct RateView<'a> {
    /// For values and limits.
    pub worth: &'a Worth,
    /// For what is converted.
    pub rates: &'a Rates,
    /// Whether all that the instrument needs may be traded by now.
    pub usable: Result<(), Refused>,
}

impl RateView<'_> {
    /// A price in the common asset as one of a market's.
    pub fn at(&self, market: &Market, price: Price) -> Option<Price> {
        self.worth.of(market.quote)?.inverse().price(price)
    }

    /// A market's price in the common asset.
    pub fn in_common(&self, market: &Market, price: Price) -> Option<Price> {
        self.worth.of(market.quote)?.price(price)
    }

    /// The middle of all books of an instrument that are live and not too old, in the common asset.
    pub fn mid(
        &self,
        markets: &Markets,
        instrument: InstrumentId,
        quotes: &[Option<Quote>],
    ) -> Option<Price> {
        let (mut sum, mut count) = (0i128, 0i128);
        for market in markets.of(instrument) {
            let quote = quotes.get(usize::from(market.venue.0)).copied().flatten();
            let Some(quote) = quote.filter(Quote::counts) else { continue };
            let prices = [quote.bid.price, quote.ask.price].map(|price| self.in_common(market, price));
            if let [Some(bid), Some(ask)] = prices {
                sum += i128::from(bid.0) + i128::from(ask.0);
                count += 2;
            }
        }
        (count > 0).then(|| i64::try_from(sum / count).ok().map(Price))?
    }

    /// Whether rates may be used at all, and the legs still have the edge by the rates of now, at their
    /// limits, where they are not in the same asset.
    ///
    /// # Errors
    /// The [`Refusal`] that stands in the way.
    pub fn admit(&self, opportunity: &Opportunity, markets: &Markets, min_edge: Bps) -> Result<(), Refusal> {
        self.usable.map_err(|reason| Refusal::new(reason, Detail::QuoteRate))?;
        let legs = opportunity.legs();
        let of = |side: Side| legs.iter().filter(move |leg| leg.side == side);
        for buy in of(Side::Buy) {
            for sell in of(Side::Sell) {
                let market = |leg: &Leg| markets.get(leg.venue, opportunity.instrument);
                let (Some(paid), Some(sold)) = (market(buy), market(sell)) else {
                    return Err(Refusal::new(Refused::Risk, Detail::NoMarket));
                };
                if paid.quote == sold.quote {
                    continue;
                }
                let rate = self.rates.sides(sold.spec.quote, paid.spec.quote);
                let brings = rate.and_then(|rate| rate.low.of(i128::from(sell.price.0), Round::Up));
                if !brings.is_some_and(|brings| pays(brings, sold.taker, buy.price, paid.taker, min_edge)) {
                    return Err(Refusal::new(Refused::BelowEdge, Detail::Moved));
                }
            }
        }
        Ok(())
    }
}

/// The edge of the detector, in plain numbers.
fn pays(bid: i128, sell_fee: FeeRate, ask: Price, buy_fee: FeeRate, min_edge: Bps) -> bool {
    const WHOLE: i128 = 10_000 * Bps::ONE as i128;
    let one = i128::from(FeeRate::ONE);
    let brings = bid.checked_mul((one - i128::from(sell_fee.0)) * WHOLE);
    let costs =
        i128::from(ask.0).checked_mul((one + i128::from(buy_fee.0)) * (WHOLE + i128::from(min_edge.0)));
    brings.zip(costs).is_some_and(|(brings, costs)| brings >= costs)
}
