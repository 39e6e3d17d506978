//! Two connections for each venue's stream in the stepped world.

use xarb::book::Trust;
use xarb::config::Config;
use xarb::engine::{ConnectionCounters, Control, Crew, Helm, Identity, Plan, RunReport};
use xarb::sim::audit::engine_view;
use xarb::sim::checks::{OrderCaps, check};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::sim::venue::Faults;
use xarb::sim::world::World;
use xarb::types::{BookId, Dial, Level, Nanos, Side, Stopwatch};
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
    seed: u64,
    plan: Plan,
    world: World,
    crew: Crew<Still>,
    helm: Helm,
    /// Where each venue's book stood.
    stood: Vec<u64>,
}

const START: Nanos = Nanos::from_secs(1_800_000_000);
const MS: Nanos = Nanos::from_millis(1);

/// The tag of a venue's connection: its stream is dialled first, then its snapshots, then the others.
fn tag(venue: usize, connection: usize) -> u32 {
    (3 * venue + if connection == 0 { 1 } else { 2 + connection }) as u32
}

impl Run {
    fn new(seed: u64, changes: &[&str]) -> Run {
        let mut changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
        changes.push(format!("run.seed={seed}"));
        changes.push("venue.binance.spot.connections=2".to_owned());
        changes.push("venue.kraken.spot.connections=2".to_owned());
        let config = Config::demo_on(&["binance.spot", "kraken.spot"], &changes).unwrap();
        let (sim, keys) = simulate(&config, START).unwrap();
        let path = Path { latency: Nanos::from_micros(300), jitter: MS, chop: true, ..Path::default() };
        let mut world = World::new(sim, path, seed, START);
        let rows = config.venues.iter().map(|venue| xarb::venue::find(&venue.id).unwrap());
        let endpoints: Vec<_> = rows.enumerate().map(|(at, row)| world.endpoints(at, &row.sim)).collect();
        let metadata: Vec<_> = (0..config.venues.len()).map(|at| world.instruments(at)).collect();
        let plan = Plan::new(&config, &endpoints, &metadata).unwrap();
        let identity = Identity { run: 1, tag_key: [7; 32], seed, nonce_from: 1, keep_journal: true };
        let mut dialled = 0;
        let mut dial = || {
            dialled += 1;
            Box::new(world.net_mut().tagged(dialled)) as Box<dyn Dial>
        };
        let (crew, helm) = Crew::new(&plan, &keys, &identity, &mut dial, &Still).unwrap();
        let stood = vec![0; plan.venues.len()];
        Run { seed, plan, world, crew, helm, stood }
    }

    fn venues(&self) -> std::ops::Range<usize> {
        0..self.plan.venues.len()
    }

    /// Lets time pass.
    fn on(&mut self, span: Nanos) {
        let until = self.world.now() + span;
        self.world.run(until, &mut self.crew.roles());
    }

    /// Lets time pass while every book must be live, and younger than `age`, at every ms.
    #[track_caller]
    fn on_live(&mut self, span: Nanos, age: Nanos) {
        let until = self.world.now() + span;
        while self.world.now() < until {
            self.on(MS);
            let now = self.world.now();
            for (venue, feed) in self.crew.feeds.iter().enumerate() {
                let book = feed.stage().book(BookId(0)).unwrap();
                let name = self.world.sim().name(venue);
                assert_eq!(book.trust(), Trust::Live, "{name}, seed {}: {:#?}", self.seed, feed.alerts());
                let heard = book.stamp().received;
                assert!(now - heard <= age, "{name}, seed {}: heard of {:?} ago", self.seed, now - heard);
                let stamp = book.stamp();
                let at = stamp.venue_time.0 as u64;
                assert!(at >= self.stood[venue], "{name}, seed {}: back in time", self.seed);
                self.stood[venue] = at;
            }
        }
    }

    fn counters(&self, venue: usize) -> &[ConnectionCounters] {
        self.crew.feeds[venue].stage().copies()
    }

    fn sum(&self, venue: usize, of: impl Fn(&ConnectionCounters) -> u64) -> u64 {
        self.counters(venue).iter().map(of).sum()
    }

    fn resyncs(&self) -> Vec<u64> {
        self.crew.feeds.iter().map(|feed| feed.stage().counters().resyncs).collect()
    }

    /// Ends trading, and then all that moves; every book must be its venue's, and every account too.
    #[track_caller]
    fn must_settle(&mut self) -> RunReport {
        let seed = self.seed;
        for venue in self.venues() {
            *self.world.sim_mut().faults_mut(venue).unwrap() = Faults::default();
        }
        self.helm.tell(Control::Drain);
        self.on(Nanos::from_secs(6));
        self.world.sim_mut().market_mut().freeze();
        self.on(Nanos::from_secs(1));
        for (venue, feed) in self.crew.feeds.iter().enumerate() {
            let book = feed.stage().book(BookId(0)).unwrap();
            let name = self.world.sim().name(venue);
            assert_eq!(book.trust(), Trust::Live, "{name}, seed {seed}: {:?}", feed.alerts());
            let truth = self.world.sim().exchange(venue).unwrap().book(0, 20);
            for (side, truth) in [(Side::Buy, truth.bids), (Side::Sell, truth.asks)] {
                let ours: Vec<Level> = book.levels(side).take(20).collect();
                assert_eq!(ours, truth, "{name}, {side:?}, seed {seed}");
            }
            for told in feed.stage().copies() {
                assert!(told.frames > 100 && told.first > 0, "{name}, seed {seed}: {told:?}");
                assert!(told.trail.count <= told.late, "{name}, seed {seed}: {told:?}");
                assert_eq!(told.trail.classes.iter().sum::<u64>(), told.trail.count);
            }
        }
        let risk = &self.plan.config.risk;
        let caps = OrderCaps { notional_max: risk.max_order_notional, band: risk.price_band };
        let view = engine_view(&self.plan, self.crew.exec.stage().executor());
        assert_eq!(check(self.world.sim(), &view, &caps), [], "seed {seed}");
        let now = self.world.now();
        let (report, _) = self.crew.report(&self.plan, now);
        assert_eq!(report.unresolved, 0, "seed {seed}: {report:#?}");
        assert_eq!(report.connections.len(), 4);
        report
    }
}

/// One venue's books in its binary encoding.
const BINARY: &str = "venue.binance.spot.encoding=sbe";

/// How old a book may be in this market, where something moves every few tens of ms.
const FRESH: Nanos = Nanos::from_millis(400);

#[test]
fn both_connections_bring_updates_first_now_and_then() {
    for seed in 0..1 {
        let mut run = Run::new(seed, &[]);
        run.on(Nanos::from_secs(2));
        run.on_live(Nanos::from_secs(5), FRESH);
        let report = run.must_settle();
        assert_eq!(run.resyncs(), [0, 0], "seed {seed}: {report:#?}");
        for venue in run.venues() {
            for told in run.counters(venue) {
                assert!(told.first >= 15 && told.late >= 15, "seed {seed}: {told:?}");
                assert!(
                    told.trail.max_ns > 100_000 && told.trail.max_ns < 50_000_000,
                    "seed {seed}: {told:?}"
                );
                assert_eq!((told.lost, told.covered), (0, 0));
            }
        }
        assert!(report.intents > 0, "seed {seed}: {report:#?}");
    }
}

#[test]
fn a_cut_connection_costs_nothing_while_the_other_lives() {
    for seed in 10..12 {
        let mut run = Run::new(seed, &[]);
        run.on(Nanos::from_secs(2));
        for round in 0..4 {
            for venue in run.venues() {
                assert_eq!(run.world.net_mut().cut_tagged(tag(venue, round % 2)), 1, "seed {seed}");
            }
            run.on_live(Nanos::from_millis(1_200 + 37 * seed as i64), FRESH);
        }
        for venue in run.venues() {
            assert_eq!((run.sum(venue, |c| c.lost), run.sum(venue, |c| c.covered)), (4, 4), "seed {seed}");
        }
        run.must_settle();
        assert_eq!(run.resyncs(), [0, 0], "seed {seed}");
    }
}

#[test]
fn a_stalled_connection_costs_nothing_and_what_it_brings_later_is_late() {
    for seed in 20..21 {
        let mut run = Run::new(seed, &[]);
        run.on(Nanos::from_secs(2));
        for round in 0..2 {
            let until = run.world.now() + Nanos::from_secs(3);
            for venue in run.venues() {
                run.world.net_mut().stall_tagged(tag(venue, round), until);
            }
            run.on_live(Nanos::from_secs(5), FRESH);
        }
        run.must_settle();
        assert_eq!(run.resyncs(), [0, 0], "seed {seed}");
        for venue in run.venues() {
            for told in run.counters(venue) {
                assert!(told.trail.max_ns > 2_000_000_000, "seed {seed}: {told:?}");
            }
        }
    }
}

#[test]
fn a_spoilt_connection_costs_nothing_while_the_other_lives() {
    for seed in 30..32 {
        let mut run = Run::new(seed, &[]);
        run.on(Nanos::from_secs(2));
        let mut spoilt = 0;
        for round in 0..6 {
            for venue in run.venues() {
                // Until something is under way.
                for _ in 0..200 {
                    if run.world.net_mut().spoil_tagged(tag(venue, round % 2)) > 0 {
                        spoilt += 1;
                        break;
                    }
                    run.on_live(MS, FRESH);
                }
            }
            run.on_live(Nanos::from_millis(1_800), FRESH);
        }
        let lost: u64 = run.venues().map(|venue| run.sum(venue, |c| c.lost)).sum();
        assert!(spoilt == 12 && lost >= 6, "seed {seed}: {spoilt} spoilt, {lost} lost");
        run.must_settle();
        assert_eq!(run.resyncs(), [0, 0], "seed {seed}");
    }
}

#[test]
fn gaps_count_as_losses_only_where_nobody_covers_them() {
    let (mut lost, mut covered) = (0, 0);
    for seed in 40..42 {
        let mut run = Run::new(seed, &["sim.gap_ppm=10000"]);
        run.on(Nanos::from_secs(12));
        run.must_settle();
        for venue in run.venues() {
            let (own, hid) = (run.sum(venue, |c| c.lost), run.sum(venue, |c| c.covered));
            assert!(run.resyncs()[venue] <= own - hid, "seed {seed}");
            (lost, covered) = (lost + own, covered + hid);
        }
    }
    assert!(lost >= 10 && covered * 10 >= lost * 8, "{lost} lost, {covered} covered");
}

/// Market data in the venue's binary encoding: its updates are of the same numbers.
#[test]
fn connections_of_binary_market_data_cover_each_other() {
    for seed in 60..62 {
        let mut run = Run::new(seed, &[BINARY]);
        run.on(Nanos::from_secs(2));
        let mut spoilt = 0;
        for round in 0..4 {
            assert_eq!(run.world.net_mut().cut_tagged(tag(0, round % 2)), 1, "seed {seed}");
            run.on_live(Nanos::from_millis(1_200 + 37 * seed as i64), FRESH);
            for _ in 0..200 {
                if run.world.net_mut().spoil_tagged(tag(0, round % 2)) > 0 {
                    spoilt += 1;
                    break;
                }
                run.on_live(MS, FRESH);
            }
            run.on_live(Nanos::from_millis(1_800), FRESH);
        }
        let report = run.must_settle();
        assert_eq!((run.resyncs(), spoilt), (vec![0, 0], 4), "seed {seed}: {report:#?}");
        // A message each 20 ms instead of each 100, and each of them twice.
        let frames: u64 = run.sum(0, |told| told.frames);
        assert!(frames > 1_500, "seed {seed}: {frames}");
        assert!(run.sum(0, |told| told.lost) >= 4, "seed {seed}: {report:#?}");
        for told in run.counters(0) {
            assert!(told.first >= 15 && told.late >= 15, "seed {seed}: {told:?}");
        }
    }
}

#[test]
fn both_connections_cut_is_a_loss_and_is_cured() {
    both_are_cut(&[]);
    both_are_cut(&[BINARY]);
}

fn both_are_cut(changes: &[&str]) {
    for seed in 50..52 {
        let mut run = Run::new(seed, changes);
        run.on(Nanos::from_secs(2));
        for round in 1..=2 {
            for venue in run.venues() {
                for connection in 0..2 {
                    assert_eq!(run.world.net_mut().cut_tagged(tag(venue, connection)), 1, "seed {seed}");
                }
            }
            run.on(Nanos::from_millis(20));
            for feed in &run.crew.feeds {
                assert_eq!(feed.stage().book(BookId(0)).unwrap().trust(), Trust::Lost, "seed {seed}");
            }
            run.on(Nanos::from_secs(2));
            assert_eq!(run.resyncs(), [round, round], "seed {seed}");
        }
        run.must_settle();
        assert_eq!(run.resyncs(), [2, 2], "seed {seed}");
    }
}

#[test]
fn one_seed_gives_one_journal() {
    let digest = |seed| {
        let mut run = Run::new(seed, &["sim.gap_ppm=10000", "sim.disconnect_ppm=200000"]);
        run.on(Nanos::from_secs(4));
        let now = run.world.now();
        run.crew.report(&run.plan, now).0
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1).journal_sha256, digest(2).journal_sha256);
}
