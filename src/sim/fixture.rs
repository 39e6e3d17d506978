//! What several tests of the simulation start from.

use super::market::{FairConfig, ListingConfig, MarketConfig};
use crate::types::{Price, Scale};

/// One asset on two exchanges.
pub fn market(seed: u64) -> MarketConfig {
    let listings = vec![ListingConfig::lively(0, 0), ListingConfig::lively(1, 0)];
    let asset =
        FairConfig { start: Price(60_000 * 100_000_000), scale: Scale::DEFAULT, step: 1_500, listings };
    MarketConfig { seed, assets: vec![asset] }
}
