//! The whole engine in the stepped world, with simulated venues around it.

use xarb::book::Trust;
use xarb::config::Config;
use xarb::engine::{Control, Crew, FeedRole, Helm, Identity, Plan, RunReport, Status};
use xarb::sim::audit::engine_view;
use xarb::sim::checks::{OrderCaps, Violation, check};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::sim::venue::Faults;
use xarb::sim::world::World;
use xarb::types::{Asset, BookId, InstrumentId, Level, Money, Nanos, Side, Stopwatch};
use xarb::venue::Exchange;

/// Virtual time measures nothing.
#[derive(Clone, Copy)]
pub struct Still;

impl Stopwatch for Still {
    fn ticks(&self) -> u64 {
        0
    }

    fn nanos(&self, _: u64, _: u64) -> u64 {
        0
    }
}

/// When the world begins.
pub const START: Nanos = Nanos::from_secs(1_800_000_000);

/// Below every venue's minimum: what may be left over. A few of them may add up.
const DUST: &str = "0.0002";

/// Seconds within which books that were lost are there again and nothing is in flight any more, and how
/// many pass at least: connections of before still break when their time is up, twice their mean life.
const SETTLED_WITHIN: u64 = 60;
const AT_LEAST: u64 = 7;

/// An engine and the venues that it trades on.
pub struct Run {
    pub seed: u64,
    pub plan: Plan,
    pub world: World,
    pub crew: Crew<Still>,
    pub helm: Helm,
}

impl Run {
    /// The configuration's venues over that network; its seed is the seed of everything.
    pub fn of(config: &Config, path: Path) -> Run {
        let seed = config.run.seed;
        let (sim, keys) = simulate(config, START).unwrap();
        let world = World::new(sim, path, seed, START);
        let rows = config.venues.iter().map(|venue| xarb::venue::find(&venue.id).unwrap());
        let endpoints: Vec<_> = rows.enumerate().map(|(at, row)| world.endpoints(at, &row.sim)).collect();
        let metadata: Vec<_> = (0..config.venues.len()).map(|at| world.instruments(at)).collect();
        let plan = Plan::new(config, &endpoints, &metadata).unwrap();
        let identity = Identity { run: 1, tag_key: [7; 32], seed, nonce_from: 1, keep_journal: true };
        let (crew, helm) = Crew::new(&plan, &keys, &identity, &mut || world.dial(), &Still).unwrap();
        Run { seed, plan, world, crew, helm }
    }

    /// Lets time pass.
    pub fn on(&mut self, span: Nanos) {
        let until = self.world.now() + span;
        self.world.run(until, &mut self.crew.roles());
    }

    /// Ends all that goes wrong.
    pub fn heal(&mut self) {
        for venue in 0..self.plan.venues.len() {
            *self.world.sim_mut().faults_mut(venue).unwrap() = Faults::default();
            *self.world.sim_mut().exchange_mut(venue).unwrap().knobs() = Default::default();
            self.world.net_mut().set_path(venue, Path::default());
        }
    }

    /// Where the venues' own ledgers say something else than the engine.
    pub fn violations(&mut self) -> Vec<Violation> {
        let risk = &self.plan.config.risk;
        let caps = OrderCaps { notional_max: risk.max_order_notional, band: risk.price_band };
        let view = engine_view(&self.plan, self.crew.exec.stage().executor());
        check(self.world.sim(), &view, &caps)
    }

    /// What the engine says of itself.
    pub fn report(&mut self) -> RunReport {
        let now = self.world.now();
        self.crew.report(&self.plan, now).0
    }

    /// Ends trading, and then all that moves; every book must be its venue's, and every account too,
    /// and nothing may be left over unless trading was halted for it.
    #[track_caller]
    pub fn must_settle(&mut self) -> RunReport {
        let seed = self.seed;
        self.helm.tell(Control::Drain);
        let mut drained = false;
        for second in 0.. {
            self.on(Nanos::from_secs(1));
            drained |= std::iter::from_fn(|| self.helm.status()).any(|said| said == Status::Drained);
            let trust = |feed: &FeedRole<Still>| feed.stage().book(BookId(0)).map(|book| book.trust());
            let healed = self.crew.feeds.iter().all(|feed| trust(feed) == Some(Trust::Live));
            if drained && healed && second >= AT_LEAST {
                break;
            }
            assert!(second < SETTLED_WITHIN, "seed {seed}: it does not come to rest: {:#?}", self.report());
        }
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
        let report = self.report();
        assert_eq!(self.violations(), [], "seed {seed}: {report:#?}");
        assert_eq!(report.unresolved, 0, "seed {seed}: {report:#?}");
        // Flat, or as good as; else the instrument is halted, and somebody was told.
        let left = report.net_exposure.get(&Asset::new("BTC").unwrap()).copied().unwrap_or_default();
        let halted = self.crew.exec.stage().executor().is_halted(InstrumentId(0));
        let told = report.alerts.iter().any(|alert| alert.contains("halted"));
        let flat = left.abs() <= Money::parse(DUST).unwrap();
        assert!(flat || (halted && told), "seed {seed}: {left} BTC left over: {report:#?}");
        report
    }
}
