//! Worlds whose prices are in several assets: what is traded ends flat, our books are the venues' own
//! asset by asset, and a rate that is not to be had stops it.

use xarb::config::Config;
use xarb::engine::{Control, Plan, PlanError};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::sim::world::World;
use xarb::types::{Asset, Money, Nanos};

use crate::run::{Run, START};
use crate::seeded;

/// BTC in USDT and in USD, and a book of USDT-USD.
const QUOTES: &str = include_str!("../../configs/demo-quotes.toml");

fn run(seed: u64, changes: &[&str]) -> Run {
    run_of(QUOTES, seed, changes)
}

fn run_of(text: &str, seed: u64, changes: &[&str]) -> Run {
    let config = Config::parse("a demo", text, &seeded(seed, changes)).unwrap();
    Run::of(&config, Path { latency: Nanos::from_micros(500), ..Path::default() })
}

fn of(amounts: &std::collections::BTreeMap<Asset, Money>, asset: &str) -> Money {
    amounts.get(&Asset::new(asset).unwrap()).copied().unwrap_or_default()
}

#[test]
fn bitcoin_in_two_kinds_of_dollars_is_traded_and_ends_flat() {
    for seed in 0..2 {
        let mut run = run(seed, &[]);
        run.on(Nanos::from_secs(10));
        assert_eq!(run.violations(), [], "seed {seed}");
        let report = run.must_settle();
        assert!(report.intents >= 5 && report.unknown == 0, "seed {seed}: {report:#?}");
        assert!(report.venues.iter().all(|venue| venue.fills >= 5), "seed {seed}: {report:#?}");
        // What went out in one asset and came in in the other is told apart.
        let (usd, usdt) = (of(&report.pnl, "USD"), of(&report.pnl, "USDT"));
        assert!(usd.abs() > Money::ONE && usdt.abs() > Money::ONE, "seed {seed}: {report:#?}");
        assert_eq!(usdt, of(&report.net_exposure, "USDT"), "seed {seed}: {report:#?}");
        assert!(!report.net_exposure.contains_key(&Asset::new("USD").unwrap()));
        // Together they are a profit, at the rate that the simulated market ends at.
        let (common, total) = report.pnl_common.unwrap();
        let fair = run.world.sim_mut().market_mut().fair(1).unwrap();
        let valued = |rate: i64| usd.0 + usdt.0 / 100_000_000 * i128::from(rate);
        let near = valued(fair.0) - total.0;
        assert_eq!(common.as_str(), "USD");
        assert!(total > Money::ZERO, "seed {seed}: {report:#?}");
        assert!(near.abs() <= usdt.0.abs() / 1_000, "seed {seed}: {near} {report:#?}");
        // Taken for par, a USDT would have been 15 bp too dear: the rate matters.
        assert!(fair.0 < 99_950_000 && fair.0 > 99_500_000, "seed {seed}: {fair:?}");
    }
}

#[test]
fn whatever_goes_wrong_assets_stay_apart() {
    let storm = [
        "sim.gap_ppm=10000",
        "sim.reject_ppm=50000",
        "sim.partial_ppm=300000",
        "sim.disconnect_ppm=100000",
        "sim.latency_us=300",
        "sim.jitter_us=700",
    ];
    let mut fills = 0;
    for seed in 10..12 {
        let mut run = run(seed, &storm);
        run.on(Nanos::from_secs(15));
        assert_eq!(run.violations(), [], "seed {seed}");
        run.heal();
        let report = run.must_settle();
        fills += report.venues.iter().map(|venue| venue.fills).sum::<u64>();
    }
    assert!(fills >= 10, "{fills}");
}

/// A third venue, in USDT as well: three books walked as one.
const THIRD: [&str; 10] = [
    "venue.bybit.spot.environment=sim",
    "venue.bybit.spot.taker_bps=10",
    "venue.bybit.spot.maker_bps=10",
    "venue.bybit.spot.levels=200",
    "instrument.BTC-USD.symbols.bybit.spot=BTCUSDT",
    "instrument.BTC-USD.rules.bybit.spot.quote=USDT",
    "instrument.BTC-USD.rules.bybit.spot.tick=0.01",
    "instrument.BTC-USD.rules.bybit.spot.lot=0.000001",
    "instrument.BTC-USD.rules.bybit.spot.min_qty=0.000048",
    "instrument.BTC-USD.rules.bybit.spot.min_notional=5",
];

#[test]
fn three_venues_of_two_assets_are_traded_as_one_market() {
    let mut run = run(20, &THIRD);
    run.on(Nanos::from_secs(10));
    assert_eq!(run.violations(), []);
    let report = run.must_settle();
    assert!(report.venues.iter().all(|venue| venue.fills >= 5), "{report:#?}");
    assert!(report.pnl_common.unwrap().1 > Money::ZERO, "{report:#?}");
}

#[test]
fn a_rate_that_comes_too_seldom_stops_what_needs_it_and_is_counted() {
    let mut run = run(30, &["quote.rates.USDT-USD.max_age_ms=1"]);
    run.on(Nanos::from_secs(5));
    let report = run.must_settle();
    assert!(report.refused["rate_stale"] > 100, "{report:#?}");
    let others: u64 = report.refused.iter().filter(|row| *row.0 == "stale").map(|row| *row.1).sum();
    assert_eq!(others, 0, "{report:#?}");
}

/// ETH in USDT on one venue and in BTC on the other, with the price of BTC in USDT as the rate.
const COINS: &str = r#"
[venue."binance.spot"]
environment = "sim"
taker_bps = 7.5
maker_bps = 7.5
[venue."kraken.spot"]
environment = "sim"
levels = 100
taker_bps = 10
maker_bps = 8
[instrument.ETH-USDT]
symbols = { "binance.spot" = "ETHUSDT", "kraken.spot" = "ETH/BTC" }
[instrument.ETH-USDT.rules."binance.spot"]
tick = "0.01"
lot = "0.0001"
min_notional = "5"
[instrument.ETH-USDT.rules."kraken.spot"]
quote = "BTC"
tick = "0.000001"
lot = "0.00000001"
min_qty = "0.002"
min_notional = "0.00002"
[instrument.BTC-USDT]
symbols = { "binance.spot" = "BTCUSDT" }
[instrument.BTC-USDT.rules."binance.spot"]
tick = "0.01"
lot = "0.00001"
min_notional = "5"
[quote]
common = "USDT"
rates.BTC-USDT.haircut_bps = 2
[detect]
max_notional = 2000
[sim]
balances = { BTC = "10", ETH = "200", USDT = "600000" }
prices = { ETH-USDT = "3000", BTC-USDT = "60000" }
offset_bps = 30
"#;

#[test]
fn a_coin_pair_is_traded_against_dollars_and_ends_flat() {
    for seed in 40..42 {
        let mut run = run_of(COINS, seed, &[]);
        run.on(Nanos::from_secs(10));
        run.helm.tell(Control::Drain);
        run.on(Nanos::from_secs(10));
        assert_eq!(run.violations(), [], "seed {seed}");
        let now = run.world.now();
        let (report, _) = run.crew.report(&run.plan, now);
        assert!(report.unresolved == 0 && report.alerts.is_empty(), "seed {seed}: {report:#?}");
        // Bitcoin is money here, and what is to be flat is ether.
        let eth = of(&report.net_exposure, "ETH");
        assert!(eth.abs() <= Money::parse("0.004").unwrap(), "seed {seed}: {eth} {report:#?}");
        assert!(report.intents >= 5, "seed {seed}: {report:#?}");
        let (btc, usdt) = (of(&report.pnl, "BTC"), of(&report.pnl, "USDT"));
        assert!(btc != Money::ZERO && usdt != Money::ZERO, "seed {seed}: {report:#?}");
        let (common, total) = report.pnl_common.unwrap();
        assert!(common.as_str() == "USDT" && total > Money::ZERO, "seed {seed}: {report:#?}");
        // Neither of the two alone is anything like it.
        assert!(total.0 < usdt.0.abs(), "seed {seed}: {report:#?}");
    }
}

#[test]
fn a_plan_without_a_rate_is_refused_by_name() {
    let plan = |text: &str, changes: &[&str]| {
        let changes: Vec<_> = changes.iter().map(|change| change.to_string()).collect();
        let mut config = Config::parse("a demo", text, &changes).unwrap();
        let (sim, _) = simulate(&config, START).unwrap();
        let world = World::new(sim, Path::default(), 1, START);
        let endpoints: Vec<_> = config
            .venues
            .iter()
            .enumerate()
            .map(|(at, venue)| world.endpoints(at, &xarb::venue::find(&venue.id).unwrap().sim))
            .collect();
        let metadata: Vec<_> = (0..config.venues.len()).map(|at| world.instruments(at)).collect();
        let mut errors = vec![Plan::new(&config, &endpoints, &metadata).err()];
        config.quote.as_mut().unwrap().rates.clear();
        errors.push(Plan::new(&config, &endpoints, &metadata).err());
        config.quote = None;
        errors.push(Plan::new(&config, &endpoints, &metadata).err());
        errors.into_iter().map(|error| error.map(|error: PlanError| error.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(
        plan(QUOTES, &[]),
        [
            None,
            Some("quote.rates: no books lead from USDT, which instrument.BTC-USD has prices in, to USD".to_owned()),
            Some(
                "instrument.BTC-USD: binance.spot prices `BTCUSDT` in USDT, and the instrument is priced in USD: \
                 without [quote] there is no rate between them"
                    .to_owned()
            ),
        ]
    );
}
