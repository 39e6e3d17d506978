//! The whole engine in the stepped world, each of OKX's markets against another venue.

use xarb::config::Config;

use crate::run::{Pairing, fair, one_journal_a_seed, storm};

const WITH_BINANCE: Pairing =
    [("okx.spot", "BTC-USDT", "ws", "0.00001", "spot"), ("binance.spot", "BTCUSDT", "ws", "0.00001", "spot")];
const OVER_REST: Pairing = [
    ("okx.spot", "BTC-USDT", "rest", "0.00001", "spot"),
    ("kraken.spot", "BTC/USDT", "ws", "0.00000001", "spot"),
];

#[test]
fn spot_trades_against_another_venue() {
    fair(&WITH_BINANCE);
}

#[test]
fn spot_trades_by_signed_requests() {
    fair(&OVER_REST);
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
    one_journal_a_seed(&WITH_BINANCE);
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
