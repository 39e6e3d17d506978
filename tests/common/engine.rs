//! The whole engine in the stepped world on two venues: in a fair wind and in a storm, what the engine
//! says that it did must be what the venues say.

use xarb::book::Trust;
use xarb::config::Config;
use xarb::engine::{Control, Crew, Helm, Identity, Plan, RunReport};
use xarb::sim::audit::engine_view;
use xarb::sim::checks::{OrderCaps, Violation, check};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::sim::venue::Faults;
use xarb::sim::world::World;
use xarb::types::{BookId, Level, Nanos, Side, Stopwatch};
use xarb::venue::Exchange;

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

const START: Nanos = Nanos::from_secs(1_800_000_000);

/// The two of a pairing: venue, symbol, how orders travel, least lot, kind of contract.
pub type Pairing = [(&'static str, &'static str, &'static str, &'static str, &'static str); 2];

fn config(pairing: &Pairing, changes: &[String]) -> Config {
    let mut text = String::from("[run]\nmode = \"stepped\"\nseed = 1\nseconds = 20\n");
    for (venue, _, transport, ..) in pairing {
        text += &format!(
            "[venue.\"{venue}\"]\nenvironment = \"sim\"\nchannels = [\"depth\"]\nlevels = 100\ntaker_bps = 10\nmaker_bps = 8\n\
             max_age_ms = 2000\nwindow_ms = 1000\ntransport = \"{transport}\"\n"
        );
    }
    let symbols: Vec<String> =
        pairing.iter().map(|(venue, symbol, ..)| format!("\"{venue}\" = \"{symbol}\"")).collect();
    text += &format!("[instrument.BTC-USDT]\nscale = 8\nsymbols = {{ {} }}\n", symbols.join(", "));
    for (venue, _, _, lot, kind) in pairing {
        text += &format!(
            "[instrument.BTC-USDT.rules.\"{venue}\"]\ncontract = \"{kind}\"\ntick = \"0.1\"\nlot = \"{lot}\"\nmin_qty = \"{lot}\"\nmin_notional = \"5\"\n"
        );
    }
    let demo = include_str!("../../configs/demo.toml");
    text += &demo[demo.find("[detect]").unwrap()..];
    Config::parse("run.toml", &text, changes).unwrap()
}

struct Run {
    seed: u64,
    plan: Plan,
    world: World,
    crew: Crew<Still>,
    helm: Helm,
}

impl Run {
    fn new(pairing: &Pairing, seed: u64, path: Path, changes: &[&str]) -> Run {
        let mut changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
        changes.push(format!("run.seed={seed}"));
        let config = config(pairing, &changes);
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
        self.on(Nanos::from_secs(60));
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
        report
    }
}

/// All is well: both trade, no book is built anew, nothing stays unknown.
pub fn fair(pairing: &Pairing) {
    let path = Path { latency: Nanos::from_micros(500), ..Path::default() };
    for seed in 0..2 {
        let mut run = Run::new(pairing, seed, path, &["sim.offset_bps=40"]);
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

/// Messages are lost, connections cut, orders refused and filled in part; and in the end everything
/// adds up.
pub fn storm(pairing: &Pairing, gap_ppm: u32, seeds: std::ops::Range<u64>) {
    let path = Path {
        latency: Nanos::from_micros(500),
        jitter: Nanos::from_millis(5),
        chop: true,
        cut_every: Nanos::from_secs(3),
    };
    let gaps = format!("sim.gap_ppm={gap_ppm}");
    let faults = [
        gaps.as_str(),
        "sim.disconnect_ppm=100000",
        "sim.latency_us=200",
        "sim.jitter_us=3000",
        "sim.reject_ppm=50000",
        "sim.partial_ppm=300000",
        "sim.offset_bps=40",
    ];
    let (mut resyncs, mut fills) = (0, 0);
    for seed in seeds {
        let mut run = Run::new(pairing, seed, path, &faults);
        for _ in 0..16 {
            run.on(Nanos::from_millis(500));
            assert_eq!(run.violations(), [], "seed {seed}");
        }
        run.heal();
        let report = run.must_settle();
        resyncs += report.venues.iter().map(|venue| venue.resyncs).sum::<u64>();
        fills += report.venues.iter().map(|venue| venue.fills).sum::<u64>();
    }
    assert!(resyncs > 5 && fills > 5, "the storm was none: {resyncs} books built anew, {fills} fills");
}

/// One seed gives one journal, and another another.
pub fn one_journal_a_seed(pairing: &Pairing) {
    let path = Path { jitter: Nanos::from_millis(2), chop: true, ..Path::default() };
    let digest = |seed| {
        let changes = ["sim.gap_ppm=10000", "sim.partial_ppm=300000", "sim.offset_bps=40"];
        let mut run = Run::new(pairing, seed, path, &changes);
        run.on(Nanos::from_secs(4));
        let now = run.world.now();
        run.crew.report(&run.plan, now).0
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1).journal_sha256, digest(2).journal_sha256);
}
