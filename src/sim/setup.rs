//! Simulated venues as a configuration describes them.

use super::exchange::{ExchangeConfig, ExchangeError, Knobs, Rates};
use super::market::{FairConfig, ListingConfig, MarketConfig};
use super::venue::{Faults, Sim, TraderSetup, VenueSetup};
use crate::config::{Config, InstrumentConfig, SimConfig};
use crate::detect::{BookSlot, RateBook, RatePlan, Rates as AssetRates};
use crate::types::{Asset, Bps, InstrumentId, InstrumentSpec, Nanos, Price};
use crate::venue::{Credentials, NoInverse, Transport};

/// Why a configuration cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The registry has no simulated server for the venue.
    #[error("venue.{0}: cannot be simulated")]
    NoServer(String),
    /// Its simulated server knows no inverse contracts.
    #[error(transparent)]
    Inverse(#[from] NoInverse),
    /// A simulated venue applies the rules of the file, and there are none.
    #[error("instrument.{instrument}.rules.{venue}: missing; a simulated venue needs tick, lot and minimums")]
    NoRules {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
    },
    /// No rates lead from what an instrument is priced in to what a listing of it is quoted in.
    #[error("instrument.{instrument}.rules.{venue}.quote: quote.rates leads nowhere from {from} to {to}")]
    NoRate {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
        /// What the instrument is priced in.
        from: Asset,
        /// What the listing is quoted in.
        to: Asset,
    },
    /// A rate book that is itself quoted in another asset than its instrument is.
    #[error("quote.rates.{0}: a simulated rate book is quoted in what its instrument's name says")]
    RateQuote(String),
    /// The starting price does not fit the instrument.
    #[error("sim.price: {price} does not fit instrument.{instrument}")]
    Price {
        /// The instrument.
        instrument: String,
        /// The configured price.
        price: String,
    },
    /// The matching refuses it.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// The venues of a configuration, and for each of them the key that its orders are signed with.
///
/// # Errors
/// [`SetupError`], which names the key of the configuration.
pub fn simulate(config: &Config, now: Nanos) -> Result<(Sim, Vec<Credentials>), SetupError> {
    let mut fairs: Vec<FairConfig> = Vec::new();
    let rates = simulated_rates(config)?;
    for instrument in &config.instruments {
        let own = config.sim.prices.iter().find(|(name, _)| *name == instrument.name);
        let price = own.map_or(config.sim.price, |(_, price)| *price);
        let start = price.to_scaled(instrument.scale).ok_or_else(|| SetupError::Price {
            instrument: instrument.name.to_string(),
            price: price.to_string(),
        })?;
        let step = share(config.sim.volatility) * STEP_OF_VOLATILITY_E3 / 1_000 / calm(config, instrument);
        let (start, scale) = (Price(start), instrument.scale);
        fairs.push(FairConfig { start, scale, step, listings: Vec::new() });
    }
    for (index, venue) in config.venues.iter().enumerate() {
        for (at, (number, spec)) in listed(config, index)?.into_iter().enumerate() {
            let instrument = &config.instruments[number];
            let mut quoted = quoted(&config.sim, index, at);
            let calm = calm(config, instrument);
            quoted.jump = (quoted.jump.0 / calm, quoted.jump.1 / calm);
            quoted.through =
                rates.through(instrument.quote, spec.quote).ok_or_else(|| SetupError::NoRate {
                    instrument: instrument.name.to_string(),
                    venue: venue.id.clone(),
                    from: instrument.quote,
                    to: spec.quote,
                })?;
            fairs[number].listings.push(quoted);
        }
    }
    open(config, fairs, now)
}

/// The same venues without makers: what their books show is captured, and their clocks, networks and
/// faults are the backtest's.
///
/// # Errors
/// [`SetupError`], which names the key of the configuration.
pub fn simulate_captured(config: &Config, now: Nanos) -> Result<(Sim, Vec<Credentials>), SetupError> {
    let (mut sim, keys) = open(config, Vec::new(), now)?;
    sim.market_mut().freeze();
    for venue in 0..config.venues.len() {
        if let Some(exchange) = sim.exchange_mut(venue) {
            exchange.open_crowd();
        }
        if let Some(faults) = sim.faults_mut(venue) {
            *faults = Faults::default();
        }
    }
    Ok((sim, keys))
}

/// What a venue lists: the instruments' numbers in the configuration, and the rules there.
///
/// # Errors
/// [`SetupError::NoRules`] for the first listing without any.
pub fn listed(config: &Config, venue: usize) -> Result<Vec<(usize, InstrumentSpec)>, SetupError> {
    let mut listed = Vec::new();
    for (number, instrument) in config.instruments.iter().enumerate() {
        for listing in instrument.listings.iter().filter(|l| usize::from(l.venue.0) == venue) {
            let spec = instrument.spec(listing).ok_or_else(|| SetupError::NoRules {
                instrument: instrument.name.to_string(),
                venue: config.venues[venue].id.clone(),
            })?;
            listed.push((number, spec));
        }
    }
    Ok(listed)
}

fn open(config: &Config, assets: Vec<FairConfig>, now: Nanos) -> Result<(Sim, Vec<Credentials>), SetupError> {
    let seed = config.run.seed;
    let mut setups = Vec::new();
    for (index, venue) in config.venues.iter().enumerate() {
        let row = crate::venue::find(&venue.id).ok_or_else(|| SetupError::NoServer(venue.id.clone()))?;
        let server = row.server.ok_or_else(|| SetupError::NoServer(venue.id.clone()))?;
        let instruments: Vec<_> = listed(config, index)?.into_iter().map(|(_, spec)| spec).collect();
        row.takes(&instruments)?;
        let key = match venue.transport {
            Transport::Ws => row.sim.session_key,
            Transport::Rest => row.sim.request_key,
        };
        setups.push(VenueSetup {
            name: venue.id.clone(),
            server: server(seed.wrapping_add(index as u64)),
            exchange: ExchangeConfig {
                instruments,
                fee_in: row.sim.fee_in,
                rates: Rates { maker: venue.maker, taker: venue.taker },
                knobs: Knobs {
                    reject_ppm: config.sim.reject_ppm,
                    partial_ppm: config.sim.partial_ppm,
                    halted: false,
                },
            },
            traders: vec![TraderSetup {
                balances: config.sim.balances.clone(),
                keys: vec![(key, config.sim.key_rights.clone())],
            }],
            faults: Faults {
                latency: config.sim.latency,
                jitter: config.sim.jitter,
                gap_ppm: config.sim.gap_ppm,
                cut_every: cut_every(config.sim.disconnect_ppm),
            },
        });
    }
    let mut sim = Sim::new(seed, setups, &MarketConfig { seed, assets }, now)?;
    for venue in 0..config.venues.len() {
        if let Some(exchange) = sim.exchange_mut(venue) {
            exchange.set_default_leverage(config.sim.leverage);
        }
    }
    let keys = (0..config.venues.len()).map(|venue| sim.traders(venue)[0].credentials[0].clone()).collect();
    Ok((sim, keys))
}

/// The rate books of a configuration, and which fair price each has.
struct SimulatedRates {
    rates: AssetRates,
    instruments: Vec<usize>,
}

impl SimulatedRates {
    /// The fair prices that lead from an asset to another.
    fn through(&self, from: Asset, to: Asset) -> Option<Vec<(usize, bool)>> {
        let way = self.rates.way(from, to)?;
        Some(way.filter_map(|(book, inverse)| Some((*self.instruments.get(book)?, inverse))).collect())
    }
}

fn simulated_rates(config: &Config) -> Result<SimulatedRates, SetupError> {
    let (mut books, mut instruments) = (Vec::new(), Vec::new());
    for rate in config.quote.iter().flat_map(|quote| &quote.rates) {
        let number = config.instruments.iter().position(|own| own.name == rate.instrument);
        let Some((number, instrument)) = number.and_then(|at| Some((at, config.instruments.get(at)?))) else {
            continue;
        };
        let listing = instrument.listings.iter().find(|listing| listing.venue == rate.venue);
        let quote = listing.and_then(|listing| listing.rules?.quote);
        if quote.is_some_and(|quote| quote != instrument.quote) {
            return Err(SetupError::RateQuote(rate.instrument.to_string()));
        }
        instruments.push(number);
        books.push(RateBook {
            base: instrument.base,
            quote: instrument.quote,
            scale: instrument.scale,
            haircut: rate.haircut,
            max_age: rate.max_age,
            slot: BookSlot::default(),
            venue: rate.venue,
            instrument: InstrumentId(number as u16),
        });
    }
    let common = config.quote.as_ref().map_or(Asset::EMPTY, |quote| quote.common);
    Ok(SimulatedRates { rates: AssetRates::new(&RatePlan { common, books }), instruments })
}

/// How much less an instrument's prices move than others': one that only tells a rate is no place where
/// prices run away.
fn calm(config: &Config, instrument: &InstrumentConfig) -> i64 {
    let rates = config.quote.iter().flat_map(|quote| &quote.rates);
    let tells = rates.into_iter().any(|rate| rate.instrument == instrument.name);
    if tells && instrument.listings.len() == 1 { 10 } else { 1 }
}

/// A hundred even steps a second, each within one step either way, spread by 10 / sqrt(3) steps:
/// what makes a second's typical move of one step's worth, in thousandths.
const STEP_OF_VOLATILITY_E3: i64 = 173;

/// A half-life times this, in thousandths, is the time to fall to 1/e.
const DECAY_OF_HALF_LIFE_E3: i64 = 1_443;

/// Basis points as a share in units of 1e-8.
fn share(bps: Bps) -> i64 {
    bps.0 / 100
}

fn quoted(sim: &SimConfig, venue: usize, instrument: usize) -> ListingConfig {
    let interval = 1_000_000_000 / i64::from(sim.updates_per_s.max(1));
    let offset = share(sim.offset);
    ListingConfig {
        refresh: (Nanos(interval / 2), Nanos(interval * 3 / 2)),
        requote: sim.requote,
        jump: (offset * 2 / 5, offset),
        decay: Nanos(sim.offset_half_life.0.saturating_mul(DECAY_OF_HALF_LIFE_E3) / 1_000),
        ..ListingConfig::lively(venue, instrument)
    }
}

/// The mean life of a connection that is cut with this chance in each second.
fn cut_every(disconnect_ppm: u32) -> Nanos {
    match i64::from(disconnect_ppm) {
        0 => Nanos::ZERO,
        ppm => Nanos::from_secs(1_000_000 / ppm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_simulated_is_named() {
        let change = "sim.price=0.000000001";
        let config = Config::demo(&[change.to_owned()]).unwrap();
        let error = simulate(&config, Nanos::ZERO).err().expect(change);
        let want = "sim.price: 0.000000001 does not fit instrument.BTC-USDT";
        assert_eq!(error.to_string(), want);
    }
}
