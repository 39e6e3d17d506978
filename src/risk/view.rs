//! What the gate looks at: books, balances, and whether orders may go somewhere at all.

use super::{Detail, Exposure, RateView, Refusal};
use crate::account::{Inventory, Ledger, Market, Markets};
use crate::detect::{Leg, Refused};
use crate::types::{InstrumentId, Level, Money, Nanos, Price, VenueId};

/// A venue's best prices as last published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quote {
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// When the last message about the book came.
    pub at: Nanos,
    /// Version of the published book.
    pub version: u64,
    /// The book may be traded on.
    pub live: bool,
    /// When it was looked at, its last message was older than the venue's bound.
    pub old: bool,
}

impl Quote {
    /// It has a say in what the instrument is worth now.
    #[inline]
    pub fn counts(&self) -> bool {
        self.live && !self.old
    }
}

/// Whether a venue may be sent orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Standing {
    /// Logged in, private stream proven.
    Ready,
    /// Not yet, or not any more.
    #[default]
    Down,
    /// It asked us to wait until then.
    Throttled(Nanos),
    /// It did what it must not do, or refused our key: no order goes there in this run.
    Frozen,
}

/// What the gate looks at.
#[derive(Clone, Copy)]
pub struct GateView<'a> {
    /// What is traded where.
    pub markets: &'a Markets,
    /// Balances and what is held of them.
    pub ledger: &'a Ledger,
    /// Where inventory should stand, when that matters.
    pub inventory: Option<&'a Inventory>,
    /// The instrument's best prices, by venue.
    pub quotes: &'a [Option<Quote>],
    /// Whether orders may go, by venue.
    pub standing: &'a [Standing],
    /// The instrument's exposure as it stands, open orders included.
    pub exposure: Exposure,
    /// The instrument is halted.
    pub halted: bool,
    /// The rates of an instrument that has prices in other assets than the common one.
    pub rates: Option<RateView<'a>>,
}

impl<'a> GateView<'a> {
    /// The venue's market and book, when both may be used now.
    ///
    /// # Errors
    /// The [`Refusal`] that stands in the way.
    #[inline]
    pub fn usable(
        &self,
        venue: VenueId,
        instrument: InstrumentId,
        age_max: &[Nanos],
        now: Nanos,
    ) -> Result<(&'a Market, &'a Quote), Refusal> {
        let at = usize::from(venue.0);
        let refuse = |reason, detail| Err(Refusal::at(reason, detail, venue));
        let Some(market) = self.markets.get(venue, instrument) else {
            return refuse(Refused::Risk, Detail::NoMarket);
        };
        if !market.spec.open {
            return refuse(Refused::NotReady, Detail::MarketClosed);
        }
        match self.standing.get(at).copied().unwrap_or_default() {
            Standing::Ready => {}
            Standing::Throttled(until) if until <= now => {}
            Standing::Throttled(_) => return refuse(Refused::NotReady, Detail::Throttled),
            Standing::Down => return refuse(Refused::NotReady, Detail::Session),
            Standing::Frozen => return refuse(Refused::Risk, Detail::Frozen),
        }
        if market.is_contract() && !self.ledger.contract_told(venue, instrument) {
            return refuse(Refused::NotReady, Detail::Position);
        }
        let base = match market.is_contract() {
            true => self.ledger.contract_drifted(venue, instrument),
            false => self.ledger.drifted(venue, market.base),
        };
        if base || self.ledger.drifted(venue, market.settle) {
            return refuse(Refused::Risk, Detail::Drift);
        }
        Ok((market, self.fresh(venue, age_max, now)?))
    }

    /// The venue's book of the instrument, when it may be used now.
    ///
    /// # Errors
    /// The [`Refusal`] that stands in the way.
    #[inline]
    pub fn fresh(&self, venue: VenueId, age_max: &[Nanos], now: Nanos) -> Result<&'a Quote, Refusal> {
        let at = usize::from(venue.0);
        let refuse = |reason, detail| Err(Refusal::at(reason, detail, venue));
        let quote = self.quotes.get(at).and_then(Option::as_ref).filter(|quote| quote.live);
        let Some(quote) = quote else {
            return refuse(Refused::Unsynced, Detail::NoBook);
        };
        if quote.bid.price >= quote.ask.price {
            return refuse(Refused::Crossed, Detail::BookCrossed);
        }
        if age_max.get(at).is_none_or(|max| now - quote.at > *max) {
            return refuse(Refused::Stale, Detail::BookAge);
        }
        Ok(quote)
    }

    /// Why there is no mid, as far as legs are concerned.
    #[cold]
    pub(super) fn without_mid(&self, legs: &[Leg], age_max: &[Nanos], now: Nanos) -> Refusal {
        let none = Refusal::new(Refused::Unsynced, Detail::NoBook);
        legs.iter().find_map(|leg| self.fresh(leg.venue, age_max, now).err()).unwrap_or(none)
    }

    /// The consolidated mid of an instrument: of its own quote asset, or in the common one.
    #[inline]
    pub fn mid(&self, instrument: InstrumentId) -> Option<Price> {
        match &self.rates {
            None => consolidated_mid(self.quotes),
            Some(rates) => rates.mid(self.markets, instrument, self.quotes),
        }
    }

    /// Such a price in what the prices of a market are in.
    #[inline]
    pub fn price_at(&self, market: &Market, price: Price) -> Option<Price> {
        match &self.rates {
            None => Some(price),
            Some(rates) => rates.at(market, price),
        }
    }

    /// The other way round: a market's price in what the instrument is valued in.
    #[inline]
    pub fn price_of(&self, market: &Market, price: Price) -> Option<Price> {
        match &self.rates {
            None => Some(price),
            Some(rates) => rates.in_common(market, price),
        }
    }

    /// A limit in what the prices of a market are in.
    pub fn limit_at(&self, market: &Market, limit: Money) -> Money {
        self.rates.map_or(limit, |rates| rates.worth.in_asset(limit, market.quote))
    }
}

/// The middle of all books of an instrument that are live and not too old, each venue counting the same;
/// `None` without any.
pub fn consolidated_mid(quotes: &[Option<Quote>]) -> Option<Price> {
    let (mut sum, mut count) = (0i128, 0i128);
    for quote in quotes.iter().flatten().filter(|quote| quote.counts()) {
        sum += i128::from(quote.bid.price.0) + i128::from(quote.ask.price.0);
        count += 2;
    }
    // Real prices fit 64 bits even when summed; the wide division is for absurd ones.
    match (i64::try_from(sum), count) {
        (_, 0) => None,
        (Ok(sum), count) => Some(Price(sum / count as i64)),
        (Err(_), count) => i64::try_from(sum / count).ok().map(Price),
    }
}
