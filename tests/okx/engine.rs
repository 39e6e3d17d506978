//! The whole engine in the stepped world, each of OKX's markets against another venue.

use xarb::config::Config;

use crate::run::{Pairing, fair, may_share_a_key, one_journal_a_seed, storm};

const WITH_BINANCE: Pairing = [
    ("okx.spot", "BTC-USDT", "ws", "0.00001", ("spot", "1")),
    ("binance.spot", "BTCUSDT", "ws", "0.00001", ("spot", "1")),
];
const OVER_REST: Pairing = [
    ("okx.spot", "BTC-USDT", "rest", "0.00001", ("spot", "1")),
    ("kraken.spot", "BTC/USDT", "ws", "0.00000001", ("spot", "1")),
];

/// What is bought on spot is sold short in contracts of a hundredth.
const AS_CONTRACT: Pairing = [
    ("okx.swap", "BTC-USDT-SWAP", "ws", "0.0001", ("linear", "0.01")),
    ("kraken.spot", "BTC/USDT", "ws", "0.00000001", ("spot", "1")),
];
/// Two venues that count contracts differently.
const CONTRACTS: Pairing = [
    ("okx.swap", "BTC-USDT-SWAP", "rest", "0.0001", ("linear", "0.01")),
    ("binance.usdm", "BTCUSDT", "ws", "0.001", ("linear", "1")),
];

/// Both out of one account, when one key trades them.
const ITSELF: Pairing = [
    ("okx.spot", "BTC-USDT", "ws", "0.00001", ("spot", "1")),
    ("okx.swap", "BTC-USDT-SWAP", "ws", "0.0001", ("linear", "0.01")),
];

#[test]
fn one_account_is_not_taken_for_two() {
    assert!(!may_share_a_key(&ITSELF));
}

#[test]
fn spot_trades_against_another_venue() {
    fair(&WITH_BINANCE);
}

#[test]
fn spot_trades_by_signed_requests() {
    fair(&OVER_REST);
}

#[test]
fn contracts_trade_against_spot() {
    fair(&AS_CONTRACT);
}

#[test]
fn contracts_trade_against_those_of_another_venue() {
    fair(&CONTRACTS);
}

#[test]
fn no_storm_makes_contracts_and_the_engine_disagree() {
    storm(&AS_CONTRACT, 20_000, 300..302);
}

#[test]
fn no_storm_makes_spot_and_the_engine_disagree() {
    storm(&WITH_BINANCE, 20_000, 100..102);
}

#[test]
fn no_storm_makes_signed_requests_and_the_engine_disagree() {
    storm(&OVER_REST, 20_000, 200..202);
}

#[test]
fn one_seed_gives_one_journal() {
    for pairing in [&WITH_BINANCE, &AS_CONTRACT] {
        one_journal_a_seed(pairing);
    }
}

/// The file that a user copies is read by the real reader, and its hosts are the sandbox's.
#[test]
fn the_sandbox_file_is_read() {
    let text = include_str!("../../configs/sandbox-okx.toml");
    let read = |changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
        Config::parse("sandbox-okx.toml", text, &changes)
    };
    let config = read(&[]).unwrap();
    assert_eq!(config.environment(), xarb::types::Environment::Sandbox);
    let venue = &config.venues[0];
    assert_eq!((venue.id.as_str(), venue.transport), ("okx.spot", xarb::venue::Transport::Ws));
    let live = read(&["venue.okx.spot.orders=wss://ws.okx.com:8443/ws/v5/private"]).unwrap_err().to_string();
    assert!(live.contains("ws.okx.com"), "{live}");
}
