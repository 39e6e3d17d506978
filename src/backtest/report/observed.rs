//! What a report needs of a run while it runs.

use std::collections::BTreeMap;

use super::super::account::amounts;
use super::super::rows::Names;
use super::bounded::{Bins, Ends, Sample, Series};
use crate::config::Config;
use crate::detect::{BookSlot, Opportunity};
use crate::exec::Record;
use crate::types::{Asset, Bps, Contract, InstrumentId, Money, Nanos, Price, Qty, Scale, Side, VenueId};

/// An intent that ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Ended {
    /// When it was found, in seconds since 1970.
    pub at: f64,
    pub instrument: usize,
    /// Selling price over buying price as seen, in basis points.
    pub seen: f64,
    /// The same of what its own legs filled; none where a side filled nothing.
    pub filled: Option<f64>,
    pub predicted: f64,
    pub realised: f64,
}

/// One book of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub instrument: usize,
    pub venue: usize,
    /// What quantities are, where they are inverse contracts.
    contract: Option<Contract>,
    /// Best bid and ask.
    top: Option<(Price, Price)>,
    /// Of the base asset since the start.
    position: Money,
    /// That at the mid.
    worth: Money,
    pub positions: Series<Ends>,
}

/// What was seen so far. Its room does not grow with the run.
pub struct Observed {
    pub(super) instruments: Vec<(String, Asset, Scale)>,
    pub(super) venues: Vec<String>,
    pub(super) held: Vec<Held>,
    cash: Money,
    worth: Money,
    peak: Money,
    /// The deepest fall from a peak.
    pub(super) deepest: Money,
    pub(super) start: Nanos,
    pub(super) end: Nanos,
    pub(super) equity: Series<Ends>,
    pub(super) drawdown: Series<Ends>,
    /// By instrument, the best bid of one book over the best ask of another, in basis points.
    pub(super) crossings: Vec<Series<Ends>>,
    pub(super) found: Series<u64>,
    pub(super) hours: [u64; 24],
    /// Of net edges, in units of [`Bps`].
    pub(super) edges: Bins,
    /// Of episodes' lifetimes, by tenths of their decimal logarithm; those of no time apart.
    pub(super) lifetimes: BTreeMap<i64, u64>,
    pub(super) instant: u64,
    pub(super) ended: Sample<Ended>,
    pub(super) fills: u64,
}

/// For charts only.
pub(super) fn float(amount: Money) -> f64 {
    amount.0 as f64 / Money::ONE.0 as f64
}

impl Observed {
    /// Nothing yet. `books` are by slot.
    pub fn new(config: &Config, books: &[(InstrumentId, VenueId)], start: Nanos) -> Observed {
        let names = Names::new(config);
        let held = books.iter().map(|(instrument, venue)| Held {
            contract: names.inverse(*instrument, *venue),
            instrument: usize::from(instrument.0),
            venue: usize::from(venue.0),
            top: None,
            position: Money::ZERO,
            worth: Money::ZERO,
            positions: Series::new(start),
        });
        let instruments = config.instruments.iter();
        Observed {
            instruments: instruments.map(|own| (own.name.to_string(), own.base, own.scale)).collect(),
            venues: config.venues.iter().map(|venue| venue.id.clone()).collect(),
            held: held.collect(),
            cash: Money::ZERO,
            worth: Money::ZERO,
            peak: Money::ZERO,
            deepest: Money::ZERO,
            start,
            end: start,
            equity: Series::new(start),
            drawdown: Series::new(start),
            crossings: config.instruments.iter().map(|_| Series::new(start)).collect(),
            found: Series::new(start),
            hours: [0; 24],
            edges: Bins::new(Bps::ONE / 100),
            lifetimes: BTreeMap::new(),
            instant: 0,
            ended: Sample::new(),
            fills: 0,
        }
    }

    /// A book moved: its best bid and ask, where it has both and can be trusted.
    pub(in crate::backtest) fn moved(&mut self, slot: BookSlot, top: Option<(Price, Price)>, now: Nanos) {
        self.end = self.end.max(now);
        let Some(own) = self.held.get_mut(usize::from(slot.0)) else { return };
        if std::mem::replace(&mut own.top, top) == top {
            return;
        }
        let instrument = own.instrument;
        if own.position != Money::ZERO {
            self.value(usize::from(slot.0), now);
        }
        if let (Some(crossing), Some(series)) =
            (crossing(&self.held, instrument), self.crossings.get_mut(instrument))
        {
            series.add(now, Ends::one(crossing));
        }
    }

    /// Values a book's position anew, and with it everything.
    fn value(&mut self, slot: usize, now: Nanos) {
        let Some(own) = self.held.get_mut(slot) else { return };
        let Some((bid, ask)) = own.top else { return };
        let Some((_, _, scale)) = self.instruments.get(own.instrument) else { return };
        let mid = Price(bid.0 + (ask.0 - bid.0) / 2);
        let worth = super::super::account::worth(own.position, mid, *scale);
        self.worth += worth - std::mem::replace(&mut own.worth, worth);
        let equity = self.cash + self.worth;
        self.peak = self.peak.max(equity);
        let below = equity - self.peak;
        self.deepest = self.deepest.min(below);
        self.equity.add(now, Ends::one(float(equity)));
        self.drawdown.add(now, Ends::one(float(below)));
    }

    /// An evaluation found this.
    pub(in crate::backtest) fn found(&mut self, found: &Opportunity) {
        self.found.add(found.at, 1);
        let hour = found.at.0.div_euclid(3_600_000_000_000).rem_euclid(24) as usize;
        self.hours[hour] += 1;
        self.edges.add(found.sums.net_bps().0);
    }

    /// An episode is over.
    pub(in crate::backtest) fn lasted(&mut self, lasted: Nanos) {
        if lasted.0 <= 0 {
            self.instant += 1;
        } else {
            let tenth = ((lasted.0 as f64).log10() * LIFETIME_BINS).floor() as i64;
            *self.lifetimes.entry(tenth).or_default() += 1;
        }
    }

    /// The journal's record of a fill.
    pub(in crate::backtest) fn fill(&mut self, record: &Record<'_>) {
        let (instrument, venue) = (usize::from(record.instrument().0), usize::from(record.venue().0));
        let slot = self.held.iter().position(|own| own.instrument == instrument && own.venue == venue);
        let (Some(slot), Some((_, base, scale)), Some(side)) =
            (slot, self.instruments.get(instrument), record.side())
        else {
            return;
        };
        self.fills += 1;
        let (fee, asset) = record.amount();
        let own = &mut self.held[slot];
        let (qty, value) = amounts(own.contract.as_ref(), record, *scale);
        let (got, paid) = if side == Side::Buy { (qty, value) } else { (-qty, -value) };
        own.position += got;
        self.cash -= paid;
        if asset == *base {
            own.position -= fee;
        } else {
            self.cash -= fee;
        }
        own.positions.add(record.at(), Ends::one(float(own.position)));
        // Without a book to value it by, what was traded is worth its price.
        if own.top.is_none() {
            own.top = Some((record.price(), record.price()));
        }
        self.value(slot, record.at());
    }

    /// An intent ended. `legs` are what its own orders filled, bought and sold.
    pub(in crate::backtest) fn ended(
        &mut self,
        found: &Opportunity,
        legs: [(Qty, Money); 2],
        predicted: Money,
        realised: Money,
    ) {
        let price = |(qty, value): (Qty, Money)| (qty > Qty::ZERO).then(|| float(value) / qty.0 as f64);
        let filled = price(legs[0]).zip(price(legs[1])).map(|(buy, sell)| (sell / buy - 1.0) * 1e4);
        self.ended.add(Ended {
            at: super::bounded::seconds(found.at),
            instrument: usize::from(found.instrument.0),
            seen: basis_points(found.sums.gross_bps()),
            filled,
            predicted: float(predicted),
            realised: float(realised),
        });
    }

    /// Cash and positions at the end, against the start.
    pub(super) fn equity_now(&self) -> Money {
        self.cash + self.worth
    }
}

/// Bins of lifetimes to a power of ten.
pub(super) const LIFETIME_BINS: f64 = 5.0;

/// For charts only.
pub(super) fn basis_points(value: Bps) -> f64 {
    value.0 as f64 / Bps::ONE as f64
}

/// The best that any two books of an instrument cross, or come near to.
fn crossing(held: &[Held], instrument: usize) -> Option<f64> {
    let tops = || held.iter().enumerate().filter(|(_, own)| own.instrument == instrument);
    let tops = || tops().filter_map(|(at, own)| Some((at, own.top?)));
    let pairs = tops().flat_map(|(buy, (_, ask))| {
        let others = tops().filter(move |(sell, _)| *sell != buy);
        others.map(move |(_, (bid, _))| (bid.0 - ask.0) as f64 / ask.0 as f64 * 1e4)
    });
    pairs.filter(|crossing| crossing.is_finite()).max_by(f64::total_cmp)
}
