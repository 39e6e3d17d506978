//! The whole engine in the stepped world, one of Coinbase's products against another venue.

use xarb::config::Config;

use crate::run::{Pairing, fair, may_share_a_key, one_journal_a_seed, storm};

const WITH_BINANCE: Pairing = [
    ("coinbase.advanced", "BTC-USDT", "rest", "0.00001", ("spot", "1")),
    ("binance.spot", "BTCUSDT", "ws", "0.00001", ("spot", "1")),
];
const WITH_KRAKEN: Pairing = [
    ("coinbase.exchange", "BTC-USDT", "rest", "0.00001", ("spot", "1")),
    ("kraken.spot", "BTC/USDT", "ws", "0.00001", ("spot", "1")),
];

/// Accounts apart, with keys of two kinds.
const ITSELF: Pairing = [
    ("coinbase.advanced", "BTC-USDT", "rest", "0.00001", ("spot", "1")),
    ("coinbase.exchange", "BTC-USDT", "rest", "0.00001", ("spot", "1")),
];

#[test]
fn two_accounts_are_not_taken_for_one() {
    assert!(may_share_a_key(&ITSELF));
}

#[test]
fn advanced_trades_against_binance() {
    fair(&WITH_BINANCE);
}

#[test]
fn exchange_trades_against_kraken() {
    fair(&WITH_KRAKEN);
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
    one_journal_a_seed(&WITH_BINANCE);
    one_journal_a_seed(&WITH_KRAKEN);
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
