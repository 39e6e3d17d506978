//! hftbacktest on events that `xarb export` wrote, to be held against `xarb replay` of the same capture.
//!
//! ```text
//! xarb import btcusdt.gz -o btcusdt.mcap
//! xarb replay --json btcusdt.mcap                         # wall_s, messages_per_s
//! xarb export btcusdt.mcap -o events --format npz
//! cargo run --release -- ../../events/*.npz               # in benches/peers
//! ```
//!
//! What theirs does less: its events were decoded, checked and put in order beforehand, as an array of
//! 64-byte records, a price level or a trade each. It reads no container and no JSON, checks no sequence,
//! sees no ticker, and has prices and quantities as floats. What it does more: it keeps two books, the
//! exchange's and the local one behind its feed latency, and asks after each event which of four queues
//! (data and orders, there and here) is next. Ours keeps one book, exact, of what the recorder saw.
//! Loading its array is timed apart, since ours reads as it goes.
//!
//! Neither trades here. Each kind of book of theirs that keeps the whole depth is run; the best of
//! several runs is told.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use hftbacktest::backtest::assettype::LinearAsset;
use hftbacktest::backtest::data::{Data, DataSource, read_npz_file};
use hftbacktest::backtest::models::{
    CommonFees, ConstantLatency, RiskAdverseQueueModel, TradingValueFeeModel,
};
use hftbacktest::backtest::{Backtest, ExchangeKind, L2AssetBuilder};
use hftbacktest::depth::{BTreeMarketDepth, HashMapMarketDepth, L2MarketDepth, MarketDepth};
use hftbacktest::prelude::{Bot, Event};

/// Runs of each.
const RUNS: usize = 5;
/// Tick and lot of the books: those of Binance's BTCUSDT contract.
const TICK: f64 = 0.1;
const LOT: f64 = 0.001;

/// Plays all events, and how long that took.
fn play<M>(events: &Data<Event>, depth: impl Fn() -> M + 'static) -> Result<Duration, String>
where
    M: MarketDepth + L2MarketDepth + 'static,
{
    let asset = L2AssetBuilder::new()
        .data(vec![DataSource::Data(events.clone())])
        .latency_model(ConstantLatency::new(1_000_000, 1_000_000))
        .asset_type(LinearAsset::new(1.0))
        .fee_model(TradingValueFeeModel::new(CommonFees::new(0.0, 0.0)))
        .exchange(ExchangeKind::NoPartialFillExchange)
        .queue_model(RiskAdverseQueueModel::new())
        .depth(depth)
        .build()
        .map_err(|error| error.to_string())?;
    let mut backtest = Backtest::builder().add_asset(asset).build().map_err(|error| error.to_string())?;
    let start = Instant::now();
    backtest.goto_end().map_err(|error| error.to_string())?;
    let time = start.elapsed();
    eprintln!("  best bid {} best ask {}", backtest.depth(0).best_bid(), backtest.depth(0).best_ask());
    Ok(time)
}

fn best(runs: impl Fn() -> Result<Duration, String>) -> Result<Duration, String> {
    (0..RUNS).map(|_| runs()).try_fold(Duration::MAX, |best, run| Ok(best.min(run?)))
}

fn tell(what: &str, events: usize, time: Duration) {
    let rate = events as f64 / time.as_secs_f64() / 1e6;
    println!("{what:<24} {events} events {:.4} s {rate:.1} M/s", time.as_secs_f64());
}

fn file(path: &str) -> Result<(), String> {
    let start = Instant::now();
    let events = read_npz_file::<Event>(path, "data").map_err(|error| format!("{path}: {error}"))?;
    println!("{path}");
    tell("load", events.len(), start.elapsed());
    tell("hash map", events.len(), best(|| play(&events, || HashMapMarketDepth::new(TICK, LOT)))?);
    tell("b-tree", events.len(), best(|| play(&events, || BTreeMarketDepth::new(TICK, LOT)))?);
    Ok(())
}

fn main() -> ExitCode {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        eprintln!("usage: xarb-peers EVENTS.npz...");
        return ExitCode::from(2);
    }
    for path in &paths {
        if let Err(error) = file(path) {
            eprintln!("xarb-peers: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
