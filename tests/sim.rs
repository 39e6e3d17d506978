//! The engine's feeds and its detector in the stepped world: books must come to agree with the
//! venues' own whatever the network and the venues do, and one seed must give one run.

use xarb::book::Trust;
use xarb::config::Config;
use xarb::engine::{Crew, DetectRole, ExecRole, FeedRole, Helm, Identity, Plan, Role};
use xarb::sim::checks::{EngineView, OrderCaps, check};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::sim::venue::Faults;
use xarb::sim::world::World;
use xarb::types::{BookId, Bps, Level, Money, Nanos, Side, Stopwatch};
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

struct Run {
    world: World,
    feeds: Vec<FeedRole<Still>>,
    detect: DetectRole<Still>,
    // Kept, but never turned: a detector whose queue is closed has nothing to detect for.
    _ends: (ExecRole<Still>, Helm),
}

const START: Nanos = Nanos::from_secs(1_800_000_000);

fn run(seed: u64, path: Path, changes: &[&str]) -> Run {
    let mut changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
    changes.push(format!("run.seed={seed}"));
    let config = Config::demo(&changes).unwrap();
    let (sim, credentials) = simulate(&config, START).unwrap();
    let world = World::new(sim, path, seed, START);
    let rows = config.venues.iter().map(|venue| xarb::venue::find(&venue.id).unwrap());
    let endpoints: Vec<_> = rows.enumerate().map(|(at, row)| world.endpoints(at, &row.sim)).collect();
    let metadata: Vec<_> = (0..config.venues.len()).map(|at| world.instruments(at)).collect();
    let plan = Plan::new(&config, &endpoints, &metadata).unwrap();
    let identity = Identity { run: 1, tag_key: [7; 32], seed, nonce_from: 0, keep_journal: false };
    let (crew, helm) = Crew::new(&plan, &credentials, &identity, &mut || world.dial(), &Still).unwrap();
    let Crew { feeds, detect, exec } = crew;
    Run { world, feeds, detect, _ends: (exec, helm) }
}

impl Run {
    fn until(&mut self, secs: i64) {
        let mut roles: Vec<&mut dyn Role> = Vec::new();
        roles.extend(self.feeds.iter_mut().map(|feed| feed as &mut dyn Role));
        roles.push(&mut self.detect);
        self.world.run(START + Nanos::from_secs(secs), &mut roles);
    }

    /// Ends all that goes wrong and all that moves, then compares every book with its venue's.
    #[track_caller]
    fn must_agree(&mut self, seed: u64, calm_secs: i64) {
        let at = (self.world.now() - START).0 / 1_000_000_000;
        for venue in 0..self.feeds.len() {
            *self.world.sim_mut().faults_mut(venue).unwrap() = Faults::default();
            self.world.net_mut().set_path(venue, Path::default());
        }
        self.until(at + calm_secs);
        self.world.sim_mut().market_mut().freeze();
        self.until(at + calm_secs + 2);
        for (venue, feed) in self.feeds.iter().enumerate() {
            let book = feed.stage().book(BookId(0)).unwrap();
            let name = self.world.sim().name(venue);
            assert_eq!(book.trust(), Trust::Live, "{name}, seed {seed}: {:?}", feed.alerts());
            let truth = self.world.sim().exchange(venue).unwrap().book(0, 20);
            for (side, truth) in [(Side::Buy, truth.bids), (Side::Sell, truth.asks)] {
                let ours: Vec<Level> = book.levels(side).take(20).collect();
                assert_eq!(ours, truth, "{name}, {side:?}, seed {seed}");
            }
        }
        let caps = OrderCaps { notional_max: Money::ONE, band: Bps::default() };
        assert_eq!(check(self.world.sim(), &EngineView::default(), &caps), [], "seed {seed}");
    }
}

#[test]
fn books_agree_with_their_venues() {
    let path = Path { latency: Nanos::from_micros(500), ..Path::default() };
    for seed in 0..2 {
        let mut run = run(seed, path, &[]);
        run.until(5);
        run.must_agree(seed, 0);
        for feed in &run.feeds {
            let counters = feed.stage().counters();
            assert_eq!((counters.resyncs, counters.malformed), (0, 0), "{}, seed {seed}", feed.name());
            assert!(counters.updates >= 40, "{}, seed {seed}: {counters:?}", feed.name());
        }
        assert!(run.detect.stage().opportunities() > 5, "seed {seed}");
    }
}

#[test]
fn books_come_back_after_any_storm() {
    let path = Path {
        latency: Nanos::from_micros(500),
        jitter: Nanos::from_millis(5),
        chop: true,
        cut_every: Nanos::from_secs(3),
    };
    let faults =
        ["sim.gap_ppm=20000", "sim.disconnect_ppm=100000", "sim.latency_us=200", "sim.jitter_us=3000"];
    let (mut resyncs, mut lost) = (0, 0);
    for seed in 100..106 {
        let mut run = run(seed, path, &faults);
        run.until(4);
        run.world.net_mut().stall(0, START + Nanos::from_secs(6));
        run.until(10);
        run.must_agree(seed, 35);
        resyncs += run.feeds.iter().map(|feed| feed.stage().counters().resyncs).sum::<u64>();
        lost += (0..run.feeds.len()).map(|venue| run.world.sim().faults_done(venue).0).sum::<u64>();
    }
    assert!(
        lost > 60 && resyncs > 30,
        "the storm was none: {lost} messages lost, {resyncs} books built anew"
    );
}

#[test]
fn one_seed_gives_one_run() {
    let path = Path { jitter: Nanos::from_millis(2), chop: true, ..Path::default() };
    let digest = |seed| {
        let mut run = run(seed, path, &["sim.gap_ppm=10000"]);
        run.until(4);
        let counters: Vec<_> = run.feeds.iter().map(|feed| feed.stage().counters()).collect();
        (run.world.steps(), counters, run.detect.stage().opportunities())
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}
