//! The whole engine in the stepped world, each of OKX's markets against another venue.

use xarb::config::Config;

use crate::pairing::{Listed, Pairing, fair_wind, listed, one_seed_one_journal, storm};

const SPOT: Listed = listed("okx.spot", "BTC-USDT", "0.00001");
const WITH_BINANCE: Pairing = [SPOT, listed("binance.spot", "BTCUSDT", "0.00001")];
const OVER_REST: Pairing =
    [Listed { transport: "rest", ..SPOT }, listed("kraken.spot", "BTC/USDT", "0.00000001")];

#[test]
fn spot_trades_against_another_venue() {
    fair_wind(&WITH_BINANCE);
}

#[test]
fn spot_trades_by_signed_requests() {
    fair_wind(&OVER_REST);
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
    one_seed_one_journal(&WITH_BINANCE);
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
