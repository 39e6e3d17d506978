//! Simulated venues as a configuration describes them.

use super::exchange::{ExchangeConfig, ExchangeError, Knobs, Rates};
use super::keys::trading_rights;
use super::market::{FairConfig, ListingConfig, MarketConfig};
use super::venue::{Faults, Sim, TraderSetup, VenueSetup};
use crate::config::{Config, SimConfig};
use crate::types::{Bps, Nanos, Price};
use crate::venue::{Credentials, Transport};

/// Why a configuration cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The registry has no simulated server for the venue.
    #[error("venue.{0}: cannot be simulated")]
    NoServer(String),
    /// A simulated venue applies the rules of the file, and there are none.
    #[error("instrument.{instrument}.rules.{venue}: missing; a simulated venue needs tick, lot and minimums")]
    NoRules {
        /// The instrument.
        instrument: String,
        /// The venue.
        venue: String,
    },
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
    for instrument in &config.instruments {
        let price = config.sim.price;
        let start = price.to_scaled(instrument.scale).ok_or_else(|| SetupError::Price {
            instrument: instrument.name.to_string(),
            price: price.to_string(),
        })?;
        let step = share(config.sim.volatility) * STEP_OF_VOLATILITY_E3 / 1_000;
        fairs.push(FairConfig { start: Price(start), step, listings: Vec::new() });
    }
    for venue in 0..config.venues.len() {
        for (at, number) in listed(config, venue).into_iter().enumerate() {
            fairs[number].listings.push(quoted(&config.sim, venue, at));
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

/// The instruments of a venue, by their numbers in the configuration.
fn listed(config: &Config, venue: usize) -> Vec<usize> {
    let instruments = config.instruments.iter().enumerate();
    let listed = instruments.flat_map(|(number, instrument)| {
        let here = instrument.listings.iter().filter(move |l| usize::from(l.venue.0) == venue);
        here.map(move |_| number)
    });
    listed.collect()
}

fn open(config: &Config, assets: Vec<FairConfig>, now: Nanos) -> Result<(Sim, Vec<Credentials>), SetupError> {
    let seed = config.run.seed;
    let mut setups = Vec::new();
    for (index, venue) in config.venues.iter().enumerate() {
        let row = crate::venue::find(&venue.id).ok_or_else(|| SetupError::NoServer(venue.id.clone()))?;
        let server = row.server.ok_or_else(|| SetupError::NoServer(venue.id.clone()))?;
        let mut instruments = Vec::new();
        for instrument in &config.instruments {
            for listing in instrument.listings.iter().filter(|l| usize::from(l.venue.0) == index) {
                let spec = instrument.spec(listing).ok_or_else(|| SetupError::NoRules {
                    instrument: instrument.name.to_string(),
                    venue: venue.id.clone(),
                })?;
                instruments.push(spec);
            }
        }
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
                keys: vec![(key, trading_rights())],
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
