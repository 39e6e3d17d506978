//! A run and its capture. What one thread decided and sent, it decides and sends again, byte for byte,
//! when the capture's inputs are fed back in the place of connections; what several threads decided
//! follows from the versions of the books that they saw, and those are in the capture.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xarb::backtest::{Again, AgainError, Happened};
use xarb::book::{Glance, Top};
use xarb::capture::{
    Capture, Intake, Record, RecordKind, StoreMeta, StoreOptions, StoreWriter, public_input, recorder,
};
use xarb::config::{Config, Waiting};
use xarb::detect::{self, BookSlot, Opportunity};
use xarb::engine::{Books, Crew, Endpoints, ExecRole, Identity, Plan, Role, Rounds, Tap};
use xarb::host::{Dialer, HostClock, ListenConfig, Stop, TlsRoots, serve, shared};
use xarb::sim::net::Path;
use xarb::sim::setup::simulate;
use xarb::telemetry::Stamps;
use xarb::types::{Clock, Dial, Environment, Level, Nanos, Side, VenueId};
use xarb::venue::{Exchange, FeedInput, GatewayInput, Lane};
use xarb::wire::PaddedBuf;

use run::{Run, Still};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "common/run.rs"]
mod run;

/// Bytes of a journal's record.
const RECORD: usize = 160;

/// Bytes of orders, each with its venue, in the order in which they left.
type Sent = Arc<Mutex<Vec<(u8, Vec<u8>)>>>;

/// Records inputs, and keeps the bytes of orders.
struct Both(Intake, Sent);

impl Tap for Both {
    fn feed(&mut self, venue: VenueId, now: Nanos, input: &FeedInput<'_>) {
        self.0.feed(venue, now, input);
    }

    fn gateway(&mut self, venue: VenueId, now: Nanos, input: &GatewayInput<'_>) {
        self.0.gateway(venue, now, input);
    }

    fn sent(&mut self, venue: VenueId, _: Lane, bytes: &[u8]) {
        self.1.lock().unwrap().push((venue.0, bytes.to_vec()));
    }
}

/// The role that trades, with a list of the opportunities that reached it.
struct Listening {
    exec: ExecRole<Still>,
    opportunities: Vec<Opportunity>,
    /// How many there are, for whoever waits for them on another thread.
    seen: Arc<AtomicUsize>,
}

impl Role for Listening {
    fn name(&self) -> &str {
        "exec"
    }

    fn turn(&mut self, now: Nanos) -> bool {
        let Listening { exec, opportunities, seen } = self;
        let mut take = || {
            exec.take_signal(|stage, signal| {
                opportunities.push(signal.opportunity);
                seen.store(opportunities.len(), Ordering::Relaxed);
                stage.on_signal(signal, now);
            })
        };
        while take().is_some() {}
        self.exec.turn(now)
    }
}

/// What a run decided.
struct Decided {
    opportunities: Vec<Opportunity>,
    sent: Vec<(u8, Vec<u8>)>,
    /// The journal's records, and the digest over them.
    journal: (Vec<[u8; RECORD]>, [u8; 32]),
}

impl Decided {
    fn by(listening: Listening, sent: &Sent) -> Decided {
        let Listening { mut exec, opportunities, .. } = listening;
        let journal = exec.stage().executor().journal();
        let digest = journal.digest();
        let (records, _) = journal.kept().unwrap().as_chunks();
        let journal = (records.to_vec(), digest);
        Decided { opportunities, sent: std::mem::take(&mut sent.lock().unwrap()), journal }
    }
}

fn path() -> Path {
    let jitter = Nanos::from_micros(400);
    Path { latency: Nanos::from_micros(300), jitter, chop: true, ..Path::default() }
}

/// Runs it for that long, and what was recorded of it.
fn live(config: &Config, span: Nanos) -> (Decided, Vec<u8>) {
    let Run { plan, mut world, mut crew, helm, .. } = Run::of(config, path());
    let (intake, mut recorder) = recorder(plan.venues.iter().map(|venue| venue.row).collect(), 4_096);
    let sent = Sent::default();
    let mut tap = || Box::new(Both(intake.clone(), Arc::clone(&sent))) as Box<dyn Tap>;
    crew.tap(&mut tap);
    let mut rounds = Rounds::new(tap());
    let mut out =
        StoreWriter::new(Cursor::new(Vec::new()), StoreOptions::default(), &StoreMeta::default()).unwrap();
    let Crew { mut feeds, mut detect, exec } = crew;
    let mut exec = Listening { exec, opportunities: Vec::new(), seen: Arc::default() };
    let until = world.now() + span;
    while world.now() < until {
        let mut roles: Vec<&mut dyn Role> = vec![&mut rounds];
        roles.extend(feeds.iter_mut().map(|feed| feed as &mut dyn Role));
        roles.extend([&mut detect as &mut dyn Role, &mut exec]);
        world.step(&mut roles);
        while recorder.turn(&mut out, 1_000).unwrap() > 0 {}
    }
    drop(helm);
    assert_eq!(recorder.dropped(), 0);
    (Decided::by(exec, &sent), out.finish().unwrap().into_inner())
}

/// The same roles, without venues and without connections, on what was recorded.
fn again(config: &Config, recorded: &[u8]) -> Decided {
    let Run { plan, mut crew, helm, .. } = Run::of(config, path());
    let (intake, _recorder) = recorder(Vec::new(), 1);
    let sent = Sent::default();
    crew.tap(&mut || Box::new(Both(intake.clone(), Arc::clone(&sent))) as Box<dyn Tap>);
    crew.forget_connections();
    let Crew { mut feeds, mut detect, exec } = crew;
    let mut exec = Listening { exec, opportunities: Vec::new(), seen: Arc::default() };
    let venues = plan.venues.iter().map(|venue| venue.config.id.clone()).collect();
    let mut run = Again::new(Capture::new(Box::new(recorded)).unwrap(), venues);
    while let Some(happened) = run.next().unwrap() {
        match happened {
            Happened::Feed { venue, at, input } => feeds[venue].replay(input, at),
            Happened::Gateway { venue, input } => exec.exec.stage().lanes()[venue].replay(&input),
            Happened::Round { at, .. } => {
                detect.turn(at);
                exec.turn(at);
            }
        }
    }
    drop(helm);
    Decided::by(exec, &sent)
}

fn demo(venues: &[&str], changes: &[&str]) -> Config {
    let changes: Vec<_> = changes.iter().map(|change| (*change).to_owned()).collect();
    Config::demo_on(venues, &changes).unwrap()
}

/// `whole`: nothing that is blanked in a capture goes into orders, so their bytes are the same, too.
#[track_caller]
fn happens_again(config: &Config, whole: bool) {
    let (live, recorded) = live(config, Nanos::from_secs(6));
    assert!(live.opportunities.len() > 10 && live.sent.len() > 10, "{} orders", live.sent.len());
    let again = again(config, &recorded);
    for (at, (live, again)) in live.opportunities.iter().zip(&again.opportunities).enumerate() {
        assert_eq!(live, again, "opportunity {at}");
    }
    assert_eq!(live.opportunities.len(), again.opportunities.len());
    for (at, (live, again)) in live.journal.0.iter().zip(&again.journal.0).enumerate() {
        assert_eq!(live, again, "record {at}");
    }
    assert_eq!(live.journal, again.journal);
    assert_eq!(live.sent.len(), again.sent.len());
    if whole {
        assert!(live.sent == again.sent, "bytes of orders differ");
    }
}

#[test]
fn a_recorded_run_happens_again() {
    let rough = ["sim.offset_bps=40", "sim.partial_ppm=300000", "sim.reject_ppm=50000", "run.seed=5"];
    happens_again(&demo(&["binance.spot", "bybit.spot"], &rough), true);
}

/// Its feeds are recorded, and its fills follow from them.
#[test]
fn a_recorded_run_on_paper_happens_again() {
    let mut config = demo(&["binance.spot", "bybit.spot"], &["sim.offset_bps=40", "run.seed=8"]);
    config.venues.iter_mut().for_each(|venue| venue.environment = Environment::Paper);
    happens_again(&config, true);
}

/// Orders carry a token that the venue gave, and that no capture holds.
#[test]
fn a_recorded_run_with_tokens_happens_again() {
    let config = demo(&["binance.spot", "kraken.spot"], &["sim.offset_bps=40", "run.seed=6"]);
    happens_again(&config, false);
}

/// What is no recording of a stepped run says so, by the record that shows it.
#[test]
fn what_cannot_be_run_again_says_why() {
    let error = |records: &[(&str, RecordKind, &str)]| {
        let out = Cursor::new(Vec::new());
        let mut store = StoreWriter::new(out, StoreOptions::default(), &StoreMeta::default()).unwrap();
        let mut padded = PaddedBuf::default();
        for (venue, kind, url) in records {
            let conn = store.connection(venue, "one");
            let mut record = Record { ts: Some(Nanos(1)), kind: *kind, ..Record::default() };
            record.url = (*url).to_owned();
            store.write(conn, &record.view("one", venue, padded.fill(&record.bytes))).unwrap();
        }
        let bytes = store.finish().unwrap().into_inner();
        let capture = Capture::new(Box::new(&bytes[..])).unwrap();
        let mut run = Again::new(capture, vec!["binance.spot".to_owned()]);
        loop {
            match run.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("nothing is wrong with {records:?}"),
                Err(error) => break error,
            }
        }
    };
    let tick = ("binance.spot", RecordKind::Private, "tick");
    let text = |venue| (venue, RecordKind::Text, "");
    assert_eq!(error(&[text("binance.spot"), tick]), AgainError::NoRounds);
    let other = AgainError::Venue { record: 3, venue: "okx.spot".to_owned() };
    assert_eq!(error(&[tick, text("binance.spot"), text("okx.spot")]), other);
    let unknown = AgainError::NoInput { record: 2, kind: RecordKind::Private };
    assert_eq!(error(&[tick, ("binance.spot", RecordKind::Private, "tock")]), unknown);
}

/// Decisions that are looked at, and how long a machine may take for them.
const ENOUGH: usize = 6;
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs it on two threads over loopback sockets until it decided so often: what it decided, and what was
/// recorded of it. A busy machine gets its time, but not for ever.
fn threaded(config: &Config, enough: usize) -> (Plan, Vec<Opportunity>, Vec<u8>) {
    let clock = HostClock::new();
    let (sim, keys) = simulate(config, clock.now()).unwrap();
    let rows: Vec<_> = config.venues.iter().map(|venue| xarb::venue::find(&venue.id).unwrap()).collect();
    let rules = |venue| sim.exchange(venue).unwrap().instruments().to_vec();
    let metadata: Vec<_> = (0..rows.len()).map(rules).collect();
    let served = serve(sim, ListenConfig::default(), clock.clone()).unwrap();
    let ports = served.addresses().iter().zip(&rows);
    let endpoints: Vec<_> =
        ports.map(|(at, row)| Endpoints::simulated(&at.ip().to_string(), at.port(), &row.sim)).collect();
    let plan = Plan::new(config, &endpoints, &metadata).unwrap();
    let dialer = Dialer::new(TlsRoots::new(&[]).unwrap(), clock.clone());
    let mut dial = || Box::new(dialer.clone()) as Box<dyn Dial>;
    let identity =
        Identity { run: 1, tag_key: [7; 32], seed: config.run.seed, nonce_from: 1, keep_journal: false };
    let (mut crew, _helm) = Crew::new(&plan, &keys, &identity, &mut dial, &Still).unwrap();
    let (intake, mut recorder) = recorder(plan.venues.iter().map(|venue| venue.row).collect(), 8_192);
    crew.tap(&mut || Box::new(Both(intake.clone(), Sent::default())) as Box<dyn Tap>);
    let mut out =
        StoreWriter::new(Cursor::new(Vec::new()), StoreOptions::default(), &StoreMeta::default()).unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let Crew { feeds, detect, exec } = crew;
    let mut roles: Vec<Box<dyn Role>> = Vec::new();
    roles.extend(feeds.into_iter().map(|feed| Box::new(feed) as Box<dyn Role>));
    roles.extend([
        Box::new(detect) as Box<dyn Role>,
        Box::new(Listening { exec, opportunities: Vec::new(), seen: seen.clone() }),
    ]);
    let stop = Stop::new();
    let threads = shared(roles, 2, Waiting::Park, &clock, &stop).unwrap();
    let start = Instant::now();
    while seen.load(Ordering::Relaxed) < enough && start.elapsed() < PATIENCE {
        recorder.turn(&mut out, 1_000).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    stop.stop();
    let listening = threads.join().into_iter().find_map(|role| {
        let role: Box<dyn Any> = role;
        role.downcast::<Listening>().ok()
    });
    while recorder.turn(&mut out, 1_000).unwrap() > 0 {}
    assert_eq!(recorder.dropped(), 0);
    (plan, listening.unwrap().opportunities, out.finish().unwrap().into_inner())
}

/// Books as they were in the versions that a decision names.
struct Then<'a> {
    /// By slot.
    tops: Vec<Option<&'a Top>>,
    now: Nanos,
}

impl detect::Books for Then<'_> {
    type Levels<'a>
        = std::iter::Copied<std::slice::Iter<'a, Level>>
    where
        Self: 'a;

    fn glance(&mut self, slot: BookSlot) -> Option<Glance> {
        let top = self.tops[usize::from(slot.0)]?;
        // How long ago its last message came is of no version: that it was young enough is taken as told.
        Some(Glance {
            version: top.version,
            trust: top.trust,
            crossed: top.crossed,
            heard: self.now,
            bid: top.bids().first().copied(),
            ask: top.asks().first().copied(),
        })
    }

    fn load(&mut self, slot: BookSlot, _: Side) -> Option<Glance> {
        self.glance(slot)
    }

    fn levels(&self, slot: BookSlot, side: Side) -> Self::Levels<'_> {
        let levels = self.tops[usize::from(slot.0)].map_or(&[][..], |top| match side {
            Side::Buy => top.bids(),
            Side::Sell => top.asks(),
        });
        levels.iter().copied()
    }
}

#[test]
fn decisions_of_several_threads_follow_from_the_recorded_books() {
    decisions_follow(Environment::Sim);
}

/// On paper orders go nowhere, and the decisions are the same kind.
#[test]
fn decisions_on_paper_follow_from_the_recorded_books() {
    decisions_follow(Environment::Paper);
}

#[track_caller]
fn decisions_follow(environment: Environment) {
    let changes = ["sim.offset_bps=40", "run.seed=3"].map(str::to_owned);
    let mut config = Config::demo_on(&["binance.spot", "bybit.spot"], &changes).unwrap();
    config.venues.iter_mut().for_each(|venue| venue.environment = environment);
    let (plan, decisions, recorded) = threaded(&config, ENOUGH);
    assert!(decisions.len() >= ENOUGH, "{} decisions", decisions.len());

    // Every version of every book, by the recorded inputs of its venue's feed alone.
    let mut books = Books::new(&plan);
    let mut stages: Vec<_> = plan.venues.iter().map(|venue| books.feed_stage(venue)).collect();
    let mut versions: Vec<BTreeMap<u64, Top>> = vec![BTreeMap::new(); usize::from(plan.books)];
    let mut capture = Capture::new(Box::new(&recorded[..])).unwrap();
    while capture.advance().unwrap() {
        let view = capture.view();
        let Some(input) = public_input(&view) else { continue };
        let venue = plan.venues.iter().position(|venue| venue.row.id == view.venue).unwrap();
        stages[venue].turn_from(0, input, view.ts.unwrap(), Stamps::default(), &Still).unwrap();
        drop(stages[venue].take_wants());
        for book in &plan.venues[venue].instruments {
            let (slot, mut top) = (usize::from(book.slot.0), Top::default());
            assert!(books.readers[slot].read(&mut top));
            versions[slot].entry(top.version).or_insert(top);
        }
    }

    for decision in &decisions {
        let mut then = Then { tops: vec![None; usize::from(plan.books)], now: decision.at };
        let mut slots = Vec::new();
        for leg in decision.legs() {
            let venue = &plan.venues[usize::from(leg.venue.0)];
            let book = venue.instruments.iter().find(|book| book.instrument == decision.instrument).unwrap();
            let top = versions[usize::from(book.slot.0)].get(&leg.book_version);
            assert!(top.is_some(), "version {} of {:?} is not in the capture", leg.book_version, book.slot);
            then.tops[usize::from(book.slot.0)] = top;
            slots.push(book.slot);
        }
        let mut detector = plan.detector(&plan.watches()).unwrap();
        let mut found = Vec::new();
        detector.evaluate(&mut then, slots[0], decision.at, |opportunity| found.push(*opportunity));
        assert!(found.contains(decision), "{decision:?} does not follow: {found:?}");
    }
}
