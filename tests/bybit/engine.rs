//! The whole engine in the stepped world, each of Bybit's markets against another venue.

use crate::run::{Pairing, fair, may_share_a_key, one_journal_a_seed, storm};

const WITH_BINANCE: Pairing = [
    ("bybit.spot", "BTCUSDT", "ws", "0.000001", ("spot", "1")),
    ("binance.spot", "BTCUSDT", "ws", "0.00001", ("spot", "1")),
];
const OVER_REST: Pairing = [
    ("bybit.spot", "BTCUSDT", "rest", "0.000001", ("spot", "1")),
    ("binance.spot", "BTCUSDT", "ws", "0.00001", ("spot", "1")),
];
/// What is bought on spot is sold short as a contract.
const AS_CONTRACT: Pairing = [
    ("bybit.linear", "BTCUSDT", "ws", "0.001", ("linear", "1")),
    ("kraken.spot", "BTC/USDT", "ws", "0.00000001", ("spot", "1")),
];

/// Both out of one account, when one key trades them.
const ITSELF: Pairing = [
    ("bybit.spot", "BTCUSDT", "ws", "0.000001", ("spot", "1")),
    ("bybit.linear", "BTCUSDT", "ws", "0.001", ("linear", "1")),
];

#[test]
fn one_account_is_not_taken_for_two() {
    assert!(!may_share_a_key(&ITSELF));
    assert!(may_share_a_key(&WITH_BINANCE), "of another operator");
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
fn no_storm_makes_spot_and_the_engine_disagree() {
    storm(&WITH_BINANCE, 20_000, 100..102);
}

#[test]
fn no_storm_makes_contracts_and_the_engine_disagree() {
    storm(&AS_CONTRACT, 20_000, 200..202);
}

#[test]
fn one_seed_gives_one_journal() {
    for pairing in [&WITH_BINANCE, &AS_CONTRACT] {
        one_journal_a_seed(pairing);
    }
}
