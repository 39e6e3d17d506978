//! The whole engine in the stepped world, one of Coinbase's products against another venue.

use xarb::config::Config;

use crate::pairing::{Listed, Pairing, fair_wind, listed, one_seed_one_journal, storm};

const fn small(venue: &'static str, symbol: &'static str, transport: &'static str) -> Listed {
    Listed { transport, min_qty: "0.00005", min_notional: "1", ..listed(venue, symbol, "0.00001") }
}

const WITH_BINANCE: Pairing =
    [small("coinbase.advanced", "BTC-USDT", "rest"), small("binance.spot", "BTCUSDT", "ws")];
const WITH_KRAKEN: Pairing =
    [small("coinbase.exchange", "BTC-USDT", "rest"), small("kraken.spot", "BTC/USDT", "ws")];

#[test]
fn advanced_trades_against_binance() {
    fair_wind(&WITH_BINANCE);
}

#[test]
fn exchange_trades_against_kraken() {
    fair_wind(&WITH_KRAKEN);
}

#[test]
fn no_storm_makes_advanced_and_the_engine_disagree() {
    storm(&WITH_BINANCE, 20_000, 100..102);
}

/// Nothing tells that a message of Exchange was lost, so none is; all else goes wrong.
#[test]
fn no_storm_makes_exchange_and_the_engine_disagree() {
    storm(&WITH_KRAKEN, 0, 200..202);
}

#[test]
fn one_seed_gives_one_journal() {
    one_seed_one_journal(&WITH_BINANCE);
    one_seed_one_journal(&WITH_KRAKEN);
}

/// The file that a user copies is read by the real reader, and its hosts are the sandbox's.
#[test]
fn the_sandbox_file_is_read() {
    let text = include_str!("../../configs/sandbox-coinbase.toml");
    let read = |changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
        Config::parse("sandbox-coinbase.toml", text, &changes)
    };
    let config = read(&[]).unwrap();
    assert_eq!(config.environment(), xarb::types::Environment::Sandbox);
    let venue = &config.venues[0];
    assert_eq!((venue.id.as_str(), venue.transport), ("coinbase.exchange", xarb::venue::Transport::Rest));
    let live =
        read(&["venue.coinbase.exchange.rest=https://api.exchange.coinbase.com"]).unwrap_err().to_string();
    assert!(live.contains("api.exchange.coinbase.com"), "{live}");
}
