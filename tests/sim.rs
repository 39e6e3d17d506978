//! The whole engine in the stepped world: books must come to agree with the venues' own, and what
//! the engine says that it did must be what the venues say, whatever the network and the venues do.

use xarb::config::Config;
use xarb::exec::{Record, RecordKind};
use xarb::sim::net::Path;
use xarb::types::Nanos;

use run::{Run, START};

#[path = "sim/quotes.rs"]
mod quotes;

#[path = "common/run.rs"]
mod run;

/// Spot against a linear contract.
const PERP: &str = include_str!("../configs/demo-perp.toml");

/// Spot against an inverse contract.
const INVERSE: &str = include_str!("../configs/demo-inverse.toml");

/// Several quote assets.
const QUOTES: &str = include_str!("../configs/demo-quotes.toml");

/// The two of the demo that most of these tests are about.
const PAIR: [&str; 2] = ["binance.spot", "kraken.spot"];

fn seeded(seed: u64, changes: &[&str]) -> Vec<String> {
    changes.iter().map(|change| change.to_string()).chain([format!("run.seed={seed}")]).collect()
}

/// The demo on some of its venues.
fn demo(venues: &[&str], seed: u64, changes: &[&str]) -> Config {
    Config::demo_on(venues, &seeded(seed, changes)).unwrap()
}

/// The pair of the demo, or, from such a seed on, spot against a contract: every other one inverse.
fn spot_or_contract(from: u64, seed: u64, changes: &[&str]) -> Config {
    match seed.checked_sub(from) {
        None => demo(&PAIR, seed, changes),
        Some(over) if over % 2 == 0 => Config::parse("demo-perp.toml", PERP, &seeded(seed, changes)).unwrap(),
        Some(_) => Config::parse("demo-inverse.toml", INVERSE, &seeded(seed, changes)).unwrap(),
    }
}

#[test]
fn a_fair_wind_brings_trades_and_no_violation() {
    let path = Path { latency: Nanos::from_micros(500), ..Path::default() };
    for seed in 0..4 {
        let mut run = Run::of(&spot_or_contract(2, seed, &["sim.offset_bps=30"]), path);
        run.on(Nanos::from_secs(10));
        assert_eq!(run.violations(), [], "seed {seed}");
        let report = run.must_settle();
        for venue in &report.venues {
            assert_eq!(venue.resyncs, 0, "seed {seed}: {report:#?}");
            assert!(venue.updates >= 80 && venue.fills >= 5, "seed {seed}: {report:#?}");
        }
        assert!(report.intents >= 5 && report.unknown == 0, "seed {seed}: {report:#?}");
    }
}

/// Three venues, no two of which have the same lot.
const THREE: [&str; 3] = ["binance.spot", "bybit.spot", "kraken.spot"];

#[test]
fn three_venues_are_traded_as_one_market() {
    let path = Path { latency: Nanos::from_micros(500), jitter: Nanos::from_millis(2), ..Path::default() };
    let storm = ["sim.gap_ppm=10000", "sim.reject_ppm=30000", "sim.partial_ppm=200000"];
    let mut widest = 0;
    for (seed, faults) in [(0, &[][..]), (1, &storm)] {
        // More than one level holds: else one leg a side is all there ever is.
        let large =
            ["detect.max_notional=20000", "risk.max_order_notional=20000", "risk.max_exposure=100000"];
        let mut run = Run::of(&demo(&THREE, seed, &[faults, &large].concat()), path);
        run.on(Nanos::from_secs(10));
        run.heal();
        let report = run.must_settle();
        assert!(report.intents >= 5, "seed {seed}: {report:#?}");
        for venue in &report.venues {
            assert!(venue.fills > 0, "seed {seed}: {report:#?}");
        }
        let journal = run.crew.exec.stage().executor().journal();
        let mut legs = std::collections::BTreeMap::<u64, usize>::new();
        let orders = Record::all(journal.kept().unwrap()).filter(|record| record.is(RecordKind::Order));
        // Hedges are numbered from 8.
        for order in orders.filter(|order| order.client().leg() < 8) {
            *legs.entry(order.intent()).or_default() += 1;
        }
        widest = legs.into_values().fold(widest, usize::max);
    }
    assert!(widest > 2, "no intent had more than two legs");
}

#[test]
fn no_storm_makes_the_engine_and_the_venues_disagree() {
    let path = Path {
        latency: Nanos::from_micros(500),
        jitter: Nanos::from_millis(5),
        chop: true,
        cut_every: Nanos::from_secs(3),
    };
    let faults = [
        "sim.gap_ppm=20000",
        "sim.disconnect_ppm=100000",
        "sim.latency_us=200",
        "sim.jitter_us=3000",
        "sim.reject_ppm=50000",
        "sim.partial_ppm=300000",
    ];
    let (mut resyncs, mut lost, mut fills) = (0, 0, 0);
    for seed in 100..108 {
        let mut run = Run::of(&spot_or_contract(104, seed, &faults), path);
        run.on(Nanos::from_secs(4));
        run.world.net_mut().stall(0, START + Nanos::from_secs(6));
        for _ in 0..12 {
            run.on(Nanos::from_millis(500));
            assert_eq!(run.violations(), [], "seed {seed}");
        }
        run.heal();
        let report = run.must_settle();
        resyncs += report.venues.iter().map(|venue| venue.resyncs).sum::<u64>();
        fills += report.venues.iter().map(|venue| venue.fills).sum::<u64>();
        lost += (0..run.plan.venues.len()).map(|venue| run.world.sim().faults_done(venue).0).sum::<u64>();
    }
    assert!(
        lost > 60 && resyncs > 30 && fills > 20,
        "the storm was none: {lost} messages lost, {resyncs} books built anew, {fills} fills"
    );
}

#[test]
fn one_seed_gives_one_journal() {
    let path = Path { jitter: Nanos::from_millis(2), chop: true, ..Path::default() };
    let digest = |seed| {
        let changes = ["sim.gap_ppm=10000", "sim.partial_ppm=300000"];
        let mut run = Run::of(&demo(&PAIR, seed, &changes), path);
        run.on(Nanos::from_secs(4));
        run.report()
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1).journal_sha256, digest(2).journal_sha256);
}

#[test]
fn a_run_that_rehearses_is_the_same_run() {
    let path =
        Path { jitter: Nanos::from_millis(2), chop: true, cut_every: Nanos::from_secs(3), ..Path::default() };
    let faults = ["sim.gap_ppm=10000", "sim.partial_ppm=300000", "sim.reject_ppm=30000"];
    let quotes = Config::parse("demo-quotes.toml", QUOTES, &seeded(5, &faults)).unwrap();
    let all = Config::demo(&seeded(4, &faults)).unwrap();
    let twice = demo(&PAIR, 3, &[&faults[..], &["venue.\"binance.spot\".connections=2"]].concat());
    let signed = demo(
        &PAIR,
        6,
        &[&faults[..], &["venue.\"binance.spot\".transport=\"rest\"", "exec.presign=8"]].concat(),
    );
    let tickers = demo(&PAIR, 7, &[&faults[..], &["venue.\"binance.spot\".top=\"overlay\""]].concat());
    let pairs = (0..3).map(|seed| spot_or_contract(1, seed, &faults));
    for config in pairs.chain([twice, all, quotes, signed, tickers]) {
        let outcome = |rehearses: bool| {
            let mut run = Run::of(&config, path);
            let until = run.world.now() + Nanos::from_millis(3_500);
            let mut walked = 0;
            while run.world.now() < until {
                run.world.step(&mut run.crew.roles());
                if rehearses {
                    let now = run.world.now();
                    run.crew.roles().into_iter().for_each(|role| role.rehearse(now));
                    walked += u32::from(run.crew.exec.stage().rehearse(now));
                }
            }
            (run.report(), run.violations(), walked)
        };
        let ((plain, _, _), (rehearsed, violations, walked)) = (outcome(false), outcome(true));
        let seed = config.run.seed;
        assert_eq!(plain, rehearsed, "seed {seed}");
        assert_eq!(violations, [], "seed {seed}");
        assert!(
            plain.intents > 0 && walked > 10,
            "seed {seed}: {} intents, {walked} rehearsals",
            plain.intents
        );
    }
}
