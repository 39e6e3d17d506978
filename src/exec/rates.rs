//! The executor's own reading of the rate books, for limits, values and the last look at an edge.

use super::Context;
use crate::account::{AssetId, Ledger, Markets};
use crate::detect::{RatePlan, RateQuote, RateSet, Rates, Refused};
use crate::risk::{Caps, Limits, RateView, Worth};
use crate::types::{Asset, InstrumentId, Money, Nanos, Rate};

/// Rates as last read.
pub(super) struct QuoteRates {
    rates: Rates,
    worth: Worth,
    /// By instrument: what it needs, where not all its prices are in the common asset.
    needs: Vec<Option<RateSet>>,
    /// All that prices are in.
    quotes: Vec<(AssetId, Asset)>,
    all: RateSet,
    folded: Option<u64>,
    usable: Result<(), Refused>,
}

impl QuoteRates {
    /// Nothing read yet: no order is worth little enough to pass, but in the common asset.
    pub fn new(plan: &RatePlan, markets: &Markets, ledger: &Ledger, caps: &mut Caps) -> QuoteRates {
        let rates = Rates::new(plan);
        let mut quotes: Vec<(AssetId, Asset)> = Vec::new();
        let mut all = RateSet::default();
        let mut needs: Vec<Option<RateSet>> = vec![None; markets.instruments()];
        for market in markets.iter() {
            let asset = ledger.name(market.quote);
            if !quotes.contains(&(market.quote, asset)) {
                quotes.push((market.quote, asset));
            }
            if asset == plan.common {
                continue;
            }
            caps.set_order_max(market.quote, Money::ZERO);
            // Without a way nothing is ever told, and so nothing usable.
            let way = rates.needs(asset, plan.common).unwrap_or_default();
            all = all.and(way);
            let own = &mut needs[usize::from(market.instrument.0)];
            *own = Some(own.unwrap_or_default().and(way));
        }
        // Whatever joins two of its assets directly is needed as well.
        for market in markets.iter() {
            let at = usize::from(market.instrument.0);
            for other in markets.of(market.instrument) {
                let way = rates.needs(ledger.name(market.quote), ledger.name(other.quote));
                needs[at] = needs[at].map(|own| own.and(way.unwrap_or_default()));
                all = all.and(needs[at].unwrap_or_default());
            }
        }
        let usable = Err(Refused::RateUnsynced);
        QuoteRates { rates, worth: Worth::default(), needs, quotes, all, folded: None, usable }
    }

    fn needs(&self, instrument: InstrumentId) -> Option<RateSet> {
        self.needs.get(usize::from(instrument.0)).copied().flatten()
    }

    /// Reads the rate books, when an instrument needs any.
    pub fn look(
        &mut self,
        instrument: InstrumentId,
        now: Nanos,
        ctx: &mut (impl Context + ?Sized),
        limits: &Limits,
        caps: &mut Caps,
    ) {
        let Some(needs) = self.needs(instrument) else { return };
        self.read(ctx, limits, caps);
        self.usable = self.rates.usable(needs, now);
    }

    /// Reads all rate books.
    pub fn read(&mut self, ctx: &mut (impl Context + ?Sized), limits: &Limits, caps: &mut Caps) {
        for number in self.all.books() {
            let Some(book) = self.rates.book(number).copied() else { continue };
            let quote = ctx.quote(book.venue, book.instrument).filter(|quote| quote.live);
            let told =
                quote.map(|quote| RateQuote { bid: quote.bid.price, ask: quote.ask.price, at: quote.at });
            self.rates.tell(number, told);
        }
        let changes = self.rates.changes(self.all);
        if self.folded == Some(changes) {
            return;
        }
        self.folded = Some(changes);
        for (row, asset) in &self.quotes {
            self.worth.set(*row, self.rates.fair(*asset));
            caps.set_order_max(*row, self.worth.in_asset(limits.order_notional_max, *row));
        }
    }

    /// What the gate is to see of them, after [`QuoteRates::look`].
    pub fn view(&self, instrument: InstrumentId) -> Option<RateView<'_>> {
        self.needs(instrument)?;
        Some(RateView { worth: &self.worth, rates: &self.rates, usable: self.usable })
    }

    /// What limits and totals are in.
    pub fn common(&self) -> Asset {
        self.rates.common()
    }

    /// What a unit of an asset that prices are in is worth in the common one, as last read.
    pub fn worth(&self, asset: AssetId) -> Option<Rate> {
        self.worth.of(asset)
    }
}
