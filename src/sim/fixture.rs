//! What several tests of the simulation start from.

use super::market::{FairConfig, ListingConfig, MarketConfig};
use crate::types::{Asset, Contract, InstrumentSpec, Money, Price, Qty, Scale, Symbol, Text};

/// BTC against USDT, with a tick of a cent.
pub fn btc_usdt() -> InstrumentSpec {
    let quote = Asset::new("USDT").unwrap();
    InstrumentSpec {
        name: Text::new("BTC-USDT").unwrap(),
        symbol: Symbol::new("BTCUSDT").unwrap(),
        base: Asset::new("BTC").unwrap(),
        quote,
        scale: Scale::DEFAULT,
        tick: Price(1_000_000),
        lot: Qty(1_000),
        min_qty: Qty(1_000),
        max_qty: Qty(900_000_000_000),
        min_notional: Money::parse("5").unwrap(),
        price_digits: 2,
        qty_digits: 5,
        contract: Contract::spot(quote, Scale::DEFAULT),
        open: true,
    }
}

/// One asset on two exchanges.
pub fn market(seed: u64) -> MarketConfig {
    let listings = vec![ListingConfig::lively(0, 0), ListingConfig::lively(1, 0)];
    let asset = FairConfig { start: Price(60_000 * 100_000_000), step: 1_500, listings };
    MarketConfig { seed, assets: vec![asset] }
}
