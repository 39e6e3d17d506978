//! The whole hot path on one thread: frame bytes in a buffer to order bytes in a buffer.
//!
//! The engine is brought up over the virtual network first, so that sessions are logged in and books
//! are live; then its stages are turned by hand with frames that change the top of a book. The least
//! edge asked for lies between the two directions' edges, so that each frame is one opportunity.

#[path = "socket.rs"]
mod socket;

use socket::open_socket;
pub use socket::server_frame;
use xarb::book::Book;
use xarb::config::Config;
use xarb::engine::{Crew, Helm, Identity, Plan, Status};
use xarb::sim::net::Path as Wire;
use xarb::sim::setup::simulate;
use xarb::sim::world::World;
use xarb::telemetry::{Hop, Stamps};
use xarb::types::{BookId, Bps, Fixed, Level, Nanos, Scale, Side, Stopwatch};
use xarb::venue::FeedInput;
use xarb::wire::PaddedBuf;
use xarb::wire::ws::{Message, Ws};

/// Which frames are fed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Best bid and ask of one venue.
    BinanceTicker,
    /// 30 levels of depth.
    BinanceDepth,
    /// Another venue's books, with a checksum.
    KrakenBook,
    /// Books numbered by connection; orders are requests with tokens made ahead.
    CoinbaseLevel2,
    /// Books numbered one by one.
    BybitOrderbook,
    /// Books whose updates are linked.
    OkxBooks,
}

impl Case {
    pub const ALL: [Case; 6] = [
        Case::BinanceTicker,
        Case::BinanceDepth,
        Case::KrakenBook,
        Case::CoinbaseLevel2,
        Case::BybitOrderbook,
        Case::OkxBooks,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Case::BinanceTicker => "binance_ticker",
            Case::BinanceDepth => "binance_depth",
            Case::KrakenBook => "kraken_book",
            Case::CoinbaseLevel2 => "coinbase_level2",
            Case::BybitOrderbook => "bybit_orderbook",
            Case::OkxBooks => "okx_books",
        }
    }

    /// Both venues, and which of them the frames are of.
    fn venues(self) -> ([&'static str; 2], usize) {
        match self {
            Case::BinanceTicker | Case::BinanceDepth => (["binance.spot", "kraken.spot"], 0),
            Case::KrakenBook => (["binance.spot", "kraken.spot"], 1),
            Case::CoinbaseLevel2 => (["binance.spot", "coinbase.advanced"], 1),
            Case::BybitOrderbook => (["binance.spot", "bybit.spot"], 1),
            Case::OkxBooks => (["binance.spot", "okx.spot"], 1),
        }
    }

    fn venue(self) -> usize {
        self.venues().1
    }

    /// Levels a side of an update, about as many as recordings have in the middle.
    fn levels(self) -> usize {
        match self {
            Case::BinanceTicker | Case::KrakenBook => 1,
            Case::BinanceDepth => 15,
            Case::CoinbaseLevel2 => 2,
            Case::BybitOrderbook => 3,
            Case::OkxBooks => 18,
        }
    }
}

const START: Nanos = Nanos::from_secs(1_800_000_000);

/// The private side's timers are looked at so often, in the engine's own time.
const TICK: Nanos = Nanos::from_millis(100);

/// Frames between two such looks: no more than a look makes tokens.
const FRAMES_A_TICK: usize = 8;

/// The engine, ready, with a WebSocket codec before it.
pub struct HotPath<W> {
    case: Case,
    crew: Crew<W>,
    ws: Ws,
    now: Nanos,
    seq: u64,
    watch: W,
    world: World,
    untended: usize,
    text: PaddedBuf,
    _plan: Plan,
    _helm: Helm,
}

impl<W: Stopwatch + Clone + Send + 'static> HotPath<W> {
    pub fn new(case: Case, watch: W) -> HotPath<W> {
        // A first run tells where the books stand; a second one, the same to the byte, asks for an
        // edge that exactly one direction has.
        let mut probe = start(case, Bps(-90 * Bps::ONE), &watch);
        let edges = probe.edges();
        let between = Bps((edges[0] + edges[1]) / 2);
        let mut path = start(case, between, &watch);
        path.begin_anew();
        path.forget();
        path
    }

    /// What the books had to offer before the first frame is not part of any measurement.
    fn forget(&mut self) {
        while self.crew.detect.stage_mut().turn(self.now, &self.watch) {}
        while self.crew.exec.take_signal(|_, _| ()).is_some() {}
        self.rest();
    }

    /// Some venues count on where we cannot see it: their book is told once more, by numbers of ours.
    fn begin_anew(&mut self) {
        if !matches!(self.case, Case::CoinbaseLevel2 | Case::BybitOrderbook | Case::OkxBooks) {
            return;
        }
        let book = self.book(self.case.venue());
        let [bids, asks] = Side::BOTH.map(|side| book.levels(side).collect::<Vec<_>>());
        self.seq = book.stamp().seq + 1_000;
        let text = self.update("snapshot", &bids, &asks);
        self.tell(&server_frame(text.as_bytes()));
    }

    /// A message of those venues, numbered on from the last one.
    fn update(&self, kind: &str, bids: &[Level], asks: &[Level]) -> String {
        let (seq, before) = (self.seq, self.seq - 1);
        let number = |value: i64| Fixed(value, Scale::DEFAULT);
        let rows = |levels: &[Level], behind: &str| {
            let row = |l: &Level| format!(r#"["{}","{}"{behind}]"#, number(l.price.0), number(l.qty.0));
            levels.iter().map(row).collect::<Vec<_>>().join(",")
        };
        match self.case {
            Case::BinanceTicker | Case::BinanceDepth | Case::KrakenBook => unreachable!("spelled by frames"),
            Case::CoinbaseLevel2 => {
                let row = |side: &str, l: &Level| {
                    format!(
                        r#"{{"side":"{side}","event_time":"2027-01-15T08:00:00.000000Z","price_level":"{}","new_quantity":"{}"}}"#,
                        number(l.price.0),
                        number(l.qty.0)
                    )
                };
                let bids = bids.iter().map(|l| row("bid", l));
                let rows: Vec<_> = bids.chain(asks.iter().map(|l| row("offer", l))).collect();
                format!(
                    r#"{{"channel":"l2_data","timestamp":"2027-01-15T08:00:00.000000000Z","sequence_num":{seq},"events":[{{"type":"{kind}","product_id":"BTC-USDT","updates":[{}]}}]}}"#,
                    rows.join(",")
                )
            }
            Case::BybitOrderbook => {
                let kind = if kind == "update" { "delta" } else { kind };
                format!(
                    r#"{{"topic":"orderbook.200.BTCUSDT","ts":1800000000000,"type":"{kind}","data":{{"s":"BTCUSDT","b":[{}],"a":[{}],"u":{seq},"seq":{seq}}},"cts":1800000000000}}"#,
                    rows(bids, ""),
                    rows(asks, "")
                )
            }
            Case::OkxBooks => {
                let before = if kind == "update" { before as i64 } else { -1 };
                format!(
                    r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{kind}","data":[{{"asks":[{}],"bids":[{}],"ts":"1800000000000","checksum":0,"seqId":{seq},"prevSeqId":{before}}}]}}"#,
                    rows(asks, r#","0","1""#),
                    rows(bids, r#","0","1""#)
                )
            }
        }
    }

    /// Edge of buying on venue 0 and selling on venue 1, then the reverse, at the touch, in 1e-6 bp.
    fn edges(&mut self) -> [i64; 2] {
        let best: Vec<_> = (0..2)
            .map(|venue| {
                let book = self.book(venue);
                Side::BOTH.map(|side| book.levels(side).next().unwrap().price.0 as f64)
            })
            .collect();
        let (fee_a, fee_b) = (0.00075, 0.0010);
        let edge = |bid: f64, ask: f64, sell_fee: f64, buy_fee: f64| {
            ((bid * (1.0 - sell_fee)) / (ask * (1.0 + buy_fee)) - 1.0) * 1e10
        };
        [edge(best[1][0], best[0][1], fee_b, fee_a) as i64, edge(best[0][0], best[1][1], fee_a, fee_b) as i64]
    }

    /// A venue's book.
    pub fn book(&self, venue: usize) -> &Book {
        self.crew.feeds[venue].stage().book(BookId(0)).expect("a book of each venue")
    }

    /// Frames to feed, each a change of the best level's quantity.
    pub fn frames(&mut self, count: usize) -> Vec<Vec<u8>> {
        let book = self.book(self.case.venue());
        let count_of = self.case.levels();
        let levels = Side::BOTH.map(|side| book.levels(side).take(count_of).collect::<Vec<_>>());
        let mut whole: Vec<_> = Side::BOTH.map(|side| book.levels(side).collect::<Vec<_>>()).into();
        self.seq = self.seq.max(book.stamp().seq);
        (0..count)
            .map(|turn| {
                self.seq += 1;
                let qty = 50_000_000 + (turn as i64 % 7) * 1_000_000;
                let text = match self.case {
                    Case::BinanceTicker => {
                        let [bid, ask] = [levels[0][0], levels[1][0]].map(|l| decimal(l.price.0));
                        let qty = decimal(qty);
                        format!(
                            r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{},"s":"BTCUSDT","b":"{bid}","B":"{qty}","a":"{ask}","A":"{qty}"}}}}"#,
                            self.seq
                        )
                    }
                    Case::BinanceDepth => {
                        let side = |levels: &[Level]| {
                            let rows: Vec<_> = levels
                                .iter()
                                .map(|l| format!(r#"["{}","{}"]"#, decimal(l.price.0), decimal(qty)))
                                .collect();
                            rows.join(",")
                        };
                        format!(
                            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1800000000000,"s":"BTCUSDT","U":{0},"u":{0},"b":[{1}],"a":[{2}]}}}}"#,
                            self.seq,
                            side(&levels[0]),
                            side(&levels[1])
                        )
                    }
                    Case::CoinbaseLevel2 | Case::BybitOrderbook | Case::OkxBooks => {
                        let [bids, asks] = levels.each_ref().map(|side| {
                            let changed = |l: &Level| Level::new(l.price.0, qty);
                            side.iter().map(changed).collect::<Vec<_>>()
                        });
                        self.update("update", &bids, &asks)
                    }
                    Case::KrakenBook => {
                        whole[1][0].qty.0 = qty;
                        let checksum = checksum(&whole);
                        format!(
                            r#"{{"channel":"book","type":"update","data":[{{"symbol":"BTC/USDT","bids":[],"asks":[{{"price":{},"qty":{}}}],"checksum":{checksum},"timestamp":"2027-01-15T08:00:00.000000Z"}}]}}"#,
                            Fixed(whole[1][0].price.0, Scale::DEFAULT),
                            Fixed(qty, Scale::DEFAULT),
                        )
                    }
                };
                server_frame(text.as_bytes())
            })
            .collect()
    }

    /// One frame the whole way: how many bytes of orders there are, and the stamps of the first
    /// intent's journey. Nothing leaves: once it is stamped, the intent is abandoned.
    #[inline]
    pub fn run(&mut self, frame: &[u8]) -> (usize, Stamps) {
        self.tell(frame);
        let now = self.now;
        let (mut size, mut journey) = (0, Stamps::default());
        let mut take = || {
            self.crew.exec.take_signal(|stage, signal| {
                let mut stamps = signal.stamps;
                if let Some(prepared) = stage.prepare(signal, &mut stamps, now) {
                    if size == 0 {
                        journey = stamps;
                    }
                    size += prepared.size().1;
                    stage.abandon(prepared, now);
                }
            })
        };
        while take().is_some() {}
        (size, journey)
    }

    /// A frame's way to what is to be done about it.
    #[inline]
    fn tell(&mut self, frame: &[u8]) {
        self.now = self.now + Nanos::from_micros(50);
        self.untended += 1;
        let now = self.now;
        self.ws.receive(frame);
        let mut stamps = Stamps::begin(self.watch.ticks(), 0);
        let text = match self.ws.next() {
            Ok(Some(Message::Text(text))) => text,
            other => panic!("{:?}", other.is_ok()),
        };
        stamps.mark(Hop::Frame, self.watch.ticks());
        let feed = self.crew.feeds[self.case.venue()].stage_mut();
        feed.turn(FeedInput::Text(text), now, stamps, &self.watch).expect("a frame that can be read");
        while self.crew.detect.stage_mut().turn(now, &self.watch) {}
    }

    /// What threads do that wait for the next frame, this one being the last.
    pub fn rehearse(&mut self, frame: &[u8]) {
        let at = frame.iter().position(|byte| *byte == b'{').expect("JSON");
        let feed = self.crew.feeds[self.case.venue()].stage_mut();
        feed.keep(FeedInput::Text(self.text.fill(&frame[at..])));
        feed.rehearse();
        self.crew.detect.stage_mut().rehearse(self.now, &self.watch);
        self.crew.exec.stage().rehearse(self.now);
    }

    /// What stands between two frames: histograms, hashing, wiping, new ids. Not part of the path.
    pub fn rest(&mut self) {
        if self.case == Case::CoinbaseLevel2 && self.untended >= FRAMES_A_TICK {
            // Tokens are made by the private side's tick, whose session must live meanwhile.
            self.untended = 0;
            self.world.run(self.now + TICK, &mut [&mut self.crew.exec]);
            self.now = self.world.now();
        }
        let now = self.now;
        self.crew.feeds[self.case.venue()].stage_mut().settle(&self.watch);
        self.crew.detect.stage_mut().settle(&self.watch);
        while self.crew.exec.stage().idle(now) {}
    }
}

fn start<W: Stopwatch + Clone + Send + 'static>(case: Case, min_edge: Bps, watch: &W) -> HotPath<W> {
    let top = if case == Case::BinanceTicker { "overlay" } else { "depth" };
    let [one, other] = case.venues().0;
    let changes = [
        format!("venue.\"binance.spot\".top=\"{top}\""),
        format!("venue.\"{one}\".max_age_ms=3600000"),
        format!("venue.\"{other}\".max_age_ms=3600000"),
        "risk.max_orders_per_s=1000".to_owned(),
        "risk.price_band_bps=500".to_owned(),
    ];
    let mut config = Config::demo_on(&[one, other], &changes).expect("a configuration");
    config.detect.min_edge = min_edge;
    let (sim, keys) = simulate(&config, START).expect("simulated venues");
    let mut world = World::new(sim, Wire::default(), 1, START);
    let rows = config.venues.iter().map(|venue| xarb::venue::find(&venue.id).unwrap());
    let endpoints: Vec<_> = rows.enumerate().map(|(at, row)| world.endpoints(at, &row.sim)).collect();
    let metadata: Vec<_> = (0..config.venues.len()).map(|at| world.instruments(at)).collect();
    let plan = Plan::new(&config, &endpoints, &metadata).expect("a plan");
    let identity = Identity { run: 1, tag_key: [7; 32], seed: 1, nonce_from: 0, keep_journal: false };
    let dial = world.net_mut().dialer();
    let (mut crew, helm) =
        Crew::new(&plan, &keys, &identity, &mut || Box::new(dial.clone()), watch).expect("a crew");
    // Only the private side and the feeds: nothing is traded while the path comes up.
    let until = world.now() + Nanos::from_secs(5);
    let (mut ready, mut live) = (false, false);
    while world.now() < until && !(ready && live) {
        let Crew { feeds, exec, .. } = &mut crew;
        let mut roles: Vec<&mut dyn xarb::engine::Role> = Vec::new();
        roles.extend(feeds.iter_mut().map(|feed| feed as &mut dyn xarb::engine::Role));
        roles.push(exec);
        world.step(&mut roles);
        ready |= helm.status() == Some(Status::Ready);
        let book = |feed: &xarb::engine::FeedRole<W>| {
            feed.stage().book(BookId(0)).is_some_and(|book| book.trust() == xarb::book::Trust::Live)
        };
        live = crew.feeds.iter().all(book);
    }
    assert!(ready && live, "sessions or books were not ready");
    world.sim_mut().market_mut().freeze();
    let now = world.now();
    HotPath {
        case,
        crew,
        ws: open_socket(),
        now,
        seq: 0,
        watch: watch.clone(),
        world,
        untended: 0,
        text: PaddedBuf::default(),
        _plan: plan,
        _helm: helm,
    }
}

/// Eight decimals, as the exchange writes them.
fn decimal(value: i64) -> String {
    format!("{}.{:08}", value / 100_000_000, value % 100_000_000)
}

/// CRC-32 over the ten best levels at 1 and 8 decimals: the demo's rules for that venue.
fn checksum(book: &[Vec<Level>]) -> u32 {
    let mut text = String::new();
    for side in [&book[1], &book[0]] {
        for level in side.iter().take(10) {
            text.push_str(&format!("{}{}", level.price.0 / 10_000_000, level.qty.0));
        }
    }
    crc32fast::hash(text.as_bytes())
}
