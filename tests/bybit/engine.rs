//! The whole engine in the stepped world, each of Bybit's markets against another venue.

use crate::pairing::{Listed, Pairing, fair_wind, listed, one_seed_one_journal, storm};

const SPOT: Listed = listed("bybit.spot", "BTCUSDT", "0.000001");
const BINANCE: Listed = listed("binance.spot", "BTCUSDT", "0.00001");
const WITH_BINANCE: Pairing = [SPOT, BINANCE];
const OVER_REST: Pairing = [Listed { transport: "rest", ..SPOT }, BINANCE];
/// What is bought on spot is sold short as a contract.
const AS_CONTRACT: Pairing = [
    Listed { contract: "linear", ..listed("bybit.linear", "BTCUSDT", "0.001") },
    listed("kraken.spot", "BTC/USDT", "0.00000001"),
];

#[test]
fn spot_trades_against_another_venue() {
    fair_wind(&WITH_BINANCE);
}

#[test]
fn spot_trades_by_signed_requests() {
    fair_wind(&OVER_REST);
}

#[test]
fn contracts_trade_against_spot() {
    fair_wind(&AS_CONTRACT);
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
    one_seed_one_journal(&WITH_BINANCE);
    one_seed_one_journal(&AS_CONTRACT);
}
