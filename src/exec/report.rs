//! What the executor says of the run, for reports and for the limit on losses.

use super::stats::{Counts, ExecReport};
use super::{Context, Executor};
use crate::account::{AssetId, mark};
use crate::detect::Refused;
use crate::types::{Asset, InstrumentId, Money, Nanos, Price, Rate, Round};

/// Sums by asset.
type ByAsset = Vec<(Asset, Money)>;

fn add(to: &mut ByAsset, asset: Asset, amount: Money) {
    match to.iter_mut().find(|row| row.0 == asset) {
        Some(row) => row.1 += amount,
        None => to.push((asset, amount)),
    }
}

impl Executor {
    /// All that a report on the run needs; marks are at the mids of now.
    pub fn report(&mut self, ctx: &mut dyn Context, now: Nanos) -> ExecReport {
        if let Some(rates) = &mut self.rates {
            rates.read(ctx, self.gate.limits(), &mut self.caps);
        }
        let (mut pnl, mut dust) = (ByAsset::new(), ByAsset::new());
        for at in 0..self.markets.instruments() {
            let instrument = InstrumentId(at as u16);
            self.look(instrument, now, ctx);
            let Some(spec) = self.markets.of(instrument).next().map(|market| &market.spec) else {
                continue;
            };
            let mid = self.mid(instrument).unwrap_or_default();
            let valued = self.rates.as_ref().map_or(spec.quote, |rates| rates.common());
            let left = mark(self.ledger.residual(instrument), mid, spec.scale).unwrap_or_default();
            add(&mut pnl, valued, left);
            for (asset, amount) in self.ledger.cash(instrument) {
                add(&mut pnl, self.ledger.name(*asset), *amount);
            }
            add(&mut dust, spec.base, self.loose[at]);
        }
        pnl.sort_unstable();
        dust.sort_unstable();
        let refused = Refused::ALL.iter().map(|reason| {
            let (count, edge) = self.gate.refusals().of(*reason);
            (*reason, count, edge)
        });
        let refused = refused.filter(|row| row.1 > 0).collect();
        ExecReport {
            counts: Counts { duplicates: self.orders.duplicates(), ..self.counts.clone() },
            refused,
            unknown: self.orders.unknown(),
            open_orders: self.orders.live().count(),
            open_intents: self.intents.iter().count(),
            pnl_common: self.in_common(&pnl),
            pnl,
            fees: self.ledger.fees(),
            net_exposure: self.ledger.net_exposure(),
            dust,
            pool: self.presign.counts(),
            journal_records: self.journal.count(),
            journal_sha256: self.journal.digest(),
        }
    }

    /// Amounts of assets that prices are in, all in the common one; `None` without rates.
    fn in_common(&self, amounts: &ByAsset) -> Option<(Asset, Money)> {
        let rates = self.rates.as_ref()?;
        let mut sum = Money::ZERO;
        for (asset, amount) in amounts {
            let rate = self.ledger.find(*asset).map_or(Some(Rate::ONE), |row| self.worth(row));
            sum = sum.checked_add(rate?.money(*amount, Round::Down)?)?;
        }
        Some((rates.common(), sum))
    }

    /// What units of the assets that prices are in are worth in the common one, as last read; nothing
    /// without rates.
    pub fn worths(&self) -> Vec<(Asset, Rate)> {
        let markets = self.markets.iter().map(|market| market.quote);
        let told = markets.filter_map(|row| Some((self.ledger.name(row), self.rates.as_ref()?.worth(row)?)));
        let mut told: Vec<_> = told.collect();
        told.sort_unstable_by_key(|(asset, _)| *asset);
        told.dedup();
        told
    }

    /// What a unit of an asset that prices are in is worth in what instruments are valued in; `None`
    /// while that was never told.
    fn worth(&self, asset: AssetId) -> Option<Rate> {
        self.rates.as_ref().map_or(Some(Rate::ONE), |rates| rates.worth(asset))
    }

    /// Profit and loss of an instrument at a price, in its quote asset, or, with rates, in the common
    /// one; `None` when it is out of range.
    pub fn pnl(&self, instrument: InstrumentId, price: Price) -> Option<Money> {
        let scale = self.markets.of(instrument).next()?.spec.scale;
        self.ledger.pnl(instrument, price, scale, |asset| self.worth(asset)).map(|pnl| pnl.total())
    }
}
