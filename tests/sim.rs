//! The whole engine in the stepped world: books must come to agree with the venues' own, and what
//! the engine says that it did must be what the venues say, whatever the network and the venues do.

use xarb::book::Trust;
use xarb::config::{Config, DEMO};
use xarb::engine::{Control, Crew, Helm, Identity, Plan, RunReport};
use xarb::exec::{Record, RecordKind};
use xarb::sim::audit::engine_view;
use xarb::sim::checks::{OrderCaps, Violation, check};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::sim::venue::Faults;
use xarb::sim::world::World;
use xarb::types::{Asset, BookId, InstrumentId, Level, Money, Nanos, Side, Stopwatch};
use xarb::venue::Exchange;

#[path = "sim/quotes.rs"]
mod quotes;

/// Virtual time measures nothing.
#[derive(Clone, Copy)]
struct Still;

impl Stopwatch for Still {
    fn ticks(&self) -> u64 {
        0
    }

    fn nanos(&self, _: u64, _: u64) -> u64 {
        0
    }
}

struct Run {
    seed: u64,
    plan: Plan,
    world: World,
    crew: Crew<Still>,
    helm: Helm,
}

const START: Nanos = Nanos::from_secs(1_800_000_000);

/// Spot against a linear contract.
const PERP: &str = include_str!("../configs/demo-perp.toml");

impl Run {
    fn new(seed: u64, path: Path, changes: &[&str]) -> Run {
        Run::of(DEMO, seed, path, changes)
    }

    fn of(text: &str, seed: u64, path: Path, changes: &[&str]) -> Run {
        let mut changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
        changes.push(format!("run.seed={seed}"));
        let config = Config::parse("a demo", text, &changes).unwrap();
        let (sim, keys) = simulate(&config, START).unwrap();
        let world = World::new(sim, path, seed, START);
        let rows = config.venues.iter().map(|venue| xarb::venue::find(&venue.id).unwrap());
        let endpoints: Vec<_> = rows.enumerate().map(|(at, row)| world.endpoints(at, &row.sim)).collect();
        let metadata: Vec<_> = (0..config.venues.len()).map(|at| world.instruments(at)).collect();
        let plan = Plan::new(&config, &endpoints, &metadata).unwrap();
        let identity = Identity { run: 1, tag_key: [7; 32], seed, nonce_from: 1, keep_journal: true };
        let (crew, helm) = Crew::new(&plan, &keys, &identity, &mut || world.dial(), &Still).unwrap();
        Run { seed, plan, world, crew, helm }
    }

    fn on(&mut self, span: Nanos) {
        let until = self.world.now() + span;
        self.world.run(until, &mut self.crew.roles());
    }

    /// Ends all that goes wrong.
    fn heal(&mut self) {
        for venue in 0..self.plan.venues.len() {
            *self.world.sim_mut().faults_mut(venue).unwrap() = Faults::default();
            *self.world.sim_mut().exchange_mut(venue).unwrap().knobs() = Default::default();
            self.world.net_mut().set_path(venue, Path::default());
        }
    }

    fn violations(&mut self) -> Vec<Violation> {
        let risk = &self.plan.config.risk;
        let caps = OrderCaps { notional_max: risk.max_order_notional, band: risk.price_band };
        let view = engine_view(&self.plan, self.crew.exec.stage().executor());
        check(self.world.sim(), &view, &caps)
    }

    /// Ends trading, and then all that moves; every book must be its venue's, and every account too.
    #[track_caller]
    fn must_settle(&mut self) -> RunReport {
        let seed = self.seed;
        self.helm.tell(Control::Drain);
        self.on(Nanos::from_secs(40));
        self.world.sim_mut().market_mut().freeze();
        self.on(Nanos::from_secs(2));
        for (venue, feed) in self.crew.feeds.iter().enumerate() {
            let book = feed.stage().book(BookId(0)).unwrap();
            let name = self.world.sim().name(venue);
            assert_eq!(book.trust(), Trust::Live, "{name}, seed {seed}: {:?}", feed.alerts());
            let truth = self.world.sim().exchange(venue).unwrap().book(0, 20);
            for (side, truth) in [(Side::Buy, truth.bids), (Side::Sell, truth.asks)] {
                let ours: Vec<Level> = book.levels(side).take(20).collect();
                assert_eq!(ours, truth, "{name}, {side:?}, seed {seed}");
            }
        }
        let now = self.world.now();
        let (report, _) = self.crew.report(&self.plan, now);
        assert_eq!(self.violations(), [], "seed {seed}: {:#?}", report);
        assert_eq!(report.unresolved, 0, "seed {seed}: {:#?}", report);
        // Flat, or as good as; else the instrument is halted, and somebody was told.
        let left = report.net_exposure.get(&Asset::new("BTC").unwrap()).copied().unwrap_or_default();
        let halted = self.crew.exec.stage().executor().is_halted(InstrumentId(0));
        let told = report.alerts.iter().any(|alert| alert.contains("halted"));
        let dust = Money::parse("0.0002").unwrap();
        assert!(left.abs() <= dust || (halted && told), "seed {seed}: {left} BTC left over: {:#?}", report);
        report
    }
}

#[test]
fn a_fair_wind_brings_trades_and_no_violation() {
    let path = Path { latency: Nanos::from_micros(500), ..Path::default() };
    for (text, seed) in [(DEMO, 0), (DEMO, 1), (DEMO, 2), (PERP, 3), (PERP, 4)] {
        let mut run = Run::of(text, seed, path, &["sim.offset_bps=30"]);
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

/// A third venue beside those of the demo, with a lot that is neither's.
const THIRD: [&str; 10] = [
    "venue.bybit.spot.environment=sim",
    "venue.bybit.spot.taker_bps=10",
    "venue.bybit.spot.maker_bps=10",
    "venue.bybit.spot.channels=[\"depth\"]",
    "venue.bybit.spot.levels=200",
    "instrument.BTC-USDT.symbols.bybit.spot=BTCUSDT",
    "instrument.BTC-USDT.rules.bybit.spot.tick=0.01",
    "instrument.BTC-USDT.rules.bybit.spot.lot=0.000001",
    "instrument.BTC-USDT.rules.bybit.spot.min_qty=0.000048",
    "instrument.BTC-USDT.rules.bybit.spot.min_notional=5",
];

#[test]
fn three_venues_are_traded_as_one_market() {
    let path = Path { latency: Nanos::from_micros(500), jitter: Nanos::from_millis(2), ..Path::default() };
    let storm = ["sim.gap_ppm=10000", "sim.reject_ppm=30000", "sim.partial_ppm=200000"];
    let mut widest = 0;
    for (seed, faults) in [(0, &[][..]), (1, &storm)] {
        // More than one level holds: else one leg a side is all there ever is.
        let large =
            ["detect.max_notional=20000", "risk.max_order_notional=20000", "risk.max_exposure=100000"];
        let mut run = Run::new(seed, path, &[&THIRD, faults, &large].concat());
        assert_eq!(run.plan.venues.len(), 3);
        run.on(Nanos::from_secs(10));
        run.heal();
        let report = run.must_settle();
        assert!(report.intents >= 5, "seed {seed}: {report:#?}");
        for venue in &report.venues {
            assert!(venue.fills > 0, "seed {seed}: {report:#?}");
        }
        let journal = run.crew.exec.stage().executor().journal();
        // The legs of an intent are numbered from 0, its hedges from 8.
        let orders = Record::all(journal.kept().unwrap()).filter(|record| record.is(RecordKind::Order));
        widest = orders.map(|record| record.client().leg()).filter(|leg| *leg < 8).fold(widest, u8::max);
    }
    assert!(widest >= 2, "no intent had more than two legs");
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
    for seed in 100..110 {
        let text = if seed < 106 { DEMO } else { PERP };
        let mut run = Run::of(text, seed, path, &faults);
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
        let mut run = Run::new(seed, path, &["sim.gap_ppm=10000", "sim.partial_ppm=300000"]);
        run.on(Nanos::from_secs(4));
        let now = run.world.now();
        run.crew.report(&run.plan, now).0
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1).journal_sha256, digest(2).journal_sha256);
}
